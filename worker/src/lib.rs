//! Runs the workflow `ProcessOrder` and its activities.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`codec_server`] | decrypts orders for the Web UI and the Temporal CLI |
//! | [`shipping_service`] | another team's shipping service, called through Nexus |
//! | [`tuning`] | how much a worker takes on at once |
//! | [`version`] | which version of the code it runs |
//! | [`log`] | the log's form |
//! | [`order_events`] | a log line for each event of an order, and none from replay |
//! | [`order_metrics`] | orders by outcome, stock, faults, for Prometheus |
//! | [`health`] | whether the worker polls, for whoever asks over HTTP |
//! | [`mod@run`] | connects, registers, runs, and stops in order |
//! | `shifts` | one worker takes over from another within the process |

pub mod args;
pub mod codec_server;
pub mod health;
pub mod log;
pub mod order_events;
pub mod order_metrics;
mod outages;
pub mod run;
mod shifts;
pub mod shipping_service;
pub mod tuning;
pub mod version;

pub use args::{Args, Command};
pub use run::{CLIENT_NAME, READY, Register, register, run, run_code};
