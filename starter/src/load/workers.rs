//! The workers on this machine, and what they use.

use std::collections::BTreeSet;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};

/// The processes that took part in orders, as far as they are on this machine.
#[derive(Debug, Default)]
pub(super) struct Workers {
    pids: BTreeSet<u32>,
}

/// What the workers have used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Processes.
    pub workers: usize,
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Resident memory, in bytes.
    pub memory: u64,
}

impl Workers {
    /// Notes who took part in an order. A worker's identity is `name PID@HOST`; the server keeps it
    /// with each step.
    pub(super) fn seen_in(&mut self, history: &[HistoryEvent]) {
        let host = System::host_name().unwrap_or_default();
        for event in history {
            let identity = match &event.attributes {
                Some(Attributes::WorkflowTaskStartedEventAttributes(it)) => &it.identity,
                Some(Attributes::ActivityTaskStartedEventAttributes(it)) => &it.identity,
                _ => continue,
            };
            self.pids.extend(pid_of(identity, &host));
        }
    }

    /// What they have used; `None` where none is on this machine.
    pub(super) fn measure(&self) -> Option<Usage> {
        let pids: Vec<_> = self.pids.iter().map(|pid| Pid::from_u32(*pid)).collect();
        let mut system = System::new();
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, wanted);
        let processes: Vec<_> = pids.iter().filter_map(|pid| system.process(*pid)).collect();
        (!processes.is_empty()).then(|| Usage {
            workers: processes.len(),
            cpu_ms: processes.iter().map(|it| it.accumulated_cpu_time()).sum(),
            memory: processes.iter().map(|it| it.memory()).sum(),
        })
    }
}

fn pid_of(identity: &str, host: &str) -> Option<u32> {
    let (name_and_pid, on) = identity.rsplit_once('@')?;
    if on != host {
        return None;
    }
    name_and_pid.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_known_by_its_identity_on_this_host_only() {
        assert_eq!(pid_of("order-management-worker 42@here", "here"), Some(42));
        assert_eq!(pid_of("order-management-worker 42@there", "here"), None);
        assert_eq!(pid_of("somebody", "here"), None);
    }

    #[test]
    fn a_process_that_lives_is_measured_and_one_that_does_not_is_not() {
        let mut workers = Workers::default();
        assert!(workers.measure().is_none());
        workers.pids.insert(std::process::id());
        let usage = workers.measure().unwrap();
        assert_eq!(usage.workers, 1);
        assert!(usage.memory > 0);
    }
}
