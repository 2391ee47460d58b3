//! Places an order, or finds that it was placed before.

use anyhow::{Context, anyhow, bail};
use futures::{FutureExt, future::BoxFuture};
use orders::Order;
use temporal::{NoSearchAttribute, ensure_keyword, reported};
use temporalio_client::{
    Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
    WorkflowUpdateWithStartOptions,
    errors::{WorkflowStartError, WorkflowUpdateError, WorkflowUpdateWithStartError},
};
use temporalio_common::search_attributes::SearchAttributes;
use thiserror::Error;
use workflows::{ORDER_STATUS, OrderInput, OrderProgress, OrderStatus, ProcessOrder, policies};

use crate::{
    follow::{self, OrderHandle},
    status,
};

/// What came of placing an order.
pub enum Submitted {
    /// It is placed.
    Started {
        /// The order.
        handle: OrderHandle,
        /// Why its status cannot be searched for, where it cannot.
        unlisted: Option<NoSearchAttribute>,
    },
    /// An order of this ID is under way; nothing was started.
    UnderWay(OrderHandle),
}

impl Submitted {
    /// The order, however it came to be under way.
    pub fn into_handle(self) -> OrderHandle {
        match self {
            Self::Started { handle, .. } | Self::UnderWay(handle) => handle,
        }
    }
}

/// The order is under way on another task queue, where other workers serve it.
#[derive(Debug, Error)]
#[error(
    "{order_id} is already running, on task queue {theirs:?} and not on {ours:?}: choose another order \
     number, or the same task queue"
)]
pub struct OtherQueue {
    order_id: String,
    theirs: String,
    ours: String,
}

/// Checks an order before anything is sent, as the workflow does when it starts.
///
/// # Errors
/// Returns the first rule that the order breaks.
pub fn check(order: &Order) -> anyhow::Result<()> {
    order
        .validate()
        .context("the order is invalid, and nothing was sent")
}

/// Places an order. An order that ended may be placed again: whether it is a duplicate then, or a
/// new try of one that failed, is for the worker to find from the ledger.
///
/// The order is given the search attribute for its status. Where the namespace does not know it, it
/// is registered; where that cannot be, the order goes without.
///
/// # Errors
/// Returns an error if the server does not accept the order, or an order of this ID is under way on
/// another task queue.
pub fn submit<'a>(
    client: &'a Client,
    task_queue: &'a str,
    order: &'a Order,
) -> BoxFuture<'a, anyhow::Result<Submitted>> {
    place(client, task_queue, order).boxed()
}

async fn place(client: &Client, task_queue: &str, order: &Order) -> anyhow::Result<Submitted> {
    let start = |listed| start(client, task_queue, order, listed);
    let (started, unlisted) = listed_if_possible(client, start).await;
    match started {
        Ok(handle) => Ok(Submitted::Started { handle, unlisted }),
        Err(WorkflowStartError::AlreadyStarted { .. }) => {
            under_way(client, task_queue, &order.order_id).await
        }
        Err(error) => Err(not_placed(error, &order.order_id)),
    }
}

fn not_placed(error: WorkflowStartError, order_id: &str) -> anyhow::Error {
    match error {
        WorkflowStartError::Rpc(status) => anyhow!(
            "the server does not accept {order_id}: {}",
            reported(status.message())
        ),
        error => anyhow::Error::new(error).context(format!("cannot place {order_id}")),
    }
}

/// Places an order, or asks the order of this ID how it stands. Both are one request, so it makes no difference
/// whether this call placed the order or another did. It takes a worker, which is waited for; the order is
/// placed even if none is there yet. An order that has ended is not placed again.
///
/// # Errors
/// Returns an error if the server does not accept the order, or no worker answers for one that has ended.
pub fn place_or_ask<'a>(
    client: &'a Client,
    task_queue: &'a str,
    order: &'a Order,
) -> BoxFuture<'a, anyhow::Result<(OrderHandle, OrderProgress)>> {
    place_or_be_told(client, task_queue, order).boxed()
}

