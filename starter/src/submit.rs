//! Places an order, or finds that it is under way.

use anyhow::{Context, bail};
use inventory::Order;
use temporalio_client::{
    Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
    errors::WorkflowStartError,
};
use workflows::{OrderInput, ProcessOrder, policies};

use crate::follow::{self, OrderHandle};

/// What came of placing an order.
pub enum Submitted {
    /// It is placed.
    Started(OrderHandle),
    /// An order of this ID is under way; nothing was started.
    UnderWay(OrderHandle),
}

impl Submitted {
    /// The order, however it came to be under way.
    pub fn into_handle(self) -> OrderHandle {
        match self {
            Self::Started(handle) | Self::UnderWay(handle) => handle,
        }
    }
}

/// Places an order. An order that ended may be placed again: whether it is a duplicate then, or a
/// new try of one that failed, is for the worker to find from the ledger.
///
/// # Errors
/// Where the server does not take it, or an order of this ID is under way on another task queue.
pub async fn submit(client: &Client, task_queue: &str, order: &Order) -> anyhow::Result<Submitted> {
    let options = WorkflowStartOptions::new(task_queue, &order.order_id)
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
        .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
        .static_summary(order.to_string())
        .build();
    let input = OrderInput::from(order.clone());
    match client
        .start_workflow(ProcessOrder::run, input, options)
        .await
    {
        Ok(handle) => Ok(Submitted::Started(OrderHandle::new(
            client.clone(),
            handle.info().clone(),
        ))),
        Err(WorkflowStartError::AlreadyStarted { .. }) => {
            let handle = follow::find(client, &order.order_id).await?;
            let there = handle
                .describe(Default::default())
                .await
                .context("cannot look up the order that is under way")?;
            if there.task_queue() != task_queue {
                bail!(
                    "{} is under way already, on task queue {:?} and not on {task_queue:?}: \
                     choose another order number, or the same task queue",
                    order.order_id,
                    there.task_queue(),
                );
            }
            Ok(Submitted::UnderWay(handle))
        }
        Err(error) => Err(error).with_context(|| format!("cannot place {}", order.order_id)),
    }
}
