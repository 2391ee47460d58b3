//! One worker takes over from another within the process.
//!
//! A connection keeps the certificate it was made with, and the SDK's worker its connection. So a
//! new certificate gets a worker of its own, which takes tasks from then on, while the one before
//! it ends what it has under way.

use std::rc::Rc;

use anyhow::Context;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use temporal::nexus::NexusServer;
use temporalio_sdk::Worker;

/// A worker, with whatever takes tasks beside it.
pub(crate) struct Shift {
    run: LocalBoxFuture<'static, anyhow::Result<()>>,
    shut_down: Box<dyn Fn()>,
}

impl Shift {
    /// A worker alone.
    pub(crate) fn of(mut worker: Worker) -> Self {
        Self {
            shut_down: Box::new(worker.shutdown_handle()),
            run: async move { Ok(worker.run().await?) }.boxed_local(),
        }
    }

    /// The same, and a server of Nexus operations beside it.
    pub(crate) fn and(self, nexus: NexusServer) -> Self {
        let nexus = Rc::new(nexus);
        let (serving, stopping) = (nexus.clone(), nexus);
        let Self { run, shut_down } = self;
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
        }
    }
}

/// The workers of this process: the one that takes tasks, and those that end what they have.
#[derive(Default)]
pub(crate) struct Shifts {
    running: FuturesUnordered<LocalBoxFuture<'static, (usize, anyhow::Result<()>)>>,
    begun: usize,
    shut_down: Option<Box<dyn Fn()>>,
}

impl Shifts {
    /// Has `shift` take tasks from now on, and no other.
    pub(crate) fn begin(&mut self, shift: Shift) {
        self.stop();
        self.shut_down = Some(shift.shut_down);
        self.begun += 1;
        let number = self.begun;
        let run = shift.run.map(move |ended| (number, ended));
        self.running.push(run.boxed_local());
    }

    /// Has nobody take tasks any more.
    pub(crate) fn stop(&mut self) {
        if let Some(shut_down) = self.shut_down.take() {
            shut_down();
        }
    }

    /// Runs the workers until all have ended, which they do when they are stopped. May be dropped
    /// and called again.
    ///
    /// # Errors
    /// Returns an error if the newest worker failed: nobody takes tasks then.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        while let Some((number, ended)) = self.running.next().await {
            match ended {
                Ok(()) => tracing::debug!(number, "a worker of this process has ended"),
                Err(error) if number == self.begun => {
                    return Err(error).context("the worker ended early");
                }
                // Its connection may be gone, and the next worker does again what it left undone.
                Err(error) => tracing::warn!(%error, "the worker before this one ended early"),
            }
        }
        Ok(())
    }
}
