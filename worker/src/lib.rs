//! Runs the workflow `ProcessOrder` and its activities.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`log`] | the log's form |
//! | [`mod@run`] | connects, registers, runs, and stops in order |

pub mod args;
pub mod log;
pub mod run;

pub use args::Args;
pub use run::{READY, run};
