//! The five activities as Temporal knows them.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each activity and gives it no words"
)]

use std::sync::Arc;

use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    Activity, Confirmation, Faults, Hold, OrderTask, Preparation, Restocking, Services,
    SupplierDelivery, charge, check_fraud, prepare_shipment, ship, supplier_order,
};

/// The activities of `ProcessOrder`, as a worker registers them.
pub struct OrderActivities {
    pub(crate) services: Services,
    pub(crate) faults: Faults,
    pub(crate) holds: Vec<Hold>,
    pub(crate) bug: Option<Activity>,
}

impl OrderActivities {
    /// Activities that call `services`, fail as `faults` says, and stop at each of `holds`.
    pub fn new(services: Services, faults: Faults, holds: Vec<Hold>) -> Self {
        Self {
            services,
            faults,
            holds,
            bug: None,
        }
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
    /// Refuses payment info that is known to be bad, or is none at all.
    #[activity(name = "CheckFraud")]
    pub async fn check_fraud(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<(), ActivityError> {
        self.attempt(&ctx, Activity::CheckFraud, task, check_fraud::check_fraud)
            .await
    }

    /// Reserves the stock, or finds that the order was placed before or that stock is short.
    #[activity(name = "PrepareShipment")]
    pub async fn prepare_shipment(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Preparation, ActivityError> {
        let work = prepare_shipment::prepare_shipment;
        self.attempt(&ctx, Activity::PrepareShipment, task, work)
            .await
    }

    /// Charges the order's payment info, once.
    #[activity(name = "Charge")]
    pub async fn charge(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Confirmation, ActivityError> {
        self.attempt(&ctx, Activity::Charge, task, charge::charge)
            .await
    }

    /// Hands the reserved units to the courier, once.
    #[activity(name = "Ship")]
    pub async fn ship(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: OrderTask,
    ) -> Result<Confirmation, ActivityError> {
        self.attempt(&ctx, Activity::Ship, task, ship::ship).await
    }

    /// Orders from the supplier where stock is below the minimum, or short of what is needed.
    #[activity(name = "SupplierOrder")]
    pub async fn supplier_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        restocking: Restocking,
    ) -> Result<SupplierDelivery, ActivityError> {
        let work = supplier_order::supplier_order;
        self.attempt(&ctx, Activity::SupplierOrder, restocking, work)
            .await
    }
}
