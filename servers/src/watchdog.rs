//! Kills the server when the process that owns it was killed and can no longer do so itself.

use std::{io, path::Path, process::Stdio};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

/// Reads from a pipe whose other end only the owner holds. First comes the process ID to end; when
/// the pipe is closed, the owner has ended, in whatever way, and the commands in `$1` are run.
const SCRIPT: &str = r#"trap '' HUP INT TERM; read -r pid || exit; read -r _; eval "$1""#;

/// A small process beside the server's.
#[derive(Debug)]
pub(crate) struct Watchdog {
    // Killed on a drop, because closing the pipe alone would make it act.
    child: Child,
}

impl Watchdog {
    /// Starts the watchdog. If the owner is killed, it runs `commands` in a shell, in which `$pid`
    /// is the process ID and `$2` is `folder`. `None` where there is no `sh`, on Windows.
    pub(crate) fn start(commands: &str, folder: &Path) -> io::Result<Option<Self>> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh", commands]).arg(folder);
        command.kill_on_drop(true);
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
    pub(crate) async fn watch(&mut self, pid: u32) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(pipe) => {
                pipe.write_all(format!("{pid}\n").as_bytes()).await?;
                pipe.flush().await
            }
            None => Ok(()),
        }
    }
}
