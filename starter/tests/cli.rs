//! The starter's command line, as a real process.

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

fn starter(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_starter"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_makes_no_sense_is_refused_with_the_usage_before_anything_is_sent() {
    // Whatever is sent arrives here.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for words in [
        &["1", "123456", "0", "VISA-1"][..],
        &["1", "123456", "many", "VISA-1"],
        &["one", "123456", "1", "VISA-1"],
        &["1", "123456"],
    ] {
        let output = starter(&[&["--address", &address], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let text = stderr(&output);
        assert!(
            text.contains("Usage: starter [OPTIONS] [ORDER_NUMBER]"),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }
    assert!(listener.accept().is_err(), "something was sent");
}

#[test]
fn without_a_server_it_says_so_soon_and_how_to_start_one() {
    // A port on which nothing listens: one that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let begun = Instant::now();
    let output = starter(&["--address", &address]);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for word in [address.as_str(), "cargo run -p demo -- server"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn help_tells_a_newcomer_what_to_do() {
    let output = starter(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "Examples:",
        "11235813 123456 1 VISA-123456",
        "TEMPORAL_ADDRESS",
        "cargo run -p worker",
    ] {
        assert!(text.contains(word), "{text}");
    }
}
