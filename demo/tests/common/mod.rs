//! The demos, as a presenter runs them.
#![allow(
    dead_code,
    reason = "each test file is a program of its own, and none uses all of this"
)]

pub mod terminal;

use std::{
    ffi::OsString,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// The program.
pub const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// What is waited for has happened long before, unless the machine is very busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_some(what, || is_so().then_some(()));
}

/// Waits until something is found.
pub fn until_some<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a demo is told of its surroundings: the port at which it looks for a server, and a folder for
/// its temporary files.
pub fn environment(port: u16, folder: &Path) -> Vec<(&'static str, OsString)> {
    let config = folder.join("temporal.toml");
    let profile = format!("[profile.default]\naddress = \"127.0.0.1:{port}\"\n");
    fs::write(&config, profile).unwrap();
    vec![
        ("TMPDIR", folder.into()),
        ("TEMPORAL_CONFIG_FILE", config.into()),
    ]
}
