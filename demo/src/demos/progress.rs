//! Progress: an order reports its status while it runs and afterwards.

use anyhow::ensure;
use orders::{ApprovalRule, Order};
use workflows::OrderStatus;

use crate::{
    demos::checks::{ask, check_once, place, until_listed, until_status},
    sample::numbered_order,
    stage::Stage,
};

const CHARGED: &str = "order-3001";
const APPROVED: &str = "order-3002";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("progress", "an order reports its status");
    let (worker, hold) = stage
        .worker_held_at("Charge:before", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("The payment service is slow with one order, and another waits for approval.")
        .await;
    place(stage, &numbered_order(3001, 10)).await?;
    stage
        .until_held("the order to reach its charge", &hold)
        .await?;
    let large = Order {
        approval: Some(ApprovalRule {
            above_quantity: 500,
            within_seconds: 600,
        }),
        ..numbered_order(3002, 600)
    };
    place(stage, &large).await?;
    until_status(stage, APPROVED, OrderStatus::AwaitingApproval).await?;

    voice
        .scene("Each order is asked for its status. The workflow itself answers.")
        .await;
    let said = ask(stage, &["status", CHARGED]).await?;
    ensure!(said.contains("Charging, 40 %"), "{CHARGED} does not say so");
    ask(stage, &["status", APPROVED]).await?;

    voice
        .scene("Orders are listed by their status, a search attribute on the server.")
        .await;
    until_listed(stage, APPROVED, OrderStatus::AwaitingApproval).await?;
    until_listed(stage, CHARGED, OrderStatus::Charging).await?;
    let said = ask(stage, &["list", "--status", "AwaitingApproval"]).await?;
    ensure!(said.contains(APPROVED), "{APPROVED} is not listed");

    voice
        .scene("The charge goes through, and the other order is approved.")
        .await;
    std::fs::remove_file(&hold)?;
    ask(stage, &["approve", APPROVED]).await?;
    ask(stage, &["follow", CHARGED]).await?;
    ask(stage, &["follow", APPROVED]).await?;

    voice
        .scene("Finished orders still report their status and are still listed.")
        .await;
    let said = ask(stage, &["status", CHARGED]).await?;
    ensure!(
        said.contains("Completed, 100 %"),
        "{CHARGED} does not say so"
    );
    for order_id in [CHARGED, APPROVED] {
        until_listed(stage, order_id, OrderStatus::Completed).await?;
    }
    ask(stage, &["list", "--limit", "5"]).await?;
    worker.stop().await?;

    check_once(stage, CHARGED)?;
    check_once(stage, APPROVED)?;
    voice.shown("an order reported its status while it was running and after it had finished.");
    Ok(())
}
