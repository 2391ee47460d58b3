//! The inventory by itself, without Temporal: a few lines show what makes a retry harmless.
//!
//! ```shell
//! cargo run -p inventory --example without_temporal
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it did")]

use std::time::SystemTime;

use inventory::{Inventory, InventoryError, Placement, Reservation};
use orders::Order;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A folder that is deleted at the end. A real program passes the path that it was configured with.
    let folder = tempfile::tempdir()?;
    let location = folder.path().join("inventory.json").into();
    let inventory = Inventory::open(&location, SystemTime::now).await?;

    // An order that a customer submitted. It is checked before anything is done for it.
    let order = Order::new("order-11235", "123456", 999, "VISA-12345");
    order.validate()?;

    // A placement is one submission of one order. Every step is recorded under a key made from it, and
    // no two lines of the ledger may have the same key. With Temporal the submission is the workflow's
    // run ID, which stays the same however often an activity is tried.
    let placement = Placement::new(&order.order_id, "first-submission");

    // Step 1 takes the units out of stock, all of them or none.
    match inventory.reserve(&placement, &order.items()).await? {
        Reservation::Reserved { items, .. } => {
            for item in items {
                println!("reserved: {} units, {} left", item.quantity, item.in_stock);
            }
        }
        Reservation::Duplicate { placed_at, .. } => println!("placed before, at {placed_at:?}"),
        Reservation::Short { product, .. } => println!("there is too little of product {product}"),
    }

    // Step 2 charges the customer. Suppose that the program is killed before the answer arrives: it
    // cannot know whether the charge was made, so it charges again. The retry finds the first charge.
    let first = inventory.record_charge(&placement, "*******345").await?;
    let retry = inventory.record_charge(&placement, "*******345").await?;
    assert_eq!(first.number, retry.number);
    assert!(!first.already && retry.already);
    println!("charged:  {} (the retry found the same one)", retry.number);

    // Another submission of the same order has another key, so it is not taken for a retry. It holds
    // no reservation, and the inventory refuses to charge it.
    let again = Placement::new(&order.order_id, "second-submission");
    let refused = inventory.record_charge(&again, "*******345").await;
    assert!(matches!(refused, Err(InventoryError::NotReserved { .. })));

    // The ledger has one line for each effect on the outside world: one charge, not two.
    println!("\nledger:");
    for entry in inventory.effects(&order.order_id).await? {
        println!("{}: {} {} units", entry.seq, entry.change, entry.quantity);
    }

    // The audit reads the ledger from its start and compares it with the stock.
    let audit = inventory.audit().await?;
    println!(
        "\naudit: {} lines, {} findings",
        audit.lines,
        audit.findings.len()
    );
    for it in &audit.products {
        println!(
            "product {}: {} at first - {} reserved = {} in stock",
            it.product, it.opening, it.reserved, it.expected
        );
    }
    assert!(audit.is_clean());
    Ok(())
}
