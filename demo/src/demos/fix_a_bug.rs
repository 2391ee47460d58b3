//! Fixing a bug under running orders: they wait for a worker with the fix, and none fails.

use starter::{follow::OrderHandle, progress::innermost};
use temporalio_client::WorkflowDescribeOptions;

use crate::{
    demos::checks::{check_once, code_failure, completed, place},
    sample::numbered_order,
    stage::Stage,
};

const ORDERS: u32 = 3;

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title(
        "fix-a-bug",
        "a bug is fixed while orders are running, and none of them fails",
    );

    voice
        .scene("Place three orders with a release that has a bug: its activity Ship panics.")
        .await;
    fixed(stage, "activity", 2001, in_an_activity).await?;
    voice
        .scene("Place three orders with a release whose workflow code panics.")
        .await;
    fixed(stage, "workflow", 2101, code_failure).await?;

    let all = 2 * ORDERS;
    voice.shown(&format!(
        "{all} orders were stuck on two bugs; {all} completed, 0 failed."
    ));
    Ok(())
}

/// Lets orders get stuck on a bug, and fixes it.
async fn fixed(
    stage: &mut Stage,
    bug: &str,
    first: u32,
    hangs: impl AsyncFn(&OrderHandle) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    let bad = stage.worker(&["--bug", bug, "--fault-rate", "0"]).await?;
    let orders = placed(stage, first).await?;
    for order in &orders {
        let error = stage
            .until_some("the order to be stuck", async || hangs(order).await)
            .await?;
        voice.checked(&format!("{} is stuck: {error}", order.info().workflow_id));
    }
    // It makes no further attempt, so that the orders wait for the worker with the fix, and not for a retry.
    stage.stop(bad).await?;
    voice.scene("Replace the worker by one with the fix.").await;
    let good = stage.worker(&["--fault-rate", "0"]).await?;
    for order in &orders {
        completed(stage, order).await?;
        let order_id = &order.info().workflow_id;
        check_once(stage, order_id).await?;
        voice.checked(&format!("{order_id} is completed."));
    }
    stage.stop(good).await
}

/// Places the orders from this number on.
async fn placed(stage: &Stage, first: u32) -> anyhow::Result<Vec<OrderHandle>> {
    let mut handles = Vec::new();
    for number in first..first + ORDERS {
        handles.push(place(stage, &numbered_order(number, 10)).await?);
    }
    Ok(handles)
}

/// The last error of an activity that panics.
async fn in_an_activity(handle: &OrderHandle) -> anyhow::Result<Option<String>> {
    let description = handle.describe(WorkflowDescribeOptions::default()).await?;
    let mut pending = description.raw().pending_activities.iter();
    Ok(pending.find_map(|activity| activity.last_failure.as_ref().map(innermost)))
}
