//! Killing the worker: order 37005 pauses, its worker dies, and a new one goes on with it.

use temporalio_client::{WorkflowDescribeOptions, WorkflowFetchHistoryOptions, WorkflowHistory};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::{
    demos::checks::check_once,
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["37005", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-37005";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("kill-worker", "the worker dies in the middle of an order");
    stage.free(ORDER_ID).await?;

    voice.scene("A worker starts.").await;
    let mut worker = stage.worker(&[]).await?;

    voice
        .scene("A customer places order 37005. It pauses 15 seconds after the fraud check.")
        .await;
    let starter = stage.starter(&ORDER)?;
    stage
        .until("the order to pause", async || {
            let Ok(order) = stage.find_order(ORDER_ID).await else {
                return Ok(false);
            };
            // One of this number may have been processed on this server before.
            let description = order.describe(WorkflowDescribeOptions::default()).await?;
            if description.task_queue() != stage.task_queue() {
                return Ok(false);
            }
            let history: WorkflowHistory =
                order.fetch_history(WorkflowFetchHistoryOptions::default());
            let events = history.into_events().await?;
            let paused = |kind| events.iter().any(|event| event.event_type() == kind);
            Ok(paused(EventType::TimerStarted))
        })
        .await?;

    let pid = worker.pid();
    voice
        .scene(&format!(
            "The worker, process {pid}, is killed with SIGKILL. Nobody runs the order now."
        ))
        .await;
    worker.kill().await?;
    stage.show_inventory()?;
    voice.say("The starter goes on waiting, and the pause goes on on the server.");

    voice
        .scene("A new worker starts. It has never heard of the order.")
        .await;
    let worker = stage.worker(&[]).await?;
    voice.say(&format!("It is process {}.", worker.pid()));
    check_success("the order", starter.wait().await?)?;

    voice
        .scene("The inventory and the ledger after the order.")
        .await;
    stage.show_inventory()?;
    stage.show_ledger()?;
    worker.stop().await?;

    check_once(stage, ORDER_ID)?;
    voice.shown("the worker died, the order did not; no step was done twice.");
    Ok(())
}
