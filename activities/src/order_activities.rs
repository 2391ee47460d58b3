//! The activities as Temporal knows them.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each activity and gives it no words"
)]

use std::sync::Arc;

use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    Activity, Attempted, Checked, Confirmation, Faults, Hold, OrderTask, Preparation, Released,
    Restocking, Services, Shelf, Shipping, SupplierDelivery, Undone, charge, check_fraud,
    faults::FaultPoint, look_up_items, prepare_shipment, recall, refund, release, ship,
    supplier_order,
};

/// The activities of `ProcessOrder`, as a worker registers them.
pub struct OrderActivities {
    pub(crate) services: Services,
    pub(crate) faults: Faults,
    pub(crate) holds: Vec<Hold>,
    pub(crate) bug: Option<Activity>,
    pub(crate) on_fault: Option<OnFault>,
}

/// Called at each simulated fault.
pub type OnFault = Arc<dyn Fn(Activity, FaultPoint) + Send + Sync>;

impl OrderActivities {
    /// Activities that call `services`, fail as `faults` says, and stop at each of `holds`.
    pub fn new(services: Services, faults: Faults, holds: Vec<Hold>) -> Self {
        Self {
            services,
            faults,
            holds,
            bug: None,
            on_fault: None,
        }
    }

    /// The same activities, which tell of each fault that they simulate.
    pub fn with_on_fault(mut self, on_fault: OnFault) -> Self {
        self.on_fault = Some(on_fault);
        self
    }

    /// The same activities, one of them with a bug: it panics at each attempt. For showing how an
    /// order waits for the code to be mended.
    pub fn with_bug(mut self, activity: Activity) -> Self {
        self.bug = Some(activity);
        self
    }
}

/// The workflow names these definitions; the work itself is in one file for each.
#[activities]
impl OrderActivities {
    /// Refuses payment info that is known to be bad, or is none at all. The answer is `None` in
    /// histories from before attempts were told.
    #[activity(name = "CheckFraud")]
    pub async fn check_fraud(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Option<Attempted<Checked>>, ActivityError> {
        self.attempt(&ctx, Activity::CheckFraud, task, check_fraud::check_fraud)
            .await
            .map(Some)
    }

    /// Reserves the stock, or finds that the order was placed before or that stock is short.
    #[activity(name = "PrepareShipment")]
    pub async fn prepare_shipment(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Attempted<Preparation>, ActivityError> {
        self.attempt(
            &ctx,
            Activity::PrepareShipment,
            task,
            prepare_shipment::prepare_shipment,
        )
        .await
    }

    /// Charges the order's payment info, once.
    #[activity(name = "Charge")]
    pub async fn charge(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Attempted<Confirmation>, ActivityError> {
        let attempt = ctx.info().attempt;
        self.attempt(&ctx, Activity::Charge, task, move |services, task| {
            charge::charge(services, task, attempt)
        })
        .await
    }

    /// Hands one of the order's items to the courier, once.
    #[activity(name = "Ship")]
    pub async fn ship(
        self: Arc<Self>,
        ctx: ActivityContext,
        shipping: Shipping,
    ) -> Result<Attempted<Confirmation>, ActivityError> {
        self.attempt(&ctx, Activity::Ship, shipping, ship::ship)
            .await
    }

    /// Orders from the supplier where stock is below the minimum, or short of what is needed.
    #[activity(name = "SupplierOrder")]
    pub async fn supplier_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        restocking: Restocking,
    ) -> Result<Attempted<SupplierDelivery>, ActivityError> {
        self.attempt(
            &ctx,
            Activity::SupplierOrder,
            restocking,
            supplier_order::supplier_order,
        )
        .await
    }

    /// Says what is in stock of the order's items.
    #[activity(name = "LookUpItems")]
    pub async fn look_up_items(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Attempted<Shelf>, ActivityError> {
        self.attempt(
            &ctx,
            Activity::LookUpItems,
            task,
            look_up_items::look_up_items,
        )
        .await
    }

    /// Undoes [`Self::ship`], once.
    #[activity(name = "Recall")]
    pub async fn recall(
        self: Arc<Self>,
        ctx: ActivityContext,
        shipping: Shipping,
    ) -> Result<Attempted<Undone>, ActivityError> {
        self.attempt(&ctx, Activity::Recall, shipping, recall::recall)
            .await
    }

    /// Undoes [`Self::charge`], once.
    #[activity(name = "Refund")]
    pub async fn refund(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Attempted<Undone>, ActivityError> {
        self.attempt(&ctx, Activity::Refund, task, refund::refund)
            .await
    }

    /// Undoes [`Self::prepare_shipment`], once.
    #[activity(name = "Release")]
    pub async fn release(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Attempted<Released>, ActivityError> {
        self.attempt(&ctx, Activity::Release, task, release::release)
            .await
    }
}
