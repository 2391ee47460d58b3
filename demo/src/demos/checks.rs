//! What demos ask of an order, and what they hold it to.

use std::collections::HashMap;

use anyhow::{bail, ensure};
use inventory::Change;
use orders::Order;
use starter::{
    follow::{self, Followed, OrderHandle, Unwatched},
    list::build,
    progress::innermost,
    submit::submit,
};
use temporalio_client::{
    WorkflowCountOptions, WorkflowDescribeOptions, WorkflowFetchHistoryOptions,
    WorkflowQueryOptions,
};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use workflows::{ORDER_STATUS, OrderOutcome, OrderProgress, OrderStatus, ProcessOrder};

use crate::stage::{Stage, check_success};

/// Places an order, and does not wait for it.
///
/// # Errors
/// Returns an error if its ID is not free, or the server does not take it.
pub async fn place(stage: &Stage, order: &Order) -> anyhow::Result<OrderHandle> {
    stage.free(&order.order_id).await?;
    let submitted = submit(&stage.client, stage.task_queue(), order).await?;
    stage
        .voice
        .quote(&format!("{} is placed: {order}", order.order_id));
    Ok(submitted.into_handle())
}

/// Waits until an order is charged and shipped, without showing its steps.
///
/// # Errors
/// Returns an error if it ends otherwise, or takes too long.
pub async fn completed(stage: &Stage, order: &OrderHandle) -> anyhow::Result<()> {
    let order_id = &order.info().workflow_id;
    let mut unwatched = Unwatched;
    let following = follow::follow(order, &mut unwatched);
    match stage
        .in_time(&format!("{order_id} to complete"), following)
        .await?
    {
        Followed::Completed(result) if result.outcome == OrderOutcome::Managed => Ok(()),
        other => bail!("{order_id} was not completed: {other:?}"),
    }
}

/// Has a starter do something, and shows what it says.
///
/// # Errors
/// Returns an error if it does not succeed.
pub async fn ask(stage: &Stage, arguments: &[&str]) -> anyhow::Result<String> {
    let said = stage.starter(arguments)?.said().await?;
    check_success(&format!("`starter {}`", arguments.join(" ")), said.status)?;
    Ok(said.text)
}

/// Has a starter try something that is to be refused for this reason.
///
/// # Errors
/// Returns an error if it succeeds, or fails for another reason.
pub async fn refused(stage: &Stage, arguments: &[&str], reason: &str) -> anyhow::Result<()> {
    let said = stage.starter(arguments)?.said().await?;
    let what = format!("`starter {}`", arguments.join(" "));
    ensure!(!said.status.success(), "{what} was not refused");
    ensure!(
        said.text.contains(reason),
        "{what} was refused, but not because {reason:?}"
    );
    Ok(())
}

/// Waits until an order of this demo reports this status.
///
/// # Errors
/// Returns an error if that takes too long.
pub async fn until_status(
    stage: &Stage,
    order_id: &str,
    status: OrderStatus,
) -> anyhow::Result<OrderProgress> {
    stage
        .until_some(&format!("{order_id} to be {status}"), async || {
            let Ok(order) = stage.find_order(order_id).await else {
                return Ok(None);
            };
            // One of this number may have been processed on this server before.
            let description = order.describe(WorkflowDescribeOptions::default()).await?;
            if description.task_queue() != stage.task_queue() {
                return Ok(None);
            }
            let options = WorkflowQueryOptions::default();
            let asked = order.query(ProcessOrder::status, ().into(), options).await;
            Ok(asked.ok().filter(|progress| progress.status == status))
        })
        .await
}

