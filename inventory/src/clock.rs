//! Where the time comes from: handed in, so that tests set it.

use std::time::SystemTime;

/// Tells the time; a program hands in [`SystemTime::now`].
pub type Clock = fn() -> SystemTime;
