//! Cancelling: what was done is undone, in reverse, whoever dies meanwhile.

use activities::Activity;
use anyhow::ensure;
use inventory::{Change, DEFAULT_PRODUCT};
use orders::Order;
use workflows::OrderStatus;

use crate::{
    demos::checks::{ask, check_effects, check_once, completed, place, refused, until_status},
    sample::numbered_order,
    stage::{Stage, check_success},
};

const CANCELLED: &str = "order-3301";
const TOO_LATE: &str = "order-3302";

/// Seconds that the order waits for an address, and is cancelled before they are over.
const WAIT: u64 = 600;

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("cancel", "an order is cancelled and undone");
    let before = stage.inventory().stock(DEFAULT_PRODUCT).await?;
    let (mut worker, hold) = stage
        .worker_held_at("Refund:after", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("Place an order that is reserved and charged, and then waits for an address.")
        .await;
    let waiting = Order {
        await_address_seconds: Some(WAIT),
        ..numbered_order(3301, 999)
    };
    place(stage, &waiting).await?;
    until_status(stage, CANCELLED, OrderStatus::AwaitingAddress).await?;
    ask(stage, &["status", CANCELLED]).await?;
    check_effects(stage, CANCELLED, &[Change::Reserved, Change::Charged]).await?;
    voice.checked("It is reserved and charged.");
    stage.show_stock().await?;

    voice
        .scene("Cancel it, and kill its worker right after the refund.")
        .await;
    let reason = ["--reason", "found it cheaper"];
    let cancel = stage.starter(&[&["cancel", CANCELLED][..], &reason[..]].concat())?;
    stage.until_held("the refund to be made", &hold).await?;
    let pid = worker.pid();
    worker.kill().await?;
    let refunded = [Change::Reserved, Change::Charged, Change::Refunded];
    check_effects(stage, CANCELLED, &refunded).await?;
    cancel.shows(Activity::Refund.name()).await?;
    voice.checked(&format!(
        "The refund is made. The worker, process {pid}, was killed before it could report it."
    ));

    voice
        .scene("Start a new worker, which undoes the rest.")
        .await;
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
    check_effects(stage, CANCELLED, &undone).await?;
    until_status(stage, CANCELLED, OrderStatus::Cancelled).await?;
    let after = stage.inventory().stock(DEFAULT_PRODUCT).await?;
    ensure!(after == before, "{before} units became {after}");
    voice.checked("The units are back, and the ledger has one refund and one release.");
    stage.show_ledger(&[CANCELLED]).await?;
    stage.show_stock().await?;

    voice
        .scene("Cancel another order when it has shipped.")
        .await;
    let order = place(stage, &numbered_order(3302, 10)).await?;
    stage
        .until_held("the order to have shipped", &shipped)
        .await?;
    let late = "it is too late: the whole order has shipped";
    refused(stage, &["cancel", TOO_LATE], late).await?;
    std::fs::remove_file(&shipped)?;
    completed(stage, &order).await?;
    check_once(stage, TOO_LATE).await?;
    voice.checked(&format!(
        "The cancellation of {TOO_LATE} was refused, and the order is completed."
    ));
    stage.stop(worker).await?;

    voice.shown("two workers undid each step once; an order that has shipped is not undone.");
    Ok(())
}
