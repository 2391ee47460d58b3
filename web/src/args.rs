//! What the command line takes.

use std::net::SocketAddr;

use clap::Parser;
use inventory::Location;
use temporal::{ConnectArgs, Secret, UiArgs};

/// Serves the live page and the HTTP API for orders.
///
/// Shows what the Temporal server and the inventory say, so it needs both (`cargo run -p demo -- server`),
/// and a worker to process orders (`cargo run -p worker`). They may come and go while it runs.
#[derive(Clone, Debug, Parser)]
#[command(name = "web", version)]
pub struct Args {
    /// The address to listen at. One that is not loopback needs --token
    #[arg(
        long,
        env = "WEB_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8088"
    )]
    pub listen: SocketAddr,

    /// Another name of this server, as HOST or HOST:PORT. Can be given several times [default: only the
    /// address it listens at, and localhost]
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,

    /// What a client has to know: sent as "Authorization: Bearer TOKEN", or once as ?token=TOKEN in a
    /// browser's address. Prefer the variable: other users of this machine can read a command line
    #[arg(long, env = "WEB_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,

    /// The workers' task queue
    #[arg(long, env = "ORDER_MANAGEMENT_TASK_QUEUE", default_value = workflows::TASK_QUEUE, value_parser = temporal::task_queue)]
    pub task_queue: String,

    /// The workers' inventory: a file, with its ledger beside it, or a database as
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, env = "DATABASE", hide_env_values = true, default_value = inventory::DEFAULT_PATH)]
    pub database: Location,

    /// Where the Temporal server is.
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// Where the Web UI is.
    #[command(flatten)]
    pub ui: UiArgs,
}
