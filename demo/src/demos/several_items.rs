//! An order of several items: reserved as a whole, shipped side by side.

use anyhow::ensure;
use inventory::Change;
use orders::{Item, Order};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::{
    demos::checks::{ask, check_effects, completed, count_events, place, refused},
    sample::numbered_order,
    stage::Stage,
};

/// The products, with the units in stock.
const SHELVES: [(&str, u32); 3] = [("123456", 9000), ("234567", 9000), ("345678", 6000)];

/// The product of which the last order asks for more than there is.
const SHORT: &str = SHELVES[2].0;

/// What an order of three items leaves in the ledger.
const SHIPPED: [Change; 7] = [
    Change::Reserved,
    Change::Reserved,
    Change::Reserved,
    Change::Charged,
    Change::Shipped,
    Change::Shipped,
    Change::Shipped,
];

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("several-items", "an order of three products");
    stage.stock(&SHELVES).await?;
    for order_id in ["order-3601", "order-3603"] {
        stage.free(order_id).await?;
    }
    let worker = stage.worker(&["--fault-rate", "0"]).await?;
    stage.show_stock().await?;

    voice
        .scene("Place an order of three items: reserved as a whole, shipped side by side.")
        .await;
    ask(stage, &command("3601", "345678:5")).await?;
    check_effects(stage, "order-3601", &SHIPPED).await?;
    voice.checked("Three items were reserved together, charged once, and shipped.");

    voice
        .scene("Place the same again, with a child workflow for each shipment.")
        .await;
    let apart = Order {
        ship_apart: true,
        ..order(3602, 5)
    };
    let handle = place(stage, &apart).await?;
    completed(stage, &handle).await?;
    check_effects(stage, "order-3602", &SHIPPED).await?;
    let children = count_events(&handle, EventType::ChildWorkflowExecutionCompleted).await?;
    ensure!(children == 3, "{children} shipments were children");
    voice.checked("Three child workflows shipped its items.");

    voice
        .scene("Place an order in which one product is unknown.")
        .await;
    let before = stage.inventory().products().await?;
    let unknown = command("3603", "999999:1");
    refused(stage, &unknown, "unknown product \"999999\"").await?;
    check_effects(stage, "order-3603", &[]).await?;
    ensure!(
        stage.inventory().products().await? == before,
        "order-3603 failed and changed the stock"
    );
    voice.checked("The whole order failed, and nothing of it was reserved.");

    voice
        .scene("Place an order for more of one product than is in stock.")
        .await;
    let handle = place(stage, &order(3604, 9_000)).await?;
    completed(stage, &handle).await?;
    check_effects(stage, "order-3604", &SHIPPED).await?;
    let first = stage
        .inventory()
        .effects("order-3604")
        .await?
        .into_iter()
        .next();
    ensure!(
        first.is_some_and(|entry| entry.change == Change::Restocked && entry.product_id == SHORT),
        "the supplier did not fill the shelf first"
    );
    voice.checked("The supplier filled the shelf first, and then the whole order was reserved.");
    stage.show_ledger(&["order-3604"]).await?;
    stage.stop(worker).await?;

    voice.shown("an order of several items is reserved as a whole or not at all.");
    Ok(())
}

/// An order of three items, of which the last is for this many units.
fn order(number: u32, last: u32) -> Order {
    Order {
        more_items: vec![Item::new(SHELVES[1].0, 20), Item::new(SHORT, last)],
        ..numbered_order(number, 100)
    }
}

/// The same as a command line.
fn command<'a>(number: &'a str, last: &'a str) -> Vec<&'a str> {
    let order = [number, "123456", "100", "VISA-123456"];
    let items = ["--item", "234567:20", "--item", last];
    [&order[..], &items[..]].concat()
}
