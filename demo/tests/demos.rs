//! The demos, as a presenter runs them: each checks its own ending.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

/// A demo with a server of its own.
fn demo(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .args(arguments)
        .env("TMPDIR", folder)
        .env("TEMPORAL_CONFIG_FILE", folder.join("temporal.toml"));
    std::fs::write(
        folder.join("temporal.toml"),
        format!(
            "[profile.default]\naddress = \"127.0.0.1:{}\"\n",
            free_port()
        ),
    )
    .unwrap();
    command.output().unwrap()
}

/// A port that was free a moment ago, and whose neighbour 1000 above is too.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if port < 60_000 && TcpListener::bind(("127.0.0.1", port + 1000)).is_ok() {
            return port;
        }
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_first_order_is_shown_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&[], folder.path());
    let text = stdout(&output);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    for words in [
        "\"inStock\": 1000\n",
        "\"inStock\": 1\n",
        "\"inStock\": 10000\n",
        "managed: order-11235",
        "Shown:",
    ] {
        assert!(text.contains(words), "{words:?} is missing from:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe");
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["temporal.toml"]);
}

#[test]
fn the_demos_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&demo(&["list"], folder.path()));
    assert!(text.contains("first-order"), "{text}");
}

#[test]
fn the_server_does_not_start_beside_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = demo(&["server", "--port", &port, "--in-memory"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains(&port) && errors.contains("--port"),
        "{errors}"
    );
}
