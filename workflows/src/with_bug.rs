//! `ProcessOrder` as a release with a bug would have it, for showing how it is mended under running
//! orders: their history stays valid, because the mended code asks for the same things up to there.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use activities::{OrderActivities, Payment};
use inventory::Placement;
use orders::Order;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::{
    OrderInput, OrderResult, policies,
    process_order::invalid_order,
    status::{ORDER_STATUS, OrderStatus},
};

/// Panics after the fraud check.
#[workflow]
pub struct ProcessOrderWithBug {
    order: Result<Order, String>,
}

/// The methods a client names.
#[workflow_methods]
impl ProcessOrderWithBug {
    #[init]
    fn new(ctx: &WorkflowContextView, input: OrderInput) -> Self {
        Self {
            order: input.order(ctx.workflow_id()),
        }
    }

    /// Processes the order, as far as it gets.
    #[run(name = "ProcessOrder")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderResult> {
        let order = ctx.state(|workflow| workflow.order.clone());
        let order = order.map_err(|reason| invalid_order(&reason))?;
        let task = Payment {
            placement: Placement::new(&order.order_id, ctx.info().first_execution_run_id()),
            payment_info: order.payment_info,
        };
        if ctx.search_attributes().get(&ORDER_STATUS).is_some() {
            let status = OrderStatus::CheckingFraud.to_string();
            ctx.upsert_search_attributes([ORDER_STATUS.value_set(status)]);
        }
        let options = policies::activity_options(&WorkflowCancellationToken::new(), None);
        ctx.execute_activity(OrderActivities::check_fraud, task, options)
            .await?;
        panic!("called `Option::unwrap()` on a `None` value")
    }
}
