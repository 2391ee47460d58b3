//! Killing the worker: order 37005 pauses and its worker dies; the next worker dies right after the
//! charge, and a third one finds the charge and completes the order.

use activities::Activity;
use anyhow::{Context, ensure};
use temporalio_client::WorkflowQueryOptions;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::{OrderStatus, ProcessOrder};

use crate::{
    demos::checks::{check_once, count_events, until_status},
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["37005", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-37005";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("kill-worker", "workers die in the middle of an order");
    stage.free(ORDER_ID).await?;

    voice.scene("A worker starts.").await;
    let mut worker = stage.worker(&[]).await?;

    voice
        .scene("A customer places order 37005. It pauses 15 seconds after the fraud check.")
        .await;
    let starter = stage.starter(&ORDER)?;
    until_status(stage, ORDER_ID, OrderStatus::Pausing).await?;

    let pid = worker.pid();
    worker.kill().await?;
    let order = stage.find_order(ORDER_ID).await?;
    let timers = count_events(&order, EventType::TimerStarted).await?;
    ensure!(timers == 1, "the server has {timers} timers of the order");
    voice
        .scene(&format!(
            "The worker, process {pid}, was killed with SIGKILL. Nobody runs the order now."
        ))
        .await;
    stage.show_inventory()?;
    voice.say("The starter keeps waiting, and the timer keeps running on the server.");

    voice
        .scene("A second worker starts. It knows nothing of the order.")
        .await;
    let (mut worker, charged) = stage.worker_held_at("Charge:after", &[]).await?;
    stage
        .until("the second worker to charge the customer", async || {
            worker.check_running()?;
            Ok(charged.exists())
        })
        .await?;
    let pid = worker.pid();
    worker.kill().await?;
    voice
        .scene(&format!(
            "The second worker, process {pid}, took the order up and charged the customer.\n\
             It was killed before it could tell the server. The ledger has the charge:"
        ))
        .await;
    stage.show_ledger()?;

    voice
        .scene("A third worker starts. It has to charge the customer, as far as the server knows.")
        .await;
    let worker = stage.worker(&[]).await?;
    check_success("the order", starter.wait().await?)?;

    voice
        .scene("The inventory and the ledger after the order.")
        .await;
    stage.show_books()?;
    let charge = found(stage, Activity::Charge).await?;
    worker.stop().await?;

    check_once(stage, ORDER_ID)?;
    voice.shown(&format!(
        "two workers died, but the order completed. The third found {charge} and did \
         not charge the customer again."
    ));
    Ok(())
}

/// The confirmation of a step whose effect was found from an earlier attempt.
async fn found(stage: &Stage, activity: Activity) -> anyhow::Result<String> {
    let order = stage.find_order(ORDER_ID).await?;
    let options = WorkflowQueryOptions::default();
    let progress = order
        .query(ProcessOrder::status, ().into(), options)
        .await?;
    let mut steps = progress.steps.into_iter();
    let step = steps.find(|it| it.step == activity && it.found);
    step.and_then(|it| it.confirmation)
        .with_context(|| format!("{} was not found from an earlier attempt", activity.name()))
}
