//! Killing the worker: order 37005 pauses and its worker dies; the next worker dies right after the
//! charge, and a third one finds the charge and completes the order.

use activities::Activity;
use anyhow::{Context, ensure};
use inventory::Change;
use temporalio_client::{WorkflowDescribeOptions, WorkflowQueryOptions};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::{OrderStatus, ProcessOrder};

use crate::{
    demos::checks::{check_effects, check_once, count_events, until_status},
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["37005", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-37005";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("kill-worker", "workers die in the middle of an order");
    stage.free(ORDER_ID).await?;

    // The kill does not wait for a person: the pause would not wait either.
    voice
        .scene("Place order 37005, which pauses 15 seconds, and kill its worker in the pause.")
        .await;
    let mut worker = stage.worker(&[]).await?;
    let starter = stage.starter(&ORDER)?;
    until_status(stage, ORDER_ID, OrderStatus::Pausing).await?;
    let pid = worker.pid();
    worker.kill().await?;
    check_pausing(stage).await?;
    starter.shows("Pause").await?;
    voice.checked(&format!(
        "The worker, process {pid}, was killed with SIGKILL. The order has no worker now, and its \
         pause is a timer on the server."
    ));

    voice
        .scene("Start a second worker, and kill it right after it charges the customer.")
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
    check_effects(stage, ORDER_ID, &[Change::Reserved, Change::Charged]).await?;
    starter.shows(Activity::Charge.name()).await?;
    voice.checked(&format!(
        "The second worker, process {pid}, took the order up and charged the customer. It was \
         killed before it could tell the server. The ledger has the charge:"
    ));
    stage.show_ledger(&[ORDER_ID]).await?;

    voice
        .scene("Start a third worker. As far as the server knows, it has to charge the customer.")
        .await;
    let worker = stage.worker(&[]).await?;
    check_success("the order", starter.wait().await?)?;
    let charge = found(stage, Activity::Charge).await?;
    stage.stop(worker).await?;
    check_once(stage, ORDER_ID).await?;
    voice.checked(&format!(
        "The third worker found {charge}, and the ledger still has one charge:"
    ));
    stage.show_ledger(&[ORDER_ID]).await?;

    voice.shown(&format!(
        "two workers died, but the order completed. The third found {charge} and did \
         not charge the customer again."
    ));
    Ok(())
}

/// Fails the demo unless the order is in its pause.
async fn check_pausing(stage: &Stage) -> anyhow::Result<()> {
    let order = stage.find_order(ORDER_ID).await?;
    let started = count_events(&order, EventType::TimerStarted).await?;
    let fired = count_events(&order, EventType::TimerFired).await?;
    let description = order.describe(WorkflowDescribeOptions::default()).await?;
    ensure!(
        started == 1 && fired == 0 && description.close_time().is_none(),
        "the pause was over before the worker was killed, so there is nothing to show: run the \
         demo again"
    );
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
