//! What every attempt at an activity has in common: heartbeats, simulated faults, places to hold at.

use std::{sync::Arc, time::Duration};

use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    Services,
    activity::Activity,
    error::StepError,
    faults::{FaultPoint, Faults},
    hold::Hold,
    task::{Attempted, Effect, ForOrder},
};

/// How many heartbeats fit into a heartbeat timeout. With six, several may be late on a busy
/// machine before a living activity is taken for dead.
const BEATS_PER_TIMEOUT: u32 = 6;

/// Called at each simulated fault.
pub type OnFault = Arc<dyn Fn(Activity, FaultPoint) + Send + Sync>;

/// How activities are attempted.
pub(crate) struct Attempts {
    pub(crate) services: Services,
    pub(crate) faults: Faults,
    pub(crate) holds: Vec<Hold>,
    pub(crate) on_fault: Option<OnFault>,
}

impl Attempts {
    /// Does an activity's work once: with heartbeats while it lasts, and with the fault that this
    /// attempt is due.
    ///
    /// # Errors
    /// Returns the error of `work`, or the simulated fault.
    pub(crate) async fn run<I, T>(
        &self,
        ctx: &ActivityContext,
        activity: Activity,
        input: I,
        work: impl FnOnce(&Services, I) -> Result<T, StepError> + Send + 'static,
    ) -> Result<Attempted<T>, ActivityError>
    where
        I: ForOrder + Send + 'static,
        T: Effect + Send + 'static,
    {
        let order_id = input.placement().order_id.clone();
        let attempt = ctx.info().attempt;
        let done = tokio::select! {
            done = self.work(activity, attempt, input, &order_id, work) => done,
            () = heartbeats(ctx) => unreachable!("heartbeats do not end"),
        };
        let (activity, order_id) = (activity.name(), order_id.as_str());
        match done {
            Ok(answer) => {
                let found = answer.found();
                tracing::info!(order_id, activity, attempt, found, "done");
                Ok(Attempted {
                    answer,
                    attempts: attempt,
                })
            }
            Err(error) => {
                let permanent = error.is_permanent();
                let message = error.message();
                tracing::warn!(order_id, activity, attempt, permanent, error = %message, "failed");
                Err(error.into_activity_error())
            }
        }
    }

    async fn work<I, T>(
        &self,
        activity: Activity,
        attempt: u32,
        input: I,
        order_id: &str,
        work: impl FnOnce(&Services, I) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StepError>
    where
        I: Send + 'static,
        T: Send + 'static,
    {
        let fault = self.faults.draw(order_id, activity, attempt);
        self.pass(activity, FaultPoint::Before, fault, order_id)
            .await?;
        let services = self.services.clone();
        // The inventory waits for the disk, which must not hold up the worker's other tasks.
        let answer = tokio::task::spawn_blocking(move || work(&services, input)).await??;
        self.pass(activity, FaultPoint::After, fault, order_id)
            .await?;
        Ok(answer)
    }

    async fn pass(
        &self,
        activity: Activity,
        point: FaultPoint,
        fault: Option<FaultPoint>,
        order_id: &str,
    ) -> Result<(), StepError> {
        for hold in &self.holds {
            hold.wait(activity, point, order_id).await;
        }
        if fault == Some(point) {
            if let Some(on_fault) = &self.on_fault {
                on_fault(activity, point);
            }
            let messages = activity.fault_messages();
            return Err(StepError::Fault(match point {
                FaultPoint::Before => messages.before,
                FaultPoint::After => messages.after,
            }));
        }
        Ok(())
    }
}

/// Tells the server again and again that this attempt lives, so that the server gives it up soon after
/// its worker dies, and no sooner.
async fn heartbeats(ctx: &ActivityContext) {
    let Some(timeout) = ctx.info().heartbeat_timeout else {
        return std::future::pending().await;
    };
    let pause = (timeout / BEATS_PER_TIMEOUT).max(Duration::from_millis(10));
    loop {
        // The server counts the start itself as a sign of life, so a quick activity sends none.
        tokio::time::sleep(pause).await;
        if let Err(error) = ctx.record_heartbeat(()).await {
            tracing::warn!(%error, "cannot record a heartbeat");
        }
    }
}
