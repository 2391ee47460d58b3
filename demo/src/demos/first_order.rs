//! The first order: it goes through its steps, and the inventory changes.

use crate::{
    demos::checks::check_once,
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["11235", "123456", "999", "VISA-123456"];

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("first-order", "an order goes through its steps");
    stage.free("order-11235").await?;

    voice.scene("The inventory before the order.").await;
    stage.show_inventory()?;

    voice
        .scene("A worker starts. One attempt in five fails, as in real life.")
        .await;
    let (worker, hold) = stage.worker_held_at("Charge:before", &[]).await?;

    voice
        .scene("A customer orders 999 units of product 123456.")
        .await;
    let starter = stage.starter(&ORDER)?;
    stage
        .until_held("the order to reach its charge", &hold)
        .await?;
    voice
        .scene("The units are reserved but not yet charged. This is the inventory in between.")
        .await;
    stage.show_inventory()?;
    voice.scene("The order continues.").await;
    std::fs::remove_file(&hold)?;
    check_success("the order", starter.wait().await?)?;

    voice
        .scene("The order is complete. This is the inventory after the supplier's delivery.")
        .await;
    stage.show_inventory()?;
    voice
        .scene("The ledger has a line for each effect that the order had.")
        .await;
    stage.show_ledger()?;
    worker.stop().await?;

    check_once(stage, "order-11235")?;
    voice.shown(
        "the order was reserved, charged and shipped once each, no matter what failed on the way.",
    );
    Ok(())
}
