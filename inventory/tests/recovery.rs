//! What a crash, or a person, leaves behind in the files is put right or reported.

mod common;

use std::fs;

use common::{PRODUCT, Shop, array, is_reserved, order, units};
use inventory::{Inventory, InventoryError, Pending, Placement, Reservation};
use orders::Item;

#[tokio::test]
async fn the_first_order_leaves_the_specified_files() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    let expected = |order: &str, stock: u32, lines: u64| {
        format!(
            "{{\n    \"orderID\": \"{order}\",\n    \"productID\": \"123456\",\n    \
             \"inStock\": {stock},\n    \"ledgerLines\": {lines}\n}}\n"
        )
    };
    assert_eq!(shop.text(), expected("000", 1000, 0));
    let placement = Placement::new("order-11235", "run-1");
    assert!(is_reserved(
        &inventory.reserve(&placement, &units(999)).await.unwrap()
    ));
    assert_eq!(shop.text(), expected("order-11235", 1, 1));
    let charge = inventory
        .record_charge(&placement, "VISA-*****")
        .await
        .unwrap();
    assert_eq!(charge.number, "charge-000002");
    let address = Some("12 Main Street");
    let shipment = inventory
        .record_shipment(&placement, &units(999)[0], address)
        .await
        .unwrap();
    assert_eq!(shipment.number, "shipment-000003");
    let delivery = inventory.restock(&placement, PRODUCT, 1, 0).await.unwrap();
    assert_eq!((delivery.quantity, delivery.in_stock), (9_999, 10_000));
    assert_eq!(shop.text(), expected("order-11235", 10_000, 4));
    let lines = shop.lines();
    let without_sum =
        |line: &str| line[..line.len() - r#","sum":"00000000"}"#.len()].to_owned() + "}";
    assert_eq!(
        without_sum(&lines[0]),
        r#"{"seq":1,"at":"2026-11-22T07:00:00Z","orderID":"order-11235","productID":"123456","change":"reserved","quantity":999,"inStock":1,"key":"order-11235/run-1/reserve/123456"}"#
    );
    assert_eq!(
        without_sum(&lines[1]),
        r#"{"seq":2,"at":"2026-11-22T07:00:00Z","orderID":"order-11235","productID":"123456","change":"charged","quantity":999,"key":"order-11235/run-1/charge","confirmation":"charge-000002","payment":"VISA-*****"}"#
    );
    assert!(lines[2].contains(r#""address":"12 Main Street""#));
    assert_eq!(lines.len(), 4);
    shop.assert_clean().await;
}

/// As a crash between the ledger and the inventory file leaves them: the ledger cut at every byte of the
/// last change, and the file from before it.
#[tokio::test]
async fn a_change_that_a_crash_cut_short_counts_as_a_whole_or_not_at_all() {
    let stock = [("a", 100), ("b", 100), ("c", 100)];
    let items = [Item::new("a", 1), Item::new("b", 2), Item::new("c", 3)];
    let shop = Shop::with(&stock);
    shop.open()
        .await
        .reserve(&order(1), &items[..1])
        .await
        .unwrap();
    let before = (shop.text(), fs::read(shop.ledger()).unwrap());
    shop.open().await.reserve(&order(2), &items).await.unwrap();
    let whole = fs::read(shop.ledger()).unwrap();
    for cut in before.1.len()..=whole.len() {
        fs::write(shop.ledger(), &whole[..cut]).unwrap();
        fs::write(&shop.path, &before.0).unwrap();
        if cut > before.1.len() && cut < whole.len() {
            assert_eq!(shop.audit().await.pending, Some(Pending::HalfLine));
        }
        let inventory = shop.open().await;
        let mut figures = Vec::new();
        for product in ["a", "b", "c"] {
            figures.push(inventory.stock(product).await.unwrap());
        }
        let is_whole = cut == whole.len();
        assert_eq!(
            figures,
            if is_whole {
                [98, 98, 97]
            } else {
                [99, 100, 100]
            }
        );
        shop.assert_clean().await;
        let again = inventory.reserve(&order(2), &items).await.unwrap();
        assert_eq!(is_reserved(&again), !is_whole);
        assert_eq!(fs::read(shop.ledger()).unwrap(), whole);
        shop.assert_clean().await;
    }
}

#[tokio::test]
async fn a_torn_line_of_another_process_is_repaired_while_open() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(10)).await.unwrap();
    let whole = fs::read(shop.ledger()).unwrap();
    let torn = [&whole[..], br#"{"seq":2,"at":"2026"#].concat();
    fs::write(shop.ledger(), torn).unwrap();
    assert_eq!(shop.audit().await.pending, Some(Pending::HalfLine));
    inventory.reserve(&order(2), &units(10)).await.unwrap();
    assert_eq!(shop.lines().len(), 2);
    shop.assert_clean().await;
}

/// As after a power failure, whenever the file was written.
#[tokio::test]
async fn an_old_inventory_file_is_brought_up_and_not_taken_for_an_edit() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    let mut old = vec![shop.text()];
    for number in 1..5 {
        inventory
            .reserve(&order(number), &units(100))
            .await
            .unwrap();
        inventory
            .record_charge(&order(number), "VISA")
            .await
            .unwrap();
        old.push(shop.text());
    }
    let newest = old.pop().unwrap();
    for old in old {
        for reopen in [false, true] {
            shop.write(&old);
            let audit = shop.audit().await;
            assert!(audit.is_clean());
            assert_eq!(audit.pending, Some(Pending::FileBehind));
            let inventory = if reopen {
                shop.open().await
            } else {
                inventory.clone()
            };
            assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 600);
            assert_eq!((shop.text(), shop.lines().len()), (newest.clone(), 8));
            shop.assert_clean().await;
        }
    }
}

