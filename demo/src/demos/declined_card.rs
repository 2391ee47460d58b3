//! A declined card: an error that no retry can fix is not retried.

use activities::{Activity, services::DECLINED};
use anyhow::ensure;
use inventory::{Change, DEFAULT_PRODUCT};
use workflows::OrderStatus;

use crate::{
    demos::checks::{attempts, check_effects, refused, until_status},
    stage::Stage,
};

const ORDER_ID: &str = "order-3501";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("declined-card", "the customer's card is declined");
    stage.free(ORDER_ID).await?;
    let before = stage.inventory().stock(DEFAULT_PRODUCT).await?;
    let worker = stage.worker(&["--fault-rate", "0"]).await?;

    voice
        .scene("Place an order with a card that is declined. No retry can help.")
        .await;
    let order = ["3501", "123456", "999", DECLINED];
    let reason = "failed: the payment for order-3501 was declined";
    refused(stage, &order, reason).await?;

    until_status(stage, ORDER_ID, OrderStatus::Failed).await?;
    stage.stop(worker).await?;

    let attempts = attempts(&stage.find_order(ORDER_ID).await?).await?;
    let charges = attempts.get(Activity::Charge.name()).copied();
    ensure!(charges == Some(1), "the charge took {charges:?} attempts");
    let undone = [Change::Reserved, Change::Closed, Change::Released];
    check_effects(stage, ORDER_ID, &undone).await?;
    let after = stage.inventory().stock(DEFAULT_PRODUCT).await?;
    ensure!(after == before, "{before} units became {after}");
    voice.checked(
        "The charge was tried once, the order has failed, and its units are back on the shelf.",
    );
    stage.show_ledger(&[ORDER_ID]).await?;
    voice.shown("one attempt, a clear reason, and nothing left behind.");
    Ok(())
}
