//! Approval: a large order waits for a person, and not for ever.

use anyhow::ensure;
use orders::{ApprovalRule, Order};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::OrderStatus;

use crate::{
    demos::checks::{
        ask, check_effects, check_once, completed, count_events, place, refused, until_status,
    },
    process::StarterProcess,
    sample::numbered_order,
    stage::{Stage, check_success},
};

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("approval", "a large order waits for a person's approval");
    for order_id in ["order-3201", "order-3202", "order-3203"] {
        stage.free(order_id).await?;
    }
    let (worker, hold) = stage
        .worker_held_at("PrepareShipment:before", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("Place an order of 600 units, of which more than 500 need approval.")
        .await;
    let starter = large_order(stage, "3201", "10m")?;
    until_status(stage, "order-3201", OrderStatus::AwaitingApproval).await?;
    voice.checked("order-3201 waits for approval.");
    voice.scene("Approve it, and approve it once more.").await;
    ask(stage, &["approve", "order-3201"]).await?;
    stage.until_held("the order to go on", &hold).await?;
    let twice = ["approve", "order-3201"];
    refused(stage, &twice, "the order was approved already").await?;
    std::fs::remove_file(&hold)?;
    check_success("order-3201", starter.wait().await?)?;
    check_once(stage, "order-3201").await?;

    voice
        .scene("Place another large order, and reject it.")
        .await;
    let starter = large_order(stage, "3202", "10m")?;
    until_status(stage, "order-3202", OrderStatus::AwaitingApproval).await?;
    let reason = "too many for a new customer";
    ask(stage, &["reject", "order-3202", "--reason", reason]).await?;
    rejected(stage, starter, "order-3202", reason).await?;

    voice
        .scene("Place a large order that waits 2 seconds, and do not decide.")
        .await;
    let starter = large_order(stage, "3203", "2s")?;
    let reason = "nobody decided within 2 seconds";
    rejected(stage, starter, "order-3203", reason).await?;

    voice.scene("Place an order of 10 units.").await;
    let small = Order {
        approval: Some(ApprovalRule {
            above_quantity: 500,
            within_seconds: 600,
        }),
        ..numbered_order(3204, 10)
    };
    let order = place(stage, &small).await?;
    completed(stage, &order).await?;
    let timers = count_events(&order, EventType::TimerStarted).await?;
    ensure!(timers == 0, "order-3204 waited for something");
    check_once(stage, "order-3204").await?;
    voice.checked("order-3204 needed no approval, and is completed.");
    stage.stop(worker).await?;

    voice.shown(
        "one order was approved, one was rejected, one was not decided in time, and one needed no \
         approval.",
    );
    Ok(())
}

fn large_order(stage: &Stage, number: &str, within: &str) -> anyhow::Result<StarterProcess> {
    let order = [number, "123456", "600", "VISA-123456"];
    let approval = ["--approval-above", "500", "--approval-within", within];
    stage.starter(&[&order[..], &approval[..]].concat())
}

/// Waits until an order has ended without approval, which changed nothing in the world.
async fn rejected(
    stage: &Stage,
    starter: StarterProcess,
    order_id: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let said = starter.said().await?;
    ensure!(!said.status.success(), "{order_id} was not rejected");
    ensure!(
        said.text.contains("rejected:") && said.text.contains(reason),
        "{order_id} does not say why it was rejected"
    );
    check_effects(stage, order_id, &[]).await?;
    stage
        .voice
        .checked(&format!("{order_id} left nothing in the ledger."));
    Ok(())
}
