//! The server's process and the processes that it started, one for each connection and task.

use std::io;

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Processes that were sent SIGKILL and may take a moment to be gone.
#[derive(Debug)]
pub(super) struct Killed(Vec<u32>);

/// Kills the process `pid` and its children, all at once for whoever looks at their files.
pub(super) fn kill_family(pid: u32) -> io::Result<Killed> {
    // It must not start another child while they are counted.
    send(pid, Signal::SIGSTOP)?;
    let system = processes();
    let children = system
        .processes()
        .iter()
        .filter(|(_, process)| {
            process
                .parent()
                .is_some_and(|parent| parent.as_u32() == pid)
        })
        .map(|(pid, _)| pid.as_u32());
    let family: Vec<u32> = children.chain([pid]).collect();
    for pid in &family {
        send(*pid, Signal::SIGKILL)?;
    }
    Ok(Killed(family))
}

impl Killed {
    /// Whether none of them runs any longer. One that nobody has waited for yet does not run.
    pub(super) fn are_gone(&self) -> bool {
        let system = processes();
        self.0.iter().all(|pid| {
            let process = system.process(sysinfo::Pid::from_u32(*pid));
            process.is_none_or(|process| {
                matches!(
                    process.status(),
                    ProcessStatus::Zombie | ProcessStatus::Dead
                )
            })
        })
    }
}

fn processes() -> System {
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    system
}

fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
