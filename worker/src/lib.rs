//! Runs the workflow `ProcessOrder` and its activities.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`codec_server`] | decrypts orders for the Web UI and the Temporal CLI |
//! | [`log`] | the log's form |
//! | [`mod@run`] | connects, registers, runs, and stops in order |
//! | `shifts` | one worker takes over from another within the process |

pub mod args;
pub mod codec_server;
pub mod log;
pub mod run;
mod shifts;

pub use args::{Args, Command};
pub use run::{READY, run};
