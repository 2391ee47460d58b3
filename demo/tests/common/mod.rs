//! The demos, as a presenter runs them.
#![allow(
    dead_code,
    reason = "each test file is a program of its own, and none uses all of this"
)]

pub mod terminal;

use std::{ffi::OsString, fs, path::Path};

/// The program.
pub const DEMO: &str = env!("CARGO_BIN_EXE_demo");

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
