//! Ends the server when the process that owns it is killed and can end nothing itself.

use std::io;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Waits at a pipe whose other end only the owner holds. Told a process ID, it ends that process
/// when the pipe closes, which is when the owner is gone, however it went.
const SCRIPT: &str = r#"trap '' HUP INT TERM; read -r pid || exit; read -r _; kill -KILL "$pid""#;

/// A small process beside the server's.
#[derive(Debug)]
pub(super) struct Watchdog {
    // Killed, and not just let go, when this is dropped: it must not act then.
    child: Child,
}

impl Watchdog {
    /// Before the server, so that no time is left in which it runs unwatched.
    pub(super) fn start() -> io::Result<Option<Self>> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        // Ctrl-C goes to the whole group of the terminal, and this must outlive its owner.
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        Ok(Some(Self { child }))
    }

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