/// Waits until the server lists an order of this demo under this status. It does so a moment later
/// than the order says it.
///
/// # Errors
/// Returns an error if that takes too long.
pub async fn until_listed(
    stage: &Stage,
    order_id: &str,
    status: OrderStatus,
) -> anyhow::Result<()> {
    let query = format!(
        "WorkflowId = '{order_id}' AND TaskQueue = '{}' AND {} = '{status}'",
        stage.task_queue(),
        ORDER_STATUS.name(),
    );
    stage
        .until(
            &format!("{order_id} to be listed as {status}"),
            async || {
                let options = WorkflowCountOptions::default();
                let listed = stage.client.count_workflows(query.clone(), options).await?;
                Ok(listed.count() > 0)
            },
        )
        .await
}

/// How many events of this kind an order's history has.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn count_events(order: &OrderHandle, kind: EventType) -> anyhow::Result<usize> {
    let history = order.fetch_history(WorkflowFetchHistoryOptions::default());
    let events = history.into_events().await?;
    Ok(events
        .iter()
        .filter(|event| event.event_type() == kind)
        .count())
}

/// Fails the demo unless the ledger has exactly these lines of an order, in this order, and it all
/// adds up. The supplier's deliveries are left out: they are the shelf's, not the order's.
///
/// # Errors
/// Returns an error if the lines are different.
pub async fn check_effects(
    stage: &Stage,
    order_id: &str,
    expected: &[Change],
) -> anyhow::Result<()> {
    let effects: Vec<Change> = stage
        .inventory()
        .effects(order_id)
        .await?
        .into_iter()
        .map(|entry| entry.change)
        .filter(|change| *change != Change::Restocked)
        .collect();
    if effects != expected {
        bail!("{order_id} left {effects:?} in the ledger, and not {expected:?}");
    }
    stage.check_audit().await
}

/// Fails the demo unless all that an order shipped went to this address.
///
/// # Errors
/// Returns an error if it did not.
pub async fn check_address(stage: &Stage, order_id: &str, address: &str) -> anyhow::Result<()> {
    for entry in stage.inventory().effects(order_id).await? {
        let there = entry.address.as_deref() == Some(address);
        ensure!(
            entry.change != Change::Shipped || there,
            "{order_id} was shipped to {:?}, and not to {address:?}",
            entry.address
        );
    }
    Ok(())
}

/// The attempts that each of an order's activities took, by the activity's name.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn attempts(handle: &OrderHandle) -> anyhow::Result<HashMap<String, i32>> {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let mut names = HashMap::new();
    let mut attempts = HashMap::new();
    for event in history.into_events().await? {
        match event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                let name = scheduled.activity_type.unwrap_or_default().name;
                names.insert(event.event_id, name);
            }
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => {
                if let Some(name) = names.get(&started.scheduled_event_id) {
                    *attempts.entry(name.clone()).or_default() += started.attempt;
                }
            }
            _ => {}
        }
    }
    Ok(attempts)
}

/// Fails the demo unless the order was reserved, charged and shipped once each, and it all adds up.
///
/// # Errors
/// Returns an error that says how often each happened.
pub async fn check_once(stage: &Stage, order_id: &str) -> anyhow::Result<()> {
    let entries = stage.inventory().effects(order_id).await?;
    for change in [Change::Reserved, Change::Charged, Change::Shipped] {
        let times = entries
            .iter()
            .filter(|entry| entry.change == change)
            .count();
        ensure!(times == 1, "{order_id} was {change} {times} times");
    }
    stage.check_audit().await
}

/// The error of an order's code, if it failed.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn code_failure(handle: &OrderHandle) -> anyhow::Result<Option<String>> {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let events = history.into_events().await?;
    Ok(events
        .into_iter()
        .find_map(|event| match event.attributes? {
            Attributes::WorkflowTaskFailedEventAttributes(failed) => {
                failed.failure.as_ref().map(innermost)
            }
            _ => None,
        }))
}

/// The build that an order is on, or ended on.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn build_of(handle: &OrderHandle) -> anyhow::Result<Option<String>> {
    let description = handle.describe(WorkflowDescribeOptions::default()).await?;
    Ok(build(&description.search_attributes()))
}
