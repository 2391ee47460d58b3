//! A duplicate order: placed twice, it happens once.

use anyhow::ensure;

use crate::{
    demos::checks::check_once,
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["11235813", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-11235813";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("duplicate-order", "the same order, placed twice");
    stage.free(ORDER_ID).await?;
    let worker = stage.worker(&[]).await?;

    voice.scene("A customer places an order.").await;
    check_success("the order", stage.starter(&ORDER)?.wait().await?)?;
    voice.scene("Another customer orders something else.").await;
    let another = ["11235814", "123456", "1", "VISA-654321"];
    stage.free("order-11235814").await?;
    check_success("the order", stage.starter(&another)?.wait().await?)?;
    let before = stage.inventory().products()?;

    voice
        .scene("The first customer clicks again: the same order number.")
        .await;
    check_success("the order", stage.starter(&ORDER)?.wait().await?)?;

    worker.stop().await?;
    check_once(stage, ORDER_ID)?;
    ensure!(
        stage.inventory().products()? == before,
        "the second submission changed the stock"
    );
    voice.scene("Nothing was added to the ledger.").await;
    stage.show_books()?;
    voice.shown("the second submission was recognised and changed nothing.");
    Ok(())
}
