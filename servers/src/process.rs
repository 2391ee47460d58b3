//! A server's process: started, watched and ended.

use std::{io, path::Path, process::ExitStatus, time::Duration};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::watchdog::Watchdog;

/// How long an orderly end may take. Without load it takes some 100 ms.
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Process {
    // Declared before the child, so that it is dropped first: afterwards the process ID may belong
    // to another process.
    watchdog: Option<Watchdog>,
    pub(crate) child: Child,
    // Kept here because the child forgets it once it has ended.
    pub(crate) pid: u32,
}

/// How a server is asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// With SIGTERM.
    Terminate,
    /// With SIGINT.
    #[cfg(unix)]
    Interrupt,
}

impl Process {
    /// Starts `command`. If this process is killed, a shell runs the commands `orphaned`, in which
    /// `$pid` is the server and `$2` is `folder`.
    ///
    /// # Errors
    /// Returns an error if the command, or the shell that watches over it, cannot be run.
    pub(crate) async fn start(
        mut command: Command,
        orphaned: &str,
        folder: &Path,
    ) -> io::Result<Self> {
        command.kill_on_drop(true);
        // Ctrl-C goes to the whole process group of the terminal, but the owner decides whether
        // and when it ends the server.
        #[cfg(unix)]
        command.process_group(0);

        // Started before the server, so that the server never runs unwatched.
        let mut watchdog = Watchdog::start(orphaned, folder).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("`sh`, which watches over it: {error}"),
            )
        })?;
        let child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        if let Some(watchdog) = &mut watchdog {
            watchdog.watch(pid).await?;
        }
        Ok(Self {
            watchdog,
            child,
            pid,
        })
    }

    pub(crate) async fn kill(&mut self) -> io::Result<()> {
        self.watchdog = None;
        self.child.kill().await
    }

    /// Asks the server to end, and kills it if it takes longer than 10 seconds.
    pub(crate) async fn stop(&mut self, request: Request) -> io::Result<()> {
        self.watchdog = None;
        ask(&mut self.child, request)?;
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }

    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

#[cfg(unix)]
fn ask(child: &mut Child, request: Request) -> io::Result<()> {
    use nix::{
        errno::Errno,
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    // `None` once the process was waited for: its ID may belong to another process by now.
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else {
        return Ok(());
    };
    let signal = match request {
        Request::Terminate => Signal::SIGTERM,
        Request::Interrupt => Signal::SIGINT,
    };
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn ask(child: &mut Child, _: Request) -> io::Result<()> {
    // Windows has no such signals.
    child.start_kill()
}

/// Resolves when this process is asked to end. It listens from the call on, not only from the
/// first poll.
pub(crate) fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
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
