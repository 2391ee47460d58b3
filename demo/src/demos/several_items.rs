//! An order of several items: reserved as a whole, shipped side by side.

use anyhow::ensure;
use inventory::Change;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::{
    demos::checks::{ask, check_effects, count_events, refused},
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
    let voice = stage.voice;
    voice.title("several-items", "an order of three products");
    stage.stock(&SHELVES)?;
    for order_id in ["order-3601", "order-3602", "order-3603", "order-3604"] {
        stage.free(order_id).await?;
    }
    voice.scene("The inventory holds three products.").await;
    stage.show_inventory()?;
    let worker = stage.worker(&["--fault-rate", "0"]).await?;

    voice
        .scene("Three items are reserved as a whole, charged once, and shipped in parallel.")
        .await;
    ask(stage, &order("3601", "345678:5", &[])).await?;
    check_effects(stage, "order-3601", &SHIPPED)?;

    voice
        .scene("The same again, but each shipment is a child workflow of the order.")
        .await;
    ask(stage, &order("3602", "345678:5", &["--ship-apart"])).await?;
    check_effects(stage, "order-3602", &SHIPPED)?;
    let children = children(stage, "order-3602").await?;
    ensure!(children == 3, "{children} shipments were children");

    voice.scene("One item of the next order is unknown.").await;
    let before = stage.inventory().products()?;
    let unknown = order("3603", "999999:1", &[]);
    refused(stage, &unknown, "unknown product \"999999\"").await?;
    check_effects(stage, "order-3603", &[])?;
    ensure!(
        stage.inventory().products()? == before,
        "order-3603 failed and changed the stock"
    );
    voice.say("Nothing of the order was reserved.");

    voice
        .scene("The next order asks for more of one item than is in stock.")
        .await;
    ask(stage, &order("3604", "345678:9000", &[])).await?;
    check_effects(stage, "order-3604", &SHIPPED)?;
    let first = stage.inventory().effects("order-3604")?.into_iter().next();
    ensure!(
        first.is_some_and(|entry| entry.change == Change::Restocked && entry.product_id == SHORT),
        "the supplier did not fill the shelf first"
    );
    voice.say("The supplier filled the shelf first, and then the whole order was reserved.");
    worker.stop().await?;

    voice.scene("The inventory after the orders.").await;
    stage.show_inventory()?;
    voice.shown("an order of several items is reserved as a whole or not at all.");
    Ok(())
}

fn order<'a>(number: &'a str, item: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    let order = [number, "123456", "100", "VISA-123456"];
    let items = ["--item", "234567:20", "--item", item];
    [&order[..], &items[..], further].concat()
}

async fn children(stage: &Stage, order_id: &str) -> anyhow::Result<usize> {
    let order = stage.find_order(order_id).await?;
    count_events(&order, EventType::ChildWorkflowExecutionCompleted).await
}
