//! What the command line takes.

use std::path::PathBuf;

use activities::{Hold, faults::FaultRate};
use clap::{Parser, Subcommand, ValueEnum};
use temporal::{CodecServerArgs, ConnectArgs};

/// Runs the workflow ProcessOrder and its activities, until Ctrl-C.
///
/// Needs a Temporal server: `cargo run -p demo -- server` starts one. Without one it says so and
/// keeps trying. Orders come from the starter: `cargo run -p starter`.
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
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE", default_value = workflows::TASK_QUEUE)]
    pub task_queue: String,
    /// The inventory file; created on first use, with its ledger beside it
    #[arg(long, env = "DATABASE", default_value = inventory::DEFAULT_PATH)]
    pub database: PathBuf,
    /// How many attempts at an activity fail at random: from 0 (none) up to, but not including, 1
    #[arg(long, value_name = "RATE", default_value_t = FaultRate::DEFAULT)]
    pub fault_rate: FaultRate,
    /// Makes the faults repeatable: the same number fails the same attempts [default: random]
    #[arg(long, value_name = "NUMBER")]
    pub fault_seed: Option<u64>,
    /// Holds an activity at a point: ACTIVITY:before=FILE or ACTIVITY:after=FILE; for tests and
    /// demos
    #[arg(long, value_name = "POINT=FILE", hide = true)]
    pub hold: Vec<Hold>,
    /// Runs code with a bug, for the demo that mends it
    #[arg(long, hide = true)]
    pub bug: Option<Bug>,
}

/// What to run other than a worker.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decrypt orders for the Web UI and the Temporal CLI, until Ctrl-C; needs no server
    CodecServer(CodecServerArgs),
}

/// Where the code has a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The activity Ship panics.
    Activity,
    /// The workflow panics after the fraud check.
    Workflow,
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
}
