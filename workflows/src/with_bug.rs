//! `ProcessOrder` as a release with a bug would have it, for showing how it is mended under running
//! orders: their history stays valid, because the mended code asks for the same things up to there.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use activities::{OrderActivities, OrderTask};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{OrderInput, OrderResult, policies, process_order::not_an_order};

/// Panics after the fraud check.
#[workflow]
pub struct ProcessOrderWithBug {
    input: OrderInput,
}

/// The methods a client names.
#[workflow_methods]
impl ProcessOrderWithBug {
    #[init]
    fn new(_: &WorkflowContextView, input: OrderInput) -> Self {
        Self { input }
    }

    /// Processes the order, as far as it gets.
    #[run(name = "ProcessOrder")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderResult> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let task = OrderTask {
            order: input.order().map_err(not_an_order)?.clone(),
            submission: ctx.info().first_execution_run_id().to_owned(),
        };
        let options = policies::activity_options();
        ctx.execute_activity(OrderActivities::check_fraud, task, options)
            .await?;
        panic!("called `Option::unwrap()` on a `None` value")
    }
}
