//! The server's process: started, watched and ended.

use std::{io, process::ExitStatus, time::Duration};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{error::DevServerError, watchdog::Watchdog};

/// How long an orderly end may take. Without load it takes some 100 ms.
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Process {
    // Declared before the child, so that it is dropped first: afterwards the process ID may belong
    // to another process.
    watchdog: Option<Watchdog>,
    pub(super) child: Child,
    // Kept here because the child forgets it once it has ended.
    pub(super) pid: u32,
}

impl Process {
    pub(super) async fn start(mut command: Command) -> Result<Self, DevServerError> {
        command.kill_on_drop(true);
        // Ctrl-C goes to the whole process group of the terminal, but the owner decides whether
        // and when it ends the server.
        #[cfg(unix)]
        command.process_group(0);

        // Started before the server, so that the server never runs unwatched.
        let mut watchdog = Watchdog::start()?;
        let child = command.spawn().map_err(|source| DevServerError::Spawn {
            cli: command.as_std().get_program().into(),
            source,
        })?;
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

    pub(super) async fn kill(&mut self) -> io::Result<()> {
        self.watchdog = None;
        self.child.kill().await
    }

    pub(super) async fn stop(&mut self) -> io::Result<()> {
        self.watchdog = None;
        terminate(&mut self.child)?;
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }

    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

#[cfg(unix)]
fn terminate(child: &mut Child) -> io::Result<()> {
    use nix::{
        errno::Errno,
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    // `None` once the process was waited for: its ID may belong to another process by now.
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

/// Resolves when this process is asked to end. It listens from the call on, not only from the
/// first poll.
pub(super) fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
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
