//! An order under the type name `InventoryTask`, by which the Go demo's worker knows `ProcessOrder` as well.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{ChildWorkflowOptions, WorkflowContext, WorkflowResult, WorkflowTermination};

use crate::{Answer, OrderInput, ProcessOrder, policies, process_order::invalid_order};

/// Runs `ProcessOrder` as a child workflow, whose ID is the order's, and returns its answer. The SDK
/// registers a workflow under one type name only.
#[workflow]
#[derive(Default)]
pub struct InventoryTask;

/// The methods a client names.
#[workflow_methods]
impl InventoryTask {
    /// Processes the order.
    #[run(name = "InventoryTask")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, input: OrderInput) -> WorkflowResult<Answer> {
        let in_go = input.is_spelled_as_in_go();
        let order = input.order(ctx.workflow_id());
        let order = order.map_err(|reason| invalid_order(&reason))?;
        let order_id = order.order_id.clone();
        let options = ChildWorkflowOptions::builder()
            .workflow_id(order_id.clone())
            .cancellation_token(ctx.cancellation_token())
            .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
            .static_summary(order.to_string())
            .build();
        let child = ctx
            .start_child_workflow(ProcessOrder::run, order, options)
            .await?;
        let answer = match child.result().await {
            Err(_) if ctx.cancellation_token().is_cancelled() => {
                return Err(WorkflowTermination::cancelled());
            }
            answered => answered?,
        };
        Ok(Answer::to(in_go, answer.into_result(&order_id)))
    }
}
