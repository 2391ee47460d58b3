//! A duplicate order: placed twice, it happens once.

use anyhow::ensure;

use crate::{
    demos::checks::{ask, check_once},
    stage::Stage,
};

const ORDER: [&str; 4] = ["11235813", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-11235813";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("duplicate-order", "the same order, placed twice");
    stage.free(ORDER_ID).await?;
    let worker = stage.worker(&[]).await?;

    voice.scene("Place an order.").await;
    ask(stage, &ORDER).await?;
    let before = stage.inventory().effects(ORDER_ID).await?;

    voice
        .scene("The customer clicks again: place the same order number.")
        .await;
    let said = ask(stage, &ORDER).await?;
    stage.stop(worker).await?;
    ensure!(
        said.contains("duplicate:"),
        "the second submission was not recognized"
    );
    ensure!(
        stage.inventory().effects(ORDER_ID).await? == before,
        "the second submission had an effect"
    );
    check_once(stage, ORDER_ID).await?;
    voice.checked("Nothing was added to the ledger: one reservation, one charge, one shipment.");
    stage.show_ledger(&[ORDER_ID]).await?;

    voice.shown("the second submission was recognized and changed nothing.");
    Ok(())
}
