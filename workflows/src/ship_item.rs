//! The shipment of one item as a workflow of its own.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use activities::{Attempted, OrderActivities, Shipping};
use inventory::Confirmation;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityExecutionError, WorkflowContext, WorkflowResult, WorkflowTermination,
};

use crate::{policies, stopped::Stopped};

/// Ships one item of an order. It has a history of its own, so a part of a large order can be
/// inspected, and retried, on its own.
#[workflow]
#[derive(Default)]
pub struct ShipItem;

/// The methods a client names.
#[workflow_methods]
impl ShipItem {
    /// Ships the item.
    #[run(name = "ShipItem")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        shipping: Shipping,
    ) -> WorkflowResult<Attempted<Confirmation>> {
        let options = policies::activity_options(&ctx.cancellation_token(), None);
        let shipped = ctx
            .execute_activity(OrderActivities::ship, shipping, options)
            .await;
        shipped.map_err(|error| match error {
            ActivityExecutionError::Cancelled(_) => WorkflowTermination::cancelled(),
            error => Stopped::from(error).into_failure().into(),
        })
    }
}