async fn place_or_be_told(
    client: &Client,
    task_queue: &str,
    order: &Order,
) -> anyhow::Result<(OrderHandle, OrderProgress)> {
    let order_id = &order.order_id;
    let start = |listed| start_and_ask(client, task_queue, order, listed);
    let answer = match listed_if_possible(client, start).await.0 {
        Ok(answer) => answer,
        Err(WorkflowStartError::AlreadyStarted { .. }) => Err(None),
        Err(error) => return Err(not_placed(error, order_id)),
    };
    let handle = follow::find(client, order_id).await?;
    let progress = match answer {
        Ok(progress) => progress,
        Err(None) => status::ask(&handle).await?,
        Err(Some(error)) => {
            return Err(error).with_context(|| format!("{order_id} does not say how it stands"));
        }
    };
    Ok((handle, progress))
}

/// Starts an order with the search attribute for its status, which is registered if the namespace does not know
/// it. Where that cannot be, the order goes without, and the reason is returned, too.
async fn listed_if_possible<T, F>(
    client: &Client,
    start: impl Fn(bool) -> F,
) -> (Result<T, WorkflowStartError>, Option<NoSearchAttribute>)
where
    F: Future<Output = Result<T, WorkflowStartError>>,
{
    let mut started = start(true).await;
    let mut unlisted = None;
    if lacks_search_attribute(&started) {
        unlisted = ensure_keyword(client, ORDER_STATUS.name()).await.err();
        if unlisted.is_none() {
            started = start(true).await;
        }
        if lacks_search_attribute(&started) {
            unlisted.get_or_insert_with(|| NoSearchAttribute::NotYet {
                namespace: client.options().namespace.clone(),
                name: ORDER_STATUS.name().to_owned(),
            });
            started = start(false).await;
        }
    }
    (started, unlisted)
}

fn lacks_search_attribute<T>(started: &Result<T, WorkflowStartError>) -> bool {
    matches!(started, Err(WorkflowStartError::Rpc(status)) if status.message().contains(ORDER_STATUS.name()))
}

async fn start(
    client: &Client,
    task_queue: &str,
    order: &Order,
    listed: bool,
) -> Result<OrderHandle, WorkflowStartError> {
    let received = ORDER_STATUS.value_set(OrderStatus::Received.to_string());
    let options = WorkflowStartOptions::new(task_queue, &order.order_id)
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
        .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
        .static_summary(order.to_string())
        .maybe_search_attributes(listed.then(|| SearchAttributes::new([received])))
        .build();
    let input = OrderInput::from(order.clone());
    let handle = client
        .start_workflow(ProcessOrder::run, input, options)
        .await?;
    Ok(OrderHandle::new(client.clone(), handle.info().clone()))
}

/// The answer of the order, or `None` if it ended before it could answer.
type Answered = Result<OrderProgress, Option<WorkflowUpdateWithStartError>>;

async fn start_and_ask(
    client: &Client,
    task_queue: &str,
    order: &Order,
    listed: bool,
) -> Result<Answered, WorkflowStartError> {
    let received = ORDER_STATUS.value_set(OrderStatus::Received.to_string());
    let options = WorkflowUpdateWithStartOptions::new(
        task_queue,
        &order.order_id,
        WorkflowIdConflictPolicy::UseExisting,
    )
    .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
    .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
    .static_summary(order.to_string())
    .maybe_search_attributes(listed.then(|| SearchAttributes::new([received])))
    .build();
    let answer = client.execute_update_with_start_workflow(
        ProcessOrder::run,
        OrderInput::from(order.clone()),
        ProcessOrder::how_it_stands,
        ().into(),
        options,
    );
    match answer.await {
        Ok(progress) => Ok(Ok(progress)),
        Err(WorkflowUpdateWithStartError::Start(error)) => Err(error),
        Err(WorkflowUpdateWithStartError::Update(WorkflowUpdateError::NotFound(_))) => {
            Ok(Err(None))
        }
        Err(error) => Ok(Err(Some(error))),
    }
}

async fn under_way(client: &Client, task_queue: &str, order_id: &str) -> anyhow::Result<Submitted> {
    let handle = follow::find(client, order_id).await?;
    let there = handle
        .describe(Default::default())
        .await
        .context("cannot look up the running order")?;
    if there.task_queue() != task_queue {
        bail!(OtherQueue {
            order_id: order_id.to_owned(),
            theirs: there.task_queue().to_owned(),
            ours: task_queue.to_owned(),
        });
    }
    Ok(Submitted::UnderWay(handle))
}
