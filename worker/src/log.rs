//! The log's form.

use std::io::IsTerminal;

use clap::ValueEnum;
use temporal::telemetry::replay;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, dynamic_filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// What is logged of the SDK if `RUST_LOG` is not set: its warnings and errors. Of a server that is away,
/// its client would warn again and again.
const OF_THE_SDK: &str = "temporalio_sdk=warn,temporalio_sdk_core=warn,\
    temporalio_sdk_core::worker::heartbeat=error,temporalio_client=error";

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: in color on a terminal.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Sends log lines to standard output. `RUST_LOG` chooses what is logged; workflow code
/// logs nothing while it is replayed.
pub fn init(format: LogFormat) {
    let lines = fmt::layer().with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => {
            let terminal = std::io::stdout().is_terminal();
            let colors = terminal && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colors).boxed()
        }
    };
    let chosen = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(std::env::var("RUST_LOG").unwrap_or_else(|_| default_filter()));
    // What the SDK itself has to say of a replay, such as that the code no longer fits the history,
    // is news.
    let news = dynamic_filter_fn(|line, _| {
        !replay::is_replaying() || line.target().starts_with("temporalio")
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(chosen.and(news)))
        .init();
}

/// Every event of an order, from the level in `LOG_LEVEL` upwards, which the Go demo's worker reads too.
fn default_filter() -> String {
    let level = std::env::var("LOG_LEVEL").ok();
    let level = level.and_then(|level| level.parse().ok());
    format!("{},{OF_THE_SDK}", level.unwrap_or(LevelFilter::INFO))
}
