//! The real dev server, `temporal server start-dev`, as a process of its own.

mod builder;
mod output;
mod port;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::timeout;

pub use builder::DevServerBuilder;
use output::Output;
use watchdog::Watchdog;

/// How long an orderly end may take. It is some 100 ms at rest.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Why a dev server could not be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevServerError {
    /// The Temporal CLI did not start at all.
    #[error("cannot start the Temporal CLI {}: {source}", cli.display())]
    Spawn {
        /// The program.
        cli: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file or folder the server needs.
    #[error("the dev server's {what} {}: {source}", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something listens on a port that was asked for.
    #[error(
        "the dev server cannot have port {port}: something listens there already. End that, or \
         choose another port"
    )]
    PortInUse {
        /// The port asked for.
        port: u16,
    },
    /// The server ended before it was ready.
    #[error("the dev server at {address} ended before it was ready ({status}): {output}")]
    EndedEarly {
        /// Where it should have listened.
        address: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed at the end.
        output: String,
    },
    /// The server runs and does not get ready.
    #[error(
        "the dev server at {address} was not ready within {limit:?} and was ended: {reason}. It \
         printed: {output}"
    )]
    NotReady {
        /// Where it listens.
        address: String,
        /// How long was waited.
        limit: Duration,
        /// What the last attempt to use it said.
        reason: String,
        /// What it printed at the end.
        output: String,
    },
    /// The process could not be signalled, or waited for.
    #[error("the dev server's process: {0}")]
    Process(#[from] io::Error),
}

/// How [`DevServer::run_until_stopped`] came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Ctrl-C, SIGTERM or a closed terminal: the server was stopped in order.
    Asked,
    /// The server ended by itself, in this way.
    ByItself(ExitStatus),
}

/// A dev server that runs, or ran. It is killed when this is dropped, and also when the whole
/// process that holds it is.
#[derive(Debug)]
pub struct DevServer {
    // Before the server, so that on a drop it is gone before the process ID is anyone else's.
    watchdog: Option<Watchdog>,
    child: Child,
    // The ID outlives the process, for the message that says which one was killed.
    pid: u32,
    output: Output,
    builder: DevServerBuilder,
    port: u16,
    ui_port: Option<u16>,
}

impl DevServer {
    /// A server run by the Temporal CLI at `cli`: in memory, on a free port, without a Web UI,
    /// unless the builder is told otherwise.
    pub fn builder(cli: impl Into<PathBuf>) -> DevServerBuilder {
        DevServerBuilder::new(cli.into())
    }

    /// Where it listens, as `--address` takes it: `127.0.0.1:7233`.
    pub fn address(&self) -> String {
        format!("{}:{}", builder::HOST, self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its Web UI is, if it has one: `http://127.0.0.1:8233`.
    pub fn ui_address(&self) -> Option<String> {
        let port = self.ui_port?;
        Some(format!("http://{}:{port}", builder::HOST))
    }

    /// The namespace it was started with.
    pub fn namespace(&self) -> &str {
        &self.builder.namespace
    }

    /// The process ID of the server itself, not of a shell around it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it at once with SIGKILL, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// [`DevServerError::Process`].
    pub async fn kill(&mut self) -> Result<(), DevServerError> {
        self.watchdog = None;
        Ok(self.child.kill().await?)
    }

    /// Ends it in order with SIGTERM, or with SIGKILL when that takes over 10 seconds, and waits
    /// until it is gone.
    ///
    /// # Errors
    /// [`DevServerError::Process`].
    pub async fn stop(&mut self) -> Result<(), DevServerError> {
        self.watchdog = None;
        terminate(&mut self.child)?;
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(ended) => ended.map(drop)?,
            Err(_) => self.child.kill().await?,
        }
        Ok(())
    }

    /// Starts it again, on the same ports and with the same database, and waits until it is ready.
    /// One that still runs is killed first.
    ///
    /// # Errors
    /// As [`DevServerBuilder::start`].
    pub async fn restart(&mut self) -> Result<(), DevServerError> {
        self.kill().await?;
        let builder = self.builder.clone();
        *self = builder.start_on(self.port, self.ui_port).await?;
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// [`DevServerError::Process`].
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, DevServerError> {
        Ok(self.child.try_wait()?)
    }

    /// Waits in the foreground: until Ctrl-C, SIGTERM or a closed terminal, and then stops the
    /// server in order; or until the server ends by itself.
    ///
    /// # Errors
    /// [`DevServerError::Process`].
    pub async fn run_until_stopped(&mut self) -> Result<Ended, DevServerError> {
        let asked = asked_to_stop()?;
        tokio::select! {
            ended = self.child.wait() => return Ok(Ended::ByItself(ended?)),
            () = asked => {}
        }
        self.stop().await?;
        Ok(Ended::Asked)
    }
}

/// Resolves when this process is asked to end. Listens from the call on, not from the first poll.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

#[cfg(unix)]
fn terminate(child: &mut Child) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    // `None` once it was waited for, when the ID may be another process's.
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else {
        return Ok(());
    };
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) -> io::Result<()> {
    // Windows has no SIGTERM.
    child.start_kill()
}
