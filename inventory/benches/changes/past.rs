//! Inventories with a past, written line by line: made by changes, a million
//! orders would take hours.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::PathBuf,
};

use tempfile::TempDir;

/// What is reserved, and all there is.
pub const PRODUCT: &str = "123456";

/// More than all the orders take.
const OPENING: u32 = 4_000_000_000;

/// After so many orders the supplier delivers what they took.
const RESTOCKED_EVERY: u32 = 6;

/// An inventory with so many past orders.
pub struct Past {
    pub orders: u32,
    pub path: PathBuf,
    _folder: TempDir,
}

/// Each order is reserved, charged and shipped, and one in six is restocked
/// for, as it is with orders of the demo's size.
pub fn make(orders: u32) -> Past {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.json");
    let ledger = File::create(folder.path().join("ledger.jsonl")).unwrap();
    let mut ledger = BufWriter::with_capacity(1 << 20, ledger);
    let mut seq = 0;
    let mut in_stock = OPENING;
    for number in 1..=orders {
        let mut line = |change: &str, quantity: u32, step: &str, service: &str, further: &str| {
            seq += 1;
            match change {
                "reserved" => in_stock -= quantity,
                "restocked" => in_stock += quantity,
                _ => {}
            }
            let confirmation = match service {
                "" => String::new(),
                service => format!(r#","confirmation":"{service}-{seq:06}""#),
            };
            writeln!(
                ledger,
                r#"{{"seq":{seq},"at":"2026-11-22T07:00:00Z","orderID":"past-{number}","productID":"{PRODUCT}","change":"{change}","quantity":{quantity},"inStock":{in_stock},"key":"past-{number}/019ac3b2-7d11-7c5e-9d0a-{number:012x}/{step}"{confirmation}{further}}}"#
            )
            .unwrap();
        };
        line("reserved", 1, "reserve/123456", "", "");
        line(
            "charged",
            1,
            "charge",
            "charge",
            r#","payment":"*********56""#,
        );
        line("shipped", 1, "ship/123456", "shipment", "");
        if number % RESTOCKED_EVERY == 0 {
            line(
                "restocked",
                RESTOCKED_EVERY,
                "restock-1/123456",
                "delivery",
                "",
            );
        }
    }
    // What is still to be written would slow down what is measured.
    ledger.into_inner().unwrap().sync_all().unwrap();
    let file =
        format!(r#"{{"orderID":"past-{orders}","productID":"{PRODUCT}","inStock":{in_stock}}}"#);
    fs::write(&path, file).unwrap();
    Past {
        orders,
        path,
        _folder: folder,
    }
}
