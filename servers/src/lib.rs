//! The servers that a laptop lacks: found or fetched, started, killed and stopped.
//!
//! | module | what lives there |
//! |---|---|
//! | [`cli`] | finding the Temporal CLI, or fetching it once |
//! | [`dev_server`] | the Temporal dev server as a process: started, killed, stopped, started again |
//! | [`project`] | where this project's folder is |

pub mod cli;
pub mod dev_server;
pub mod project;

pub use cli::{CliError, CliSearch, find_or_fetch};
pub use dev_server::{DevServer, DevServerBuilder, DevServerError, Ended};
pub use project::project_dir;
