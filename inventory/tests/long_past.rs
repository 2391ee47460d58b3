//! A ledger long enough to be read by several threads.

mod common;

use std::{fmt::Write, fs};

use common::{PRODUCT, Shop, is_reserved, now, order, units};
use inventory::{Inventory, Reservation};

const ORDERS: u32 = 45_000;

/// Each order has taken one unit of what there was.
fn past() -> String {
    let mut ledger = String::new();
    for number in 1..=ORDERS {
        let in_stock = 2 * ORDERS - number;
        writeln!(
            ledger,
            r#"{{"seq":{number},"at":"2026-11-22T07:00:00Z","orderID":"order-{number}","productID":"{PRODUCT}","change":"reserved","quantity":1,"inStock":{in_stock},"key":"order-{number}/0189c3b2-7d11-7c5e-9d0a-3f6f0c1b2a4d/reserve/{PRODUCT}"}}"#
        )
        .unwrap();
    }
    // Each thread reads 4 MB at least.
    assert!(ledger.len() > 8 << 20);
    ledger
}

#[test]
fn every_order_of_a_long_past_is_known_and_a_torn_end_is_repaired() {
    let shop = Shop::with(&[(PRODUCT, ORDERS)]);
    let ledger = past();
    fs::write(shop.ledger(), &ledger.as_bytes()[..ledger.len() - 20]).unwrap();
    fs::write(shop.lock(), shop.text()).unwrap();
    let inventory = shop.open();
    assert_eq!(inventory.stock(PRODUCT).unwrap(), ORDERS + 1);
    assert_eq!(shop.lines().len() as u32, ORDERS - 1);
    for number in (1..ORDERS).step_by(997) {
        let reservation = inventory.reserve(&order(number), &units(1)).unwrap();
        assert!(
            matches!(reservation, Reservation::Duplicate { .. }),
            "{number}"
        );
    }
    assert!(is_reserved(
        &inventory.reserve(&order(ORDERS), &units(1)).unwrap()
    ));
    shop.assert_clean();
}

#[test]
fn damage_anywhere_in_a_long_past_is_named_with_its_line() {
    let shop = Shop::with(&[(PRODUCT, ORDERS)]);
    let ledger = past();
    for line in [1, ORDERS / 2 + 1, ORDERS] {
        let before = format!("\"seq\":{line},");
        let damaged = ledger.replace(&before, "\"seq\":7777777,");
        fs::write(shop.ledger(), &damaged).unwrap();
        let error = Inventory::open(&shop.path, now).unwrap_err().to_string();
        let expected = format!("ledger.jsonl, line {line}: seq is 7777777, expected {line}");
        assert!(error.contains(&expected), "{error}");
        assert!(fs::read(shop.ledger()).unwrap() == damaged.as_bytes());
    }
}
