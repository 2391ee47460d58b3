//! One worker takes over from another within the process.
//!
//! A connection keeps the certificate it was made with, and the SDK's worker its connection. So a
//! new certificate gets a worker of its own. So do the orders after so many activities, because the
//! SDK's worker keeps something of each activity it ever ran.
//!
//! The new worker takes tasks before the one before it stops, so there is no moment in which nobody
//! does. The one before then ends what it has under way. A task that the server offers to it all the
//! same waits for the sticky queue's timeout. A task that it is given as it stops is lost, and waits for
//! the task's own timeout.

use std::{rc::Rc, time::Duration};

use anyhow::Context;
use futures::{
    FutureExt, StreamExt,
    future::{Fuse, LocalBoxFuture},
    stream::FuturesUnordered,
};
use temporal::nexus::NexusServer;
use temporalio_client::Connection;
use temporalio_sdk::{
    Worker, WorkerOptions,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
};
use tokio::{sync::watch, time::timeout};

/// How long two workers take tasks at most. A new worker polls well within this time. It may have
/// nothing to do for longer.
const OVERLAP: Duration = Duration::from_secs(1);

/// A worker, with whatever takes tasks beside it.
pub(crate) struct Shift {
    run: LocalBoxFuture<'static, anyhow::Result<()>>,
    shut_down: Box<dyn Fn()>,
    tally: Tally,
}

impl Shift {
    /// A worker alone, with its connection and the tally of its activities.
    pub(crate) fn of(mut worker: Worker, connection: &Connection, tally: Tally) -> Self {
        let (workers, key) = (connection.workers(), worker.worker_instance_key());
        Self {
            shut_down: Box::new(worker.shutdown_handle()),
            run: async move {
                let ended = worker.run().await;
                // The SDK leaves a worker that has ended listed with its connection. Each keeps the other in
                // memory then. One that ended early may not be ready to be taken off the list.
                let _ = workers.finalize_unregister(key);
                Ok(ended?)
            }
            .boxed_local(),
            tally,
        }
    }

    /// The same, and a server of Nexus operations beside it.
    pub(crate) fn and(self, nexus: NexusServer) -> Self {
        let nexus = Rc::new(nexus);
        let (serving, stopping) = (nexus.clone(), nexus);
        let Self {
            run,
            shut_down,
            tally,
        } = self;
        Self {
            shut_down: Box::new(move || {
                shut_down();
                stopping.stop();
            }),
            run: async move {
                let served = async { Ok(serving.run().await?) };
                futures::try_join!(run, served).map(|((), ())| ())
            }
            .boxed_local(),
            tally,
        }
    }
}

/// The workers of this process: those that take tasks, and those that end what they have.
pub(crate) struct Shifts {
    running: FuturesUnordered<LocalBoxFuture<'static, (usize, anyhow::Result<()>)>>,
    begun: usize,
    /// Stops each worker that takes tasks; the newest comes last.
    shut_down: Vec<Box<dyn Fn()>>,
    /// That of the newest worker.
    tally: Tally,
    taken_over: Fuse<LocalBoxFuture<'static, ()>>,
}

impl Shifts {
    /// Has `shift` take tasks.
    pub(crate) fn begun_by(shift: Shift) -> Self {
        let mut shifts = Self {
            running: FuturesUnordered::new(),
            begun: 0,
            shut_down: Vec::new(),
            tally: shift.tally.clone(),
            taken_over: Fuse::terminated(),
        };
        shifts.begin(shift);
        shifts
    }

    /// Has `shift` take tasks from now on. The one before it stops when this one has begun an
    /// activity, or had time to.
    pub(crate) fn begin(&mut self, shift: Shift) {
        self.relieve();
        let Shift {
            run,
            shut_down,
            tally,
        } = shift;
        self.shut_down.push(shut_down);
        self.begun += 1;
        let number = self.begun;
        self.running
            .push(run.map(move |ended| (number, ended)).boxed_local());
        self.tally = tally.clone();
        let taken_over = async move {
            let _ = timeout(OVERLAP, tally.reaches(1)).await;
        };
        self.taken_over = taken_over.boxed_local().fuse();
    }

    /// The tally of the newest worker.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Has nobody take tasks any more.
    pub(crate) fn stop(&mut self) {
        for shut_down in self.shut_down.drain(..) {
            shut_down();
        }
    }

    /// Has only the newest worker take tasks.
    fn relieve(&mut self) {
        let newest = self.shut_down.pop();
        self.stop();
        self.shut_down.extend(newest);
    }

    /// Runs the workers until all have ended, which they do when they are stopped. May be dropped
    /// and called again.
    ///
    /// # Errors
    /// Returns an error if the newest worker failed: nobody takes tasks then.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        loop {
            let ended = tokio::select! {
                ended = self.running.next() => ended,
                () = &mut self.taken_over => {
                    self.relieve();
                    continue;
                }
            };
            match ended {
                None => return Ok(()),
                Some((number, Ok(()))) => {
                    tracing::debug!(number, "a worker of this process has ended");
                }
                Some((number, Err(error))) if number == self.begun => {
                    return Err(error).context("the worker ended early");
                }
                // Its connection may be gone, and the next worker does again what it left undone.
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "the worker before this one ended early");
                }
            }
        }
    }
}

/// Counts the activities that one of the SDK's workers has begun. All clones count together.
#[derive(Clone)]
pub(crate) struct Tally {
    begun: watch::Sender<u64>,
    length: u64,
}

impl Tally {
    /// For a shift of so many activities.
    pub(crate) fn up_to(length: u64) -> Self {
        Self {
            begun: watch::Sender::new(0),
            length,
        }
    }

    /// Makes a worker count.
    pub(crate) fn watch(&self, options: &mut WorkerOptions) {
        options.activity_inbound_interceptor(self.clone());
    }

    /// Waits until the shift is over.
    pub(crate) async fn is_full(&self) {
        self.reaches(self.length).await;
    }

    async fn reaches(&self, activities: u64) {
        let mut counted = self.begun.subscribe();
        // `self` keeps the sender, so the channel stays open.
        let _ = counted.wait_for(|begun| *begun >= activities).await;
    }
}

impl ActivityInboundInterceptor for Tally {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        self.begun.send_modify(|begun| *begun += 1);
        Box::pin(next.run(input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far above what anything here takes.
    const PATIENCE: Duration = Duration::from_secs(90);

    /// A worker that ends when it is stopped, and whether it was.
    fn shift() -> (Shift, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let mut asked = stopped.clone();
        let shift = Shift {
            run: async move { Ok(asked.wait_for(|asked| *asked).await.map(drop)?) }.boxed_local(),
            shut_down: Box::new(move || _ = stop.send_replace(true)),
            tally: Tally::up_to(1),
        };
        (shift, stopped)
    }

    #[tokio::test]
    async fn a_worker_stops_only_once_the_next_has_begun_an_activity_or_had_time_to() {
        for begins in [true, false] {
            let ((first, mut stopped), (second, newest)) = (shift(), shift());
            let tally = second.tally.clone();
            let mut shifts = Shifts::begun_by(first);
            shifts.begin(second);
            assert!(shifts.ended().now_or_never().is_none());
            assert!(!*stopped.borrow(), "nobody took tasks for a moment");
            if begins {
                tally.begun.send_modify(|begun| *begun += 1);
            }
            tokio::select! {
                ended = timeout(PATIENCE, shifts.ended()) => panic!("{ended:?}"),
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            assert!(!*newest.borrow());
        }
    }
}
