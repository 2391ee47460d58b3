//! What the command line takes.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use activities::{Hold, faults::FaultRate};
use clap::{Parser, Subcommand};
use inventory::Location;
use temporal::{CodecServerArgs, ConnectArgs, args::whole};

use crate::{log::LogFormat, tuning::TuningArgs, version::VersionArgs};

/// The longest time that a worker may take to stop.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs the workflow ProcessOrder and its activities until Ctrl-C.
///
/// Needs a Temporal server: `cargo run -p demo -- server` starts one. If there is none, the
/// worker says so and keeps trying. Orders come from the starter: `cargo run -p starter`.
#[derive(Debug, Parser)]
#[command(name = "worker", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to run other than a worker.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// The task queue to take orders from
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE", default_value = workflows::TASK_QUEUE, value_parser = temporal::task_queue)]
    pub task_queue: String,
    /// The inventory: a file, with its ledger beside it, or a database as
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE; created on first use
    #[arg(long, env = "DATABASE", hide_env_values = true, default_value = inventory::DEFAULT_PATH)]
    pub database: Location,
    /// How many attempts at an activity fail at random: from 0 (none) up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
    /// Makes the faults repeatable: the same number fails the same attempts [default: random]
    #[arg(long, value_name = "NUMBER", value_parser = whole(0..=u64::MAX))]
    pub fault_seed: Option<u64>,
    /// How long running activities may continue after Ctrl-C or SIGTERM, such as 30s or 0s; those
    /// still running then are cut off, and another worker runs them again. At most 1 day
    #[arg(long, env = "SHUTDOWN_LIMIT", value_name = "TIME", default_value = "10s", value_parser = shutdown_limit)]
    pub shutdown_limit: Duration,
    /// How the log is written
    #[arg(
        long,
        env = "LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// Serves metrics for Prometheus at http://ADDRESS/metrics, such as 127.0.0.1:9464
    /// [default: off]
    #[arg(long, env = "METRICS_ADDRESS", value_name = "HOST:PORT", value_parser = listen_address)]
    pub metrics_address: Option<SocketAddr>,
    /// Says at http://ADDRESS/ready whether the worker polls for orders, such as 127.0.0.1:8080
    /// [default: off]
    #[arg(long, env = "HEALTH_ADDRESS", value_name = "HOST:PORT", value_parser = listen_address)]
    pub health_address: Option<SocketAddr>,
    /// How much to take on at once.
    #[command(flatten)]
    pub tuning: TuningArgs,
    /// Which version of the code this is.
    #[command(flatten)]
    pub version: VersionArgs,
    /// Holds an activity at a point: ACTIVITY:before=FILE or ACTIVITY:after=FILE; for tests and
    /// demos
    #[arg(long, value_name = "POINT=FILE", hide = true)]
    pub hold: Vec<Hold>,
    /// What each attempt at an activity is to do, in a JSON file that may change meanwhile; for demos
    #[arg(long, value_name = "FILE", hide = true)]
    pub controls: Option<PathBuf>,
}

/// What to run other than a worker.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decrypt orders for the Web UI and the Temporal CLI, until Ctrl-C; needs no server
    CodecServer(CodecServerArgs),
    /// Run another team's shipping service, which ships orders placed with --ship-by nexus, until Ctrl-C
    ShippingService(Box<ShippingServiceArgs>),
}

/// The shipping service of another team, in a namespace of its own, which is registered where the server
/// allows it.
#[derive(Debug, clap::Args)]
#[command(mut_arg("namespace", |it| it
    .default_value("shipping")
    .help("The service's namespace on that server")
    .long_help(None)))]
pub struct ShippingServiceArgs {
    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// The task queue to take calls from
    #[arg(long, env = "SHIPPING_TASK_QUEUE", value_name = "NAME", default_value = "Shipping", value_parser = temporal::task_queue)]
    pub task_queue: String,
    /// Where the courier keeps its records: the inventory of the workers
    #[arg(long, env = "DATABASE", hide_env_values = true, default_value = inventory::DEFAULT_PATH)]
    pub database: Location,
    /// How many attempts at an activity fail at random: from 0 (none) up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
    /// How long running activities may continue after Ctrl-C or SIGTERM. At most 1 day
    #[arg(long, env = "SHUTDOWN_LIMIT", value_name = "TIME", default_value = "10s", value_parser = shutdown_limit)]
    pub shutdown_limit: Duration,
    /// Holds an activity at a point: ACTIVITY:before=FILE or ACTIVITY:after=FILE; for tests and
    /// demos
    #[arg(long, value_name = "POINT=FILE", hide = true)]
    pub hold: Vec<Hold>,
}

fn shutdown_limit(text: &str) -> Result<Duration, &'static str> {
    let limit = humantime::parse_duration(text).ok();
    limit
        .filter(|limit| *limit <= LONGEST_SHUTDOWN)
        .ok_or("expected a time of at most 1 day, such as 30s")
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| "expected HOST:PORT, with an address of this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_fault_rate_that_ends_no_order_is_refused() {
        assert!(Args::try_parse_from(["worker", "--fault-rate", "1"]).is_err());
        assert!(Args::try_parse_from(["worker", "--fault-rate", "0.99"]).is_ok());
    }

    #[test]
    fn an_address_to_listen_at_has_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:9464", "[::1]:9464"] {
            assert!(listen_address(good).is_ok(), "{good}");
        }
        for bad in ["9464", ":9464x", "localhost", "127.0.0.1:99999", ""] {
            assert!(listen_address(bad).is_err(), "{bad}");
        }
    }
}
