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
    let voice = stage.voice.clone();
    voice.title("progress", "an order reports its status");
    let (worker, hold) = stage
        .worker_held_at("Charge:before", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("Place an order that is held before its charge, and one that needs approval.")
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
    voice.checked(&format!(
        "{CHARGED} is being charged, and {APPROVED} waits for approval."
    ));

    voice
        .scene("Ask each order for its status. The workflow itself answers.")
        .await;
    let said = ask(stage, &["status", CHARGED]).await?;
    ensure!(said.contains("Charging, 40 %"), "{CHARGED} does not say so");
    ask(stage, &["status", APPROVED]).await?;

    voice
        .scene("List orders by their status, which is a search attribute on the server.")
        .await;
    until_listed(stage, APPROVED, OrderStatus::AwaitingApproval).await?;
    until_listed(stage, CHARGED, OrderStatus::Charging).await?;
    let said = ask(stage, &["list", "--status", "AwaitingApproval"]).await?;
    ensure!(said.contains(APPROVED), "{APPROVED} is not listed");

    voice
        .scene("Let the charge go through, and approve the other order.")
        .await;
    std::fs::remove_file(&hold)?;
    ask(stage, &["approve", APPROVED]).await?;
    for order_id in [CHARGED, APPROVED] {
        until_status(stage, order_id, OrderStatus::Completed).await?;
        check_once(stage, order_id).await?;
        voice.checked(&format!("{order_id} is completed."));
    }

    voice
        .scene("Ask for the status of an order that is over, and list both.")
        .await;
    let said = ask(stage, &["status", CHARGED]).await?;
    ensure!(
        said.contains("Completed, 100 %"),
        "{CHARGED} does not say so"
    );
    for order_id in [CHARGED, APPROVED] {
        until_listed(stage, order_id, OrderStatus::Completed).await?;
    }
    ask(stage, &["list", "--limit", "2"]).await?;
    stage.stop(worker).await?;

    voice.shown("an order reported its status while it was running and after it had finished.");
    Ok(())
}
