//! The log's form.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// What is logged where `RUST_LOG` says nothing: all of the orders' events, and of the SDK what
/// goes wrong.
const DEFAULT_FILTER: &str =
    "info,temporalio_sdk=warn,temporalio_sdk_core=warn,temporalio_client=warn";

/// Sends log lines to standard output, in colour on a terminal. `RUST_LOG` chooses what is logged.
pub fn init() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned()));
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_target(false)
        .init();
}
