//! Runs the workflow `ProcessOrder` and its activities.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`tuning`] | how much a worker takes on at once |
//! | [`version`] | which version of the code it runs |
//! | [`log`] | the log's form |
//! | [`order_events`] | a log line for each event of an order, and none from replay |
//! | [`order_metrics`] | orders by outcome, stock, faults, for Prometheus |
//! | [`health`] | whether the worker polls, for whoever asks over HTTP |
//! | [`mod@run`] | connects, registers, runs, and stops in order |

pub mod args;
pub mod health;
pub mod log;
pub mod order_events;
pub mod order_metrics;
pub mod run;
pub mod tuning;
pub mod version;

pub use args::Args;
pub use run::{READY, run};
