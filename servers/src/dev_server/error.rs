//! Why a dev server could not be started, or ended.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why a dev server could not be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevServerError {
    /// The Temporal CLI could not be run.
    #[error("cannot start the Temporal CLI {}: {source}", cli.display())]
    Spawn {
        /// The program.
        cli: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder of the database file could not be created.
    #[error("cannot create the folder {} for the dev server's database: {source}", folder.display())]
    DbFolder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// No free port was found.
    #[error("cannot find a free port for the dev server: {0}")]
    NoPort(#[source] io::Error),
    /// Something listens on a port that the server was to use.
    #[error(
        "the dev server cannot use port {port}, because another program listens there: stop that \
         program, or choose another port"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The server ended before it was ready.
    #[error("the dev server at {address} ended before it was ready ({status}): {reason}")]
    EndedEarly {
        /// Where it should have listened, as `host:port`.
        address: String,
        /// How it ended.
        status: ExitStatus,
        /// The line of its output that says why, at most some 500 characters.
        reason: String,
    },
    /// The server ran but did not become ready in time. It was killed.
    #[error(
        "the dev server at {address} was not ready within {limit:?} and was stopped: {reason}. \
         Its output: {output}"
    )]
    NotReady {
        /// Where it listened, as `host:port`.
        address: String,
        /// How long it was given.
        limit: Duration,
        /// Why the last attempt to use it failed.
        reason: String,
        /// The line of its output that matters most, as in [`DevServerError::EndedEarly`].
        output: String,
    },
    /// The process could not be watched, signalled or waited for.
    #[error("cannot control the dev server's process: {0}")]
    Process(#[from] io::Error),
}
