//! Cancelling: what was done is undone, in reverse, whoever dies meanwhile.

use anyhow::ensure;
use inventory::{Change, DEFAULT_PRODUCT};
use orders::Order;
use workflows::OrderStatus;

use crate::{
    demos::checks::{ask, check_effects, check_once, place, refused, until_status},
    sample::numbered_order,
    stage::{Stage, check_success},
};

const CANCELLED: &str = "order-3301";
const TOO_LATE: &str = "order-3302";

/// Seconds that the order waits for an address, and is cancelled before they are over.
const WAIT: u64 = 600;

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("cancel", "an order is cancelled and undone");
    let before = stage.inventory().stock(DEFAULT_PRODUCT)?;
    let (mut worker, hold) = stage
        .worker_held_at("Refund:after", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("An order is reserved and charged, and waits for another address.")
        .await;
    let waiting = Order {
        await_address_seconds: Some(WAIT),
        ..numbered_order(3301, 999)
    };
    place(stage, &waiting).await?;
    until_status(stage, CANCELLED, OrderStatus::AwaitingAddress).await?;
    ask(stage, &["status", CANCELLED]).await?;
    stage.show_inventory()?;

    voice
        .scene("The customer cancels. The order undoes its steps, the last one first.")
        .await;
    let reason = ["--reason", "found it cheaper"];
    let cancel = stage.starter(&[&["cancel", CANCELLED][..], &reason[..]].concat())?;
    stage.until_held("the refund to be made", &hold).await?;
    voice
        .scene(&format!(
            "The refund is made. Its worker, process {}, is killed before it can report it.",
            worker.pid()
        ))
        .await;
    worker.kill().await?;

    voice.scene("A new worker starts and takes over.").await;
    let shipped = stage.path("shipped");
    let at_shipped = format!("SupplierOrder:before={}", shipped.display());
    let worker = stage
        .worker(&["--fault-rate", "0", "--hold", &at_shipped])
        .await?;
    check_success("the cancellation", cancel.wait().await?)?;
    let undone = [
        Change::Reserved,
        Change::Charged,
        Change::Refunded,
        Change::Released,
    ];
    check_effects(stage, CANCELLED, &undone)?;
    until_status(stage, CANCELLED, OrderStatus::Cancelled).await?;
    let after = stage.inventory().stock(DEFAULT_PRODUCT)?;
    ensure!(after == before, "{before} units became {after}");
    voice
        .scene("The units are back, and the ledger has one refund and one release.")
        .await;
    stage.show_books()?;

    voice
        .scene("The customer of another order cancels after it has shipped.")
        .await;
    place(stage, &numbered_order(3302, 10)).await?;
    stage
        .until_held("the order to have shipped", &shipped)
        .await?;
    let late = "it is too late: the whole order has shipped";
    refused(stage, &["cancel", TOO_LATE], late).await?;
    voice.say("It has shipped, so it is too late to cancel it.");
    std::fs::remove_file(&shipped)?;
    ask(stage, &["follow", TOO_LATE]).await?;
    worker.stop().await?;

    check_once(stage, TOO_LATE)?;
    voice.shown("two workers undid each step once; an order that has shipped is not undone.");
    Ok(())
}
