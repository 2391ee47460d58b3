//! The first order: it goes through its steps, and the inventory changes.

use activities::Activity;
use inventory::Change;

use crate::{
    demos::checks::{check_effects, check_once},
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["11235", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-11235";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("first-order", "an order goes through its steps");
    stage.free(ORDER_ID).await?;

    voice
        .scene("Start a worker. One attempt in five fails, as in real life.")
        .await;
    let (worker, hold) = stage.worker_held_at("Charge:before", &[]).await?;
    voice.checked(&format!("The worker, process {}, is ready.", worker.pid()));
    stage.show_stock().await?;

    voice
        .scene("Order 999 units of product 123456, and hold the order before its charge.")
        .await;
    let starter = stage.starter(&ORDER)?;
    stage
        .until_held("the order to reach its charge", &hold)
        .await?;
    starter.shows(Activity::Charge.name()).await?;
    check_effects(stage, ORDER_ID, &[Change::Reserved]).await?;
    voice.checked("The units are reserved, and not charged yet.");
    stage.show_stock().await?;

    voice.scene("Let the order go on.").await;
    std::fs::remove_file(&hold)?;
    check_success("the order", starter.wait().await?)?;
    stage.stop(worker).await?;
    check_once(stage, ORDER_ID).await?;
    voice.checked("The ledger has one line for each effect of the order.");
    stage.show_ledger(&[ORDER_ID]).await?;
    stage.show_stock().await?;

    voice.shown(
        "the order was reserved, charged and shipped once each, no matter what failed on the way.",
    );
    Ok(())
}
