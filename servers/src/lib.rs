//! The servers that a laptop lacks: found or fetched, started, killed and stopped.
//!
//! | module | what lives there |
//! |---|---|
//! | `project` | where this project's folder is |
//! | `cli` | finding the Temporal CLI, or fetching it once |
//! | `port` | ports that nobody else is given |
//! | `dev_server` | the Temporal dev server as a process |
//!
//! [`DevServer`] has an example.

mod cli;
mod dev_server;
mod port;
mod project;

pub use cli::{CliError, CliSearch};
pub use dev_server::{DevServer, DevServerBuilder, DevServerError, Ended};
pub use port::ReservedPort;
pub use project::project_dir;
