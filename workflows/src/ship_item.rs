//! The shipment of one item as a workflow of its own, and its undoing.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::fmt::Display;

use activities::{Attempted, OrderActivities, Shipping, Undone};
use inventory::Confirmation;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityExecutionError, ApplicationFailure, WorkflowContext, WorkflowResult,
    WorkflowTermination,
};

use crate::{Lenient, patches, policies, stopped::Stopped};

/// Ships one item of an order. It has a history of its own, so a part of a large order can be
/// inspected, and retried, on its own.
#[workflow]
#[derive(Default)]
pub struct ShipItem;

/// The methods a client names.
#[workflow_methods]
impl ShipItem {
    /// Ships the item. Fails if the input cannot be read or a field is above its limit.
    #[run(name = "ShipItem")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        shipping: Lenient<Shipping>,
    ) -> WorkflowResult<Attempted<Confirmation>> {
        let shipping = shipping.read().map_err(|error| invalid_shipment(&error))?;
        match shipping.check_limits() {
            Err(error) if ctx.patched(patches::LIMITS) => Err(invalid_shipment(&error))?,
            _ => {}
        }
        let options = policies::activity_options(&ctx.cancellation_token(), None);
        let shipped = ctx
            .execute_activity(OrderActivities::ship, shipping, options)
            .await;
        shipped.map_err(ended)
    }
}

/// Calls one item of an order back: what undoes [`ShipItem`] for those who cannot run its activity themselves.
#[workflow]
#[derive(Default)]
pub struct RecallItem;

/// The methods a client names.
#[workflow_methods]
impl RecallItem {
    /// Calls the item back. Fails if the input cannot be read or a field is above its limit.
    #[run(name = "RecallItem")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        shipping: Lenient<Shipping>,
    ) -> WorkflowResult<Attempted<Undone>> {
        let shipping = shipping.read().map_err(|error| invalid_shipment(&error))?;
        shipping
            .check_limits()
            .map_err(|error| invalid_shipment(&error))?;
        let options = policies::activity_options(&ctx.cancellation_token(), None);
        let recalled = ctx
            .execute_activity(OrderActivities::recall, shipping, options)
            .await;
        recalled.map_err(ended)
    }
}

fn ended(error: ActivityExecutionError) -> WorkflowTermination {
    match error {
        ActivityExecutionError::Cancelled(_) => WorkflowTermination::cancelled(),
        error => Stopped::from(error).into_failure().into(),
    }
}

fn invalid_shipment(reason: &impl Display) -> ApplicationFailure {
    ApplicationFailure::builder(format!("invalid shipment: {reason}"))
        .type_name("InvalidShipment".to_owned())
        .non_retryable(true)
        .build()
}
