//! What an order's steps do, seen from outside.

mod common;

use common::{PRODUCT, Shop, array, is_reserved, now, order, units};
use inventory::{CAPACITY, Change, InventoryError, Placement, Reservation, Standing};
use orders::Item;

#[test]
fn the_first_order_leaves_the_specified_files() {
    let shop = Shop::empty();
    let inventory = shop.open();
    let file = || shop.text();
    let expected = |order: &str, stock: u32| {
        format!(
            "{{\n    \"orderID\": \"{order}\",\n    \"productID\": \"123456\",\n    \"inStock\": {stock}\n}}\n"
        )
    };
    assert_eq!(file(), expected("000", 1000));
    let placement = Placement::new("order-11235", "run-1");
    assert!(is_reserved(
        &inventory.reserve(&placement, &units(999)).unwrap()
    ));
    assert_eq!(file(), expected("order-11235", 1));
    let charge = inventory.record_charge(&placement, "VISA-*****").unwrap();
    assert_eq!(charge.number, "charge-000002");
    let shipment = inventory
        .record_shipment(&placement, &units(999)[0], Some("12 Main Street"))
        .unwrap();
    assert_eq!(shipment.number, "shipment-000003");
    let delivery = inventory.restock(&placement, PRODUCT, 1, 0).unwrap();
    assert_eq!((delivery.quantity, delivery.in_stock), (9_999, 10_000));
    assert_eq!(file(), expected("order-11235", 10_000));
    let lines = shop.lines();
    assert_eq!(
        lines[0],
        r#"{"seq":1,"at":"2026-11-22T07:00:00Z","orderID":"order-11235","productID":"123456","change":"reserved","quantity":999,"inStock":1,"key":"order-11235/run-1/reserve/123456"}"#
    );
    assert_eq!(
        lines[1],
        r#"{"seq":2,"at":"2026-11-22T07:00:00Z","orderID":"order-11235","productID":"123456","change":"charged","quantity":999,"inStock":1,"key":"order-11235/run-1/charge","confirmation":"charge-000002","payment":"VISA-*****"}"#
    );
    assert!(lines[2].contains(r#""address":"12 Main Street""#));
    assert_eq!(lines.len(), 4);
    shop.assert_clean();
    assert_eq!(shop.audit().count(Standing::Completed), 1);
    assert_eq!(inventory.effects("order-11235").unwrap().len(), 4);
    assert_eq!(inventory.effects("order-1").unwrap().len(), 0);
}

#[test]
fn a_retry_of_each_step_finds_its_own_effect() {
    let shop = Shop::empty();
    let (one, other) = (order(1), order(2));
    for attempt in 0..3 {
        let already = attempt > 0;
        // The folder is opened anew, as after a crash.
        let inventory = shop.open();
        let Reservation::Reserved {
            items,
            already: again,
        } = inventory.reserve(&one, &units(10)).unwrap()
        else {
            panic!("not reserved");
        };
        assert_eq!((items[0].in_stock, again), (990, already));
        let charge = inventory.record_charge(&one, "VISA").unwrap();
        assert_eq!(
            (charge.number.as_str(), charge.already),
            ("charge-000002", already)
        );
        let shipment = inventory
            .record_shipment(&one, &units(10)[0], None)
            .unwrap();
        assert_eq!(shipment.already, already);
        let delivery = inventory.restock(&one, PRODUCT, 1, 0).unwrap();
        assert_eq!((delivery.quantity, delivery.in_stock), (9_010, 10_000));
        assert_eq!(delivery.confirmation.unwrap().already, already);
        // Others go on in between: the figures stay those of the time.
        inventory.reserve(&other, &units(7)).unwrap();
    }
    assert_eq!(shop.lines().len(), 5);
    shop.assert_clean();
}

#[test]
fn a_second_submission_is_a_duplicate_until_the_first_is_released() {
    let shop = Shop::empty();
    let inventory = shop.open();
    let first = Placement::new("order-1", "run-1");
    let second = Placement::new("order-1", "run-2");
    inventory.reserve(&first, &units(10)).unwrap();
    let expected = Reservation::Duplicate {
        placed_at: now(),
        submission: "run-1".into(),
    };
    assert_eq!(inventory.reserve(&second, &units(10)).unwrap(), expected);
    // Whatever it asks for, and however much came in between.
    for number in 2..50 {
        inventory.reserve(&order(number), &units(1)).unwrap();
    }
    assert_eq!(inventory.reserve(&second, &units(999)).unwrap(), expected);
    assert!(inventory.release(&second).unwrap().items.is_empty());
    assert_eq!(inventory.release(&first).unwrap().items.len(), 1);
    assert!(is_reserved(&inventory.reserve(&second, &units(3)).unwrap()));
    // A late attempt of the first one changes nothing.
    assert!(matches!(
        inventory.reserve(&first, &units(10)).unwrap(),
        Reservation::Reserved { already: true, .. }
    ));
    assert!(inventory.release(&first).unwrap().items.is_empty());
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 1000 - 48 - 3);
    shop.assert_clean();
}

#[test]
fn undoing_happens_once_and_only_for_what_was_done() {
    let shop = Shop::empty();
    let inventory = shop.open();
    let placement = order(1);
    assert!(inventory.release(&placement).unwrap().items.is_empty());
    assert_eq!(inventory.record_refund(&placement).unwrap(), None);
    assert_eq!(inventory.record_recall(&placement, PRODUCT).unwrap(), None);
    inventory.reserve(&placement, &units(10)).unwrap();
    inventory.record_charge(&placement, "VISA").unwrap();
    inventory
        .record_shipment(&placement, &units(10)[0], None)
        .unwrap();
    for already in [false, true] {
        let recall = inventory
            .record_recall(&placement, PRODUCT)
            .unwrap()
            .unwrap();
        assert_eq!(recall.already, already);
        let refund = inventory.record_refund(&placement).unwrap().unwrap();
        assert_eq!(refund.already, already);
        let released = inventory.release(&placement).unwrap().items;
        assert_eq!((released[0].quantity, released[0].in_stock), (10, 1000));
    }
    assert_eq!(shop.lines().len(), 6);
    shop.assert_clean();
    assert_eq!(shop.audit().count(Standing::Undone), 1);
}

#[test]
fn nothing_is_charged_or_shipped_that_is_not_held() {
    let shop = Shop::empty();
    let inventory = shop.open();
    let placement = order(1);
    let refused = |result: Result<_, InventoryError>| {
        let error = result.unwrap_err();
        assert!(
            matches!(error, InventoryError::NotReserved { .. }),
            "{error}"
        );
        assert!(error.is_permanent());
    };
    refused(inventory.record_charge(&placement, "VISA"));
    refused(inventory.record_shipment(&placement, &units(1)[0], None));
    inventory.reserve(&placement, &units(10)).unwrap();
    refused(inventory.record_shipment(&placement, &units(11)[0], None));
    inventory.release(&placement).unwrap();
    refused(inventory.record_charge(&placement, "VISA"));
    assert_eq!(shop.lines().len(), 2);
}

#[test]
fn an_order_of_several_products_is_reserved_wholly_or_not_at_all() {
    let shop = Shop::with(&[("a", 10), ("b", 5)]);
    let inventory = shop.open();
    let placement = order(1);
    let items = |a, b| [Item::new("a", a), Item::new("b", b), Item::new("a", 1)];
    assert_eq!(
        inventory.reserve(&placement, &items(2, 6)).unwrap(),
        Reservation::Short {
            product: "b".into(),
            needed: 6,
            in_stock: 5
        }
    );
    assert!(shop.lines().is_empty());
    assert!(is_reserved(
        &inventory.reserve(&placement, &items(2, 5)).unwrap()
    ));
    let figures = || (inventory.stock("a").unwrap(), inventory.stock("b").unwrap());
    assert_eq!(figures(), (7, 0));
    let changed = inventory.reserve(&placement, &items(1, 5)).unwrap_err();
    assert!(matches!(changed, InventoryError::Changed { .. }));
    let fewer = inventory
        .reserve(&placement, &items(2, 5)[..1])
        .unwrap_err();
    assert!(matches!(fewer, InventoryError::Changed { .. }));
    inventory.record_charge(&placement, "VISA").unwrap();
    assert_eq!(inventory.effects("order-1").unwrap()[2].quantity, 8);
    assert_eq!(inventory.release(&placement).unwrap().items.len(), 2);
    assert_eq!(figures(), (10, 5));
    let reserved = &shop.lines()[..2];
    assert!(reserved[0].contains(r#""more":true"#) && !reserved[1].contains("more"));
    let reopened = shop.open();
    assert_eq!(reopened.release(&placement).unwrap().items.len(), 2);
    shop.assert_clean();
}

#[test]
fn orders_that_cannot_be_are_refused_for_good() {
    let shop = Shop::with(&[("a", 10), ("b", 20_000)]);
    let inventory = shop.open();
    let refuse = |items: &[Item]| {
        let error = inventory.reserve(&order(1), items).unwrap_err();
        assert!(error.is_permanent(), "{error}");
        error.to_string()
    };
    assert_eq!(
        refuse(&[Item::new("c", 1)]),
        r#"unknown product "c"; known products: a, b"#
    );
    let over = refuse(&[Item::new("b", 10_001)]);
    assert!(over.contains("10001") && over.contains("10000"), "{over}");
    refuse(&[Item::new("a", CAPACITY), Item::new("a", 1)]);
    refuse(&[Item::new("a", u32::MAX), Item::new("a", u32::MAX)]);
    assert!(refuse(&[Item::new("a", 0)]).contains("quantity: must be at least 1"));
    refuse(&[]);
    assert!(inventory.stock("c").unwrap_err().is_permanent());
    assert!(
        inventory
            .restock(&order(1), "c", 1, 0)
            .unwrap_err()
            .is_permanent()
    );
    assert!(shop.lines().is_empty());
}

#[test]
fn the_supplier_delivers_up_to_the_capacity_and_only_if_needed() {
    let shop = Shop::with(&[("low", 4_999), ("enough", 5_000), ("above", 12_000)]);
    let inventory = shop.open();
    let restock = |product: &str, round, needed| {
        let delivery = inventory
            .restock(&order(1), product, round, needed)
            .unwrap();
        (delivery.quantity, delivery.in_stock)
    };
    assert_eq!(restock("low", 1, 0), (5_001, CAPACITY));
    assert_eq!(restock("low", 2, 0), (0, CAPACITY));
    assert_eq!(restock("enough", 1, 5_000), (0, 5_000));
    assert_eq!(restock("enough", 2, 5_001), (5_000, CAPACITY));
    assert_eq!(restock("above", 1, 10_000), (0, 12_000));
    let over = inventory.restock(&order(1), "low", 3, 10_001).unwrap_err();
    assert!(matches!(over, InventoryError::OverCapacity { .. }));
    let kinds: Vec<_> = inventory.effects("order-1").unwrap();
    assert!(kinds.iter().all(|entry| entry.change == Change::Restocked));
    assert_eq!(kinds.len(), 2);
    shop.assert_clean();
}

#[test]
fn a_release_that_cannot_be_counted_gives_back_nothing_until_it_can() {
    let shop = Shop::with(&[("a", 10), ("b", 10)]);
    let inventory = shop.open();
    let items = [Item::new("a", 3), Item::new("b", 3)];
    inventory.reserve(&order(1), &items).unwrap();
    shop.write(&array(&[("a", 7), ("b", u32::MAX)]));
    let error = inventory.release(&order(1)).unwrap_err();
    assert!(matches!(error, InventoryError::Overfull { .. }), "{error}");
    assert!(!error.is_permanent());
    assert_eq!(inventory.stock("a").unwrap(), 7);
    inventory.reserve(&order(2), &items[..1]).unwrap();
    shop.write(&array(&[("a", 4), ("b", 7)]));
    assert_eq!(inventory.release(&order(1)).unwrap().items.len(), 2);
    assert_eq!(inventory.stock("a").unwrap(), 7);
    shop.assert_clean();
}
