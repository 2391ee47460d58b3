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
    let hold = stage.path("reserved");
    let at_hold = format!("Charge:before={}", hold.display());
    let worker = stage.worker(&["--hold", &at_hold]).await?;

    voice
        .scene("A customer orders 999 units of product 123456.")
        .await;
    let starter = stage.starter(&ORDER)?;
    stage
        .until("the order to reach its charge", async || Ok(hold.exists()))
        .await?;
    voice
        .scene("The units are reserved, and not yet charged. The inventory in between:")
        .await;
    stage.show_inventory()?;
    voice.scene("The order goes on.").await;
    std::fs::remove_file(&hold)?;
    check_success("the order", starter.wait().await?)?;

    voice
        .scene("The inventory after the order. The supplier filled the shelf.")
        .await;
    stage.show_inventory()?;
    voice
        .scene("The ledger has a line for each thing that happened in the world.")
        .await;
    stage.show_ledger()?;
    worker.stop().await?;

    check_once(stage, "order-11235")?;
    voice.shown(
        "the order was reserved, charged and shipped once each, whatever failed on the way.",
    );
    Ok(())
}
