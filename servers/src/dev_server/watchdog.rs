//! Kills the server when the process that owns it was killed and can no longer do so itself.

use std::{io, process::Stdio};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

/// Reads from a pipe whose other end only the owner holds. First comes the process ID to kill; when
/// the pipe is closed, the owner has ended, in whatever way, and that process is killed.
const SCRIPT: &str = r#"trap '' HUP INT TERM; read -r pid || exit; read -r _; kill -KILL "$pid""#;

/// A small process beside the server's.
#[derive(Debug)]
pub(super) struct Watchdog {
    // Killed on a drop, because closing the pipe alone would make it act.
    child: Child,
}

impl Watchdog {
    /// Starts the watchdog. `None` where there is no `sh`, on Windows.
    pub(super) fn start() -> io::Result<Option<Self>> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        // Ctrl-C goes to the whole process group of the terminal, and the watchdog must outlive its
        // owner.
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        Ok(Some(Self { child }))
    }

    /// Tells the watchdog which process to kill.
    pub(super) async fn watch(&mut self, pid: u32) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(pipe) => {
                pipe.write_all(format!("{pid}\n").as_bytes()).await?;
                pipe.flush().await
            }
            None => Ok(()),
        }
    }
}
