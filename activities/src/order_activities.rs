//! The activities as Temporal knows them.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each activity and gives it no words"
)]

use std::{path::PathBuf, sync::Arc};

use inventory::{Confirmation, Delivery, Placement, Released};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    Activity, Attempted, Checked, Faults, Hold, Payment, Preparation, Reserving, Restocking,
    Services, Shelf, Shipping, Undone,
    attempt::{Attempts, OnFault},
};

/// The activities of `ProcessOrder`, as a worker registers them.
pub struct OrderActivities {
    attempts: Attempts,
}

impl OrderActivities {
    /// Activities that call `services`, fail as `faults` says, and stop at each of `holds`.
    pub fn new(services: Services, faults: Faults, holds: Vec<Hold>) -> Self {
        Self {
            attempts: Attempts {
                services,
                faults,
                holds,
                controls: None,
                on_fault: None,
            },
        }
    }

    /// The same activities, which do as the [`Controls`](crate::Controls) in this file say at each attempt.
    pub fn with_controls(mut self, file: Option<PathBuf>) -> Self {
        self.attempts.controls = file;
        self
    }

    /// The same activities, which call `on_fault` at each fault that they simulate.
    pub fn with_on_fault(mut self, on_fault: OnFault) -> Self {
        self.attempts.on_fault = Some(on_fault);
        self
    }
}

/// Each activity calls one service; what they have in common is in [`crate::attempt`].
#[activities]
impl OrderActivities {
    /// Refuses payment info that is known to be bad, or is missing. The answer is `None` in
    /// histories from before attempts were counted.
    #[activity(name = "CheckFraud")]
    pub async fn check_fraud(
        self: Arc<Self>,
        ctx: ActivityContext,
        payment: Payment,
    ) -> Result<Option<Attempted<Checked>>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::CheckFraud,
                payment,
                async |services, payment| {
                    services.fraud_detection.check(&payment)?;
                    let inventory = Some(services.inventory.identity().await?);
                    Ok(Checked { inventory })
                },
            )
            .await
            .map(Some)
    }

    /// Reserves the stock, or finds that the order was placed before or that stock is short.
    #[activity(name = "PrepareShipment")]
    pub async fn prepare_shipment(
        self: Arc<Self>,
        ctx: ActivityContext,
        reserving: Reserving,
    ) -> Result<Attempted<Preparation>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::PrepareShipment,
                reserving,
                async |services, it| services.warehouse.reserve(&it).await,
            )
            .await
    }

    /// Charges the order's payment info, once.
    #[activity(name = "Charge")]
    pub async fn charge(
        self: Arc<Self>,
        ctx: ActivityContext,
        payment: Payment,
    ) -> Result<Attempted<Confirmation>, ActivityError> {
        let attempt = ctx.info().attempt;
        self.attempts
            .run(
                &ctx,
                Activity::Charge,
                payment,
                async move |services, payment| services.payments.charge(&payment, attempt).await,
            )
            .await
    }

    /// Hands one of the order's items to the courier, once.
    #[activity(name = "Ship")]
    pub async fn ship(
        self: Arc<Self>,
        ctx: ActivityContext,
        shipping: Shipping,
    ) -> Result<Attempted<Confirmation>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::Ship,
                shipping,
                async |services, shipping| services.warehouse.ship(&shipping).await,
            )
            .await
    }

    /// Orders from the supplier if stock is below the minimum, or short of what is needed.
    #[activity(name = "SupplierOrder")]
    pub async fn supplier_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        restocking: Restocking,
    ) -> Result<Attempted<Delivery>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::SupplierOrder,
                restocking,
                async |services, it| services.supplier.deliver(&it).await,
            )
            .await
    }

    /// Says what is in stock of the order's items.
    #[activity(name = "LookUpItems")]
    pub async fn look_up_items(
        self: Arc<Self>,
        ctx: ActivityContext,
        reserving: Reserving,
    ) -> Result<Attempted<Shelf>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::LookUpItems,
                reserving,
                async |services, it| services.warehouse.look_up(&it).await,
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
        self.attempts
            .run(
                &ctx,
                Activity::Recall,
                shipping,
                async |services, shipping| services.warehouse.recall(&shipping).await,
            )
            .await
    }

    /// Undoes [`Self::charge`], once.
    #[activity(name = "Refund")]
    pub async fn refund(
        self: Arc<Self>,
        ctx: ActivityContext,
        placement: Placement,
    ) -> Result<Attempted<Undone>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::Refund,
                placement,
                async |services, placement| services.payments.refund(&placement).await,
            )
            .await
    }

    /// Undoes [`Self::prepare_shipment`], once.
    #[activity(name = "Release")]
    pub async fn release(
        self: Arc<Self>,
        ctx: ActivityContext,
        placement: Placement,
    ) -> Result<Attempted<Released>, ActivityError> {
        self.attempts
            .run(
                &ctx,
                Activity::Release,
                placement,
                async |services, placement| services.warehouse.release(&placement).await,
            )
            .await
    }
}
