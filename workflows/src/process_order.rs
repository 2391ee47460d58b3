//! The workflow.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use activities::Preparation;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{ApplicationFailure, WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{OrderInput, OrderResult, steps::Steps};

/// An order's process: check fraud, prepare shipment, charge, ship; then the supplier, where stock
/// runs low.
#[workflow]
pub struct ProcessOrder {
    input: OrderInput,
}

/// The methods a client names.
#[workflow_methods]
impl ProcessOrder {
    #[init]
    fn new(_: &WorkflowContextView, input: OrderInput) -> Self {
        Self { input }
    }

    /// Processes the order.
    #[run(name = "ProcessOrder")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderResult> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let order = input.order().map_err(not_an_order)?;
        let steps = Steps::new(ctx, order);

        steps.check_fraud().await?;
        steps.pause().await;
        if let Preparation::Duplicate { placed_at } = steps.prepare_shipment().await? {
            return Ok(OrderResult::duplicate(&order.order_id, &placed_at));
        }
        let charge = steps.charge().await?;
        let shipment = steps.ship().await?;
        let in_stock = steps.supplier_order().await?;

        Ok(OrderResult::managed(
            &order.order_id,
            charge,
            shipment,
            in_stock,
        ))
    }
}

pub(crate) fn not_an_order(reason: &str) -> ApplicationFailure {
    ApplicationFailure::builder(format!("this is no order: {reason}"))
        .type_name("InvalidOrder".to_owned())
        .non_retryable(true)
        .build()
}
