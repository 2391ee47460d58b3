//! What every attempt at an activity has in common: heartbeats, simulated faults, places to hold at.

use std::{path::PathBuf, sync::Arc, time::Duration};

use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    Services,
    activity::Activity,
    controls::Controls,
    error::StepError,
    faults::{FaultPoint, Faults},
    hold::Hold,
    services::PAYMENTS_DOWN,
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
    /// Where the [`Controls`] are, if there are any.
    pub(crate) controls: Option<PathBuf>,
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
        work: impl AsyncFnOnce(&Services, I) -> Result<T, StepError>,
    ) -> Result<Attempted<T>, ActivityError>
    where
        I: ForOrder,
        T: Effect,
    {
        let order_id = input.placement().order_id.clone();
        let submission = input.placement().submission.clone();
        let attempt = ctx.info().attempt;
        tracing::debug!(
            order_id,
            submission,
            activity = activity.name(),
            attempt,
            "begun"
        );
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
        work: impl AsyncFnOnce(&Services, I) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let controls = self.controls();
        let (faults, hold) = match &controls {
            Some(controls) => (self.faults.at(controls.fault_rate), controls.hold()),
            None => (self.faults, None),
        };
        let fault = faults.draw(order_id, activity, attempt);
        // A service that is down fails in no other way.
        if controls.is_some_and(|controls| controls.outage(activity)) {
            return Err(StepError::Outage(PAYMENTS_DOWN));
        }
        self.pass(
            activity,
            FaultPoint::Before,
            fault,
            &hold,
            order_id,
            attempt,
        )
        .await?;
        let answer = work(&self.services, input).await?;
        self.pass(activity, FaultPoint::After, fault, &hold, order_id, attempt)
            .await?;
        Ok(answer)
    }

    /// What a person controls now. A file that cannot be read leaves the worker with what it was started
    /// with: an order is not to suffer from it.
    fn controls(&self) -> Option<Controls> {
        let file = self.controls.as_deref()?;
        Controls::read(file)
            .inspect_err(|error| {
                tracing::warn!(file = %file.display(), %error, "cannot read the controls");
            })
            .ok()
    }

    async fn pass(
        &self,
        activity: Activity,
        point: FaultPoint,
        fault: Option<FaultPoint>,
        controlled: &Option<Hold>,
        order_id: &str,
        attempt: u32,
    ) -> Result<(), StepError> {
        for hold in self.holds.iter().chain(controlled) {
            hold.wait(activity, point, order_id, attempt).await;
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