#[tokio::test]
async fn an_edit_of_an_old_inventory_file_is_one() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    let old = shop.text();
    inventory.reserve(&order(1), &units(100)).await.unwrap();
    shop.write(&old.replace("1000", "500"));
    assert_eq!(shop.audit().await.pending, Some(Pending::EditedByHand));
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 500);
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_lost_lock_file_loses_nothing() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(999)).await.unwrap();
    fs::remove_file(shop.lock()).unwrap();
    shop.assert_clean().await;
    assert_eq!(shop.open().await.stock(PRODUCT).await.unwrap(), 1);
    fs::remove_file(shop.lock()).unwrap();
    assert!(!is_reserved(
        &inventory.reserve(&order(1), &units(999)).await.unwrap()
    ));
    assert_eq!(shop.lines().len(), 1);
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_presenter_resets_the_stock() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(999)).await.unwrap();
    inventory.restock(&order(1), PRODUCT, 1, 0).await.unwrap();
    shop.write(r#"{"orderID":"000","productID":"123456","inStock":1000}"#);
    assert_eq!(shop.audit().await.pending, Some(Pending::EditedByHand));
    // Noticed while open, and again by nobody else.
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1000);
    assert_eq!(shop.open().await.stock(PRODUCT).await.unwrap(), 1000);
    let lines = shop.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[2].contains(r#""orderID":"000","productID":"123456","change":"adjusted","quantity":-9000,"inStock":1000"#));
    assert!(shop.text().contains(r#""ledgerLines": 3"#));
    shop.assert_clean().await;
}

#[tokio::test]
async fn products_are_changed_added_and_taken_out_by_hand() {
    let shop = Shop::with(&[("a", 10), ("b", 10), ("c", 10)]);
    let inventory = shop.open().await;
    let items = [Item::new("a", 1), Item::new("b", 2)];
    inventory.reserve(&order(1), &items).await.unwrap();
    shop.write(&array(&[("a", 9), ("c", 7), ("d", 5)]));
    let levels = async |inventory: &Inventory| {
        let products = inventory.products().await.unwrap();
        let level = |it: inventory::Product| (it.product, it.in_stock);
        products.into_iter().map(level).collect::<Vec<_>>()
    };
    let level = |product: &str, units: u32| (product.to_owned(), units);
    let expected = [level("a", 9), level("c", 7), level("d", 5)];
    assert_eq!(levels(&inventory).await, expected);
    let adjusted = inventory.effects("000").await.unwrap();
    let figures: Vec<_> = adjusted
        .iter()
        .map(|it| (it.product_id.as_str(), it.quantity, it.in_stock, it.removed))
        .collect();
    assert_eq!(
        figures,
        [("c", -3, Some(7), false), ("d", 5, Some(5), false)]
    );
    assert!(shop.lines().iter().any(|line| {
        line.contains(r#""productID":"b","change":"adjusted","quantity":-8,"inStock":0"#)
            && line.contains(r#""removed":true"#)
    }));
    shop.assert_clean().await;
    // What is given back to a product that was taken out makes it one again.
    inventory.release(&order(1)).await.unwrap();
    let expected = [level("a", 10), level("b", 2), level("c", 7), level("d", 5)];
    assert_eq!(levels(&inventory).await, expected);
    assert_eq!(levels(&shop.open().await).await, expected);
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_stock_that_the_warehouse_cannot_hold_is_refused() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    let good = shop.text();
    shop.write(&good.replace("1000", "10001"));
    for result in [
        inventory.stock(PRODUCT).await,
        Inventory::open(&shop.location, common::now)
            .await
            .map(|_| 0),
    ] {
        let error = result.unwrap_err();
        assert!(!error.is_permanent());
        let error = error.to_string();
        assert!(
            error.contains("inventory.json") && error.contains("10001 in stock"),
            "{error}"
        );
    }
    shop.write(&good);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1000);
    // What orders give back is not refused, however much it is.
    shop.write(&good.replace("1000", "9999"));
    inventory.reserve(&order(1), &units(9_999)).await.unwrap();
    inventory.restock(&order(1), PRODUCT, 1, 0).await.unwrap();
    inventory.release(&order(1)).await.unwrap();
    assert_eq!(shop.open().await.stock(PRODUCT).await.unwrap(), 19_999);
    shop.assert_clean().await;
}

#[tokio::test]
async fn what_else_stands_in_the_file_is_kept_and_its_layout_is_no_edit() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(1)).await.unwrap();
    shop.write(r#"{"productID":"123456","inStock":999,"orderID":"order-1","shelf":"B4"}"#);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 999);
    assert_eq!(shop.lines().len(), 1);
    inventory.reserve(&order(2), &units(1)).await.unwrap();
    assert!(shop.text().starts_with('{') && shop.text().contains(r#""shelf": "B4""#));
    shop.open()
        .await
        .reserve(&order(3), &units(1))
        .await
        .unwrap();
    assert!(shop.text().contains(r#""shelf": "B4""#));
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_missing_inventory_file_is_written_anew() {
    let shop = Shop::with(&[("a", 10), ("b", 20)]);
    let inventory = shop.open().await;
    inventory
        .reserve(&order(1), &[Item::new("a", 4)])
        .await
        .unwrap();
    for reopen in [false, true] {
        fs::remove_file(&shop.path).unwrap();
        assert_eq!(shop.audit().await.pending, Some(Pending::FileBehind));
        let inventory = if reopen {
            shop.open().await
        } else {
            inventory.clone()
        };
        assert_eq!(inventory.products().await.unwrap().len(), 2);
        assert!(shop.text().contains(r#""inStock": 6"#));
        shop.assert_clean().await;
    }
}

#[tokio::test]
async fn a_folder_that_is_deleted_while_open_is_begun_anew_as_another_inventory() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    let mut begun = order(1);
    begun.inventory = Some(inventory.identity().await.unwrap());
    inventory.reserve(&begun, &units(999)).await.unwrap();
    fs::remove_dir_all(shop.path.parent().unwrap()).unwrap();
    let error = inventory.record_charge(&begun, "VISA").await.unwrap_err();
    assert!(
        matches!(error, InventoryError::OtherInventory { .. }),
        "{error}"
    );
    assert!(is_reserved(
        &inventory.reserve(&order(1), &units(10)).await.unwrap()
    ));
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 990);
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_ledger_that_is_replaced_while_open_is_read_anew() {
    let shop = Shop::empty();
    let other = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(10)).await.unwrap();
    let theirs = other.open().await;
    theirs.reserve(&order(2), &units(500)).await.unwrap();
    theirs.reserve(&order(3), &units(100)).await.unwrap();
    // Written over in place: the same file, longer than before.
    fs::write(shop.ledger(), fs::read(other.ledger()).unwrap()).unwrap();
    shop.write(&other.text());
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 400);
    assert!(is_reserved(
        &inventory.reserve(&order(1), &units(1)).await.unwrap()
    ));
    assert!(matches!(
        inventory.reserve(&order(2), &units(500)).await.unwrap(),
        Reservation::Reserved { already: true, .. }
    ));
    shop.assert_clean().await;
}
