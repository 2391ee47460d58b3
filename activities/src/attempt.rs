//! What every attempt at an activity has in common.

use std::{str::FromStr, time::Duration};

use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    OrderActivities, Services, charge, check_fraud,
    error::StepError,
    faults::{FaultMessages, FaultPoint},
    look_up_items, prepare_shipment, recall, refund, release, ship, supplier_order,
    task::{Attempted, ForOrder},
};

/// How many heartbeats fit into a heartbeat timeout. With six, several may be late on a busy
/// machine before a living activity is taken for dead.
const BEATS_PER_TIMEOUT: u32 = 6;

/// One of the activities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Is the payment info to be trusted?
    CheckFraud,
    /// Set the units aside.
    PrepareShipment,
    /// Take the payment.
    Charge,
    /// Hand the units to the courier.
    Ship,
    /// Fill the shelf.
    SupplierOrder,
    /// See what is on the shelf.
    LookUpItems,
    /// Call units back from the courier.
    Recall,
    /// Give the payment back.
    Refund,
    /// Put the units back.
    Release,
}

impl Activity {
    /// All of them: the five steps of every order as they are run, then the others.
    pub const ALL: [Self; 9] = [
        Self::CheckFraud,
        Self::PrepareShipment,
        Self::Charge,
        Self::Ship,
        Self::SupplierOrder,
        Self::LookUpItems,
        Self::Recall,
        Self::Refund,
        Self::Release,
    ];

    /// The activity type's name on the Temporal server.
    pub fn name(self) -> &'static str {
        match self {
            Self::CheckFraud => "CheckFraud",
            Self::PrepareShipment => "PrepareShipment",
            Self::Charge => "Charge",
            Self::Ship => "Ship",
            Self::SupplierOrder => "SupplierOrder",
            Self::LookUpItems => "LookUpItems",
            Self::Recall => "Recall",
            Self::Refund => "Refund",
            Self::Release => "Release",
        }
    }

    /// How it fails at random.
    pub fn fault_messages(self) -> FaultMessages {
        match self {
            Self::CheckFraud => check_fraud::FAULTS,
            Self::PrepareShipment => prepare_shipment::FAULTS,
            Self::Charge => charge::FAULTS,
            Self::Ship => ship::FAULTS,
            Self::SupplierOrder => supplier_order::FAULTS,
            Self::LookUpItems => look_up_items::FAULTS,
            Self::Recall => recall::FAULTS,
            Self::Refund => refund::FAULTS,
            Self::Release => release::FAULTS,
        }
    }
}

/// A name that is no activity's.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is none of the activities {names}", names = Activity::ALL.map(Activity::name).join(", "))]
pub struct UnknownActivity(String);

impl FromStr for Activity {
    type Err = UnknownActivity;

    fn from_str(name: &str) -> Result<Self, UnknownActivity> {
        Self::ALL
            .into_iter()
            .find(|activity| activity.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownActivity(name.to_owned()))
    }
}

impl OrderActivities {
    /// Does an activity's work once: with heartbeats while it lasts, and with the fault that this
    /// attempt is due.
    ///
    /// # Errors
    /// What `work` says, or the simulated fault.
    pub(crate) async fn attempt<I, T>(
        &self,
        ctx: &ActivityContext,
        activity: Activity,
        input: I,
        work: impl FnOnce(&Services, I) -> Result<T, StepError> + Send + 'static,
    ) -> Result<Attempted<T>, ActivityError>
    where
        I: ForOrder + Send + 'static,
        T: Send + 'static,
    {
        let order_id = input.order_id().to_owned();
        let attempt = ctx.info().attempt;
        let done = tokio::select! {
            done = self.work(activity, attempt, input, &order_id, work) => done,
            () = heartbeats(ctx) => unreachable!("heartbeats do not end"),
        };
        let (activity, order_id) = (activity.name(), order_id.as_str());
        match done {
            Ok(answer) => {
                tracing::info!(order_id, activity, attempt, "done");
                Ok(Attempted {
                    answer,
                    attempts: attempt,
                })
            }
            Err(error) => {
                let permanent = error.is_permanent();
                tracing::warn!(order_id, activity, attempt, permanent, %error, "failed");
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
        let broken = self.bug == Some(activity);
        // The inventory waits for the disk, which must not hold up the worker's other tasks.
        let answer = tokio::task::spawn_blocking(move || {
            assert!(
                !broken,
                "index out of bounds: the len is 0 but the index is 0"
            );
            work(&services, input)
        })
        .await??;
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

/// Tells the server, over and over, that this attempt lives, so that it is given up soon after the
/// worker dies and not before.
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
