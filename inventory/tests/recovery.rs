//! What a crash, or a person, leaves behind is put right or reported.

mod common;

use std::fs;

use common::{PRODUCT, Shop, array, is_reserved, now, order, units};
use inventory::{Inventory, InventoryError, Pending, Reservation};
use orders::Item;

/// The ledger cut off at every byte of its last change.
fn cut_anywhere(whole: &[u8], lines: usize, mut each: impl FnMut(&[u8])) {
    let ends: Vec<_> = whole
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .collect();
    let start = ends[ends.len() - 1 - lines].0 + 1;
    for cut in start..=whole.len() {
        each(&whole[..cut]);
    }
}

#[test]
fn a_half_written_last_line_is_taken_away_and_the_step_done_again() {
    let shop = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(10)).unwrap();
    let before = (shop.text(), fs::read(shop.lock()).unwrap());
    inventory.reserve(&order(2), &units(20)).unwrap();
    let whole = fs::read(shop.ledger()).unwrap();
    cut_anywhere(&whole, 1, |ledger| {
        fs::write(shop.ledger(), ledger).unwrap();
        fs::write(&shop.path, &before.0).unwrap();
        fs::write(shop.lock(), &before.1).unwrap();
        let inventory = shop.open();
        let kept = ledger.len() >= whole.len() - 1;
        assert_eq!(
            inventory.stock(PRODUCT).unwrap(),
            if kept { 970 } else { 990 }
        );
        let retried = inventory.reserve(&order(2), &units(20)).unwrap();
        assert_eq!(is_reserved(&retried), !kept);
        assert_eq!(fs::read(shop.ledger()).unwrap(), whole);
        shop.assert_clean();
    });
}

#[test]
fn a_change_of_several_lines_counts_as_a_whole_or_not_at_all() {
    let stock = [("a", 100), ("b", 100), ("c", 100)];
    let items = [Item::new("a", 1), Item::new("b", 2), Item::new("c", 3)];
    let shop = Shop::with(&stock);
    shop.open().reserve(&order(1), &items[..1]).unwrap();
    let before = (shop.text(), fs::read(shop.lock()).unwrap());
    shop.open().reserve(&order(2), &items).unwrap();
    let whole = fs::read(shop.ledger()).unwrap();
    cut_anywhere(&whole, 3, |ledger| {
        fs::write(shop.ledger(), ledger).unwrap();
        fs::write(&shop.path, &before.0).unwrap();
        fs::write(shop.lock(), &before.1).unwrap();
        let inventory = shop.open();
        let figures = ["a", "b", "c"].map(|product| inventory.stock(product).unwrap());
        if ledger.len() == whole.len() {
            assert_eq!(figures, [98, 98, 97]);
        } else {
            assert_eq!(figures, [99, 100, 100]);
        }
        inventory.reserve(&order(2), &items).unwrap();
        assert_eq!(fs::read(shop.ledger()).unwrap(), whole);
        shop.assert_clean();
    });
}

#[test]
fn a_torn_line_of_another_process_is_repaired_while_open() {
    let shop = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(10)).unwrap();
    let whole = fs::read(shop.ledger()).unwrap();
    let torn = [&whole[..], br#"{"seq":2,"at":"2026"#].concat();
    fs::write(shop.ledger(), torn).unwrap();
    assert_eq!(shop.audit().pending, Some(Pending::HalfLine));
    inventory.reserve(&order(2), &units(10)).unwrap();
    assert_eq!(shop.lines().len(), 2);
    shop.assert_clean();
}

#[test]
fn a_file_behind_its_ledger_is_brought_up_and_not_taken_for_an_edit() {
    let shop = Shop::empty();
    let inventory = shop.open();
    let before = (shop.text(), fs::read(shop.lock()).unwrap());
    inventory.reserve(&order(1), &units(999)).unwrap();
    let after = shop.text();
    fs::write(&shop.path, &before.0).unwrap();
    fs::write(shop.lock(), &before.1).unwrap();
    fs::write(shop.next(), &after).unwrap();
    let audit = shop.audit();
    assert_eq!(
        (audit.is_clean(), audit.pending),
        (true, Some(Pending::FileBehind))
    );
    assert_eq!(shop.open().stock(PRODUCT).unwrap(), 1);
    assert_eq!((shop.text(), shop.lines().len()), (after, 1));
    shop.assert_clean();
}

#[test]
fn a_lock_file_without_its_text_is_no_edit() {
    let shop = Shop::empty();
    shop.open().reserve(&order(1), &units(999)).unwrap();
    for text in ["", "{\"orderID\":\"0", "nonsense"] {
        fs::write(shop.lock(), text).unwrap();
        assert_eq!(shop.open().stock(PRODUCT).unwrap(), 1);
        assert_eq!(fs::read_to_string(shop.lock()).unwrap(), shop.text());
    }
    fs::remove_file(shop.lock()).unwrap();
    assert_eq!(shop.open().stock(PRODUCT).unwrap(), 1);
    assert_eq!(shop.lines().len(), 1);
}

#[test]
fn a_presenter_resets_the_file_to_its_first_state() {
    let shop = Shop::empty();
    let first = shop.lock();
    let inventory = shop.open();
    let first_state = fs::read_to_string(&first).unwrap();
    inventory.reserve(&order(1), &units(999)).unwrap();
    inventory.restock(&order(1), PRODUCT, 1, 0).unwrap();
    shop.write(&first_state);
    assert_eq!(shop.audit().pending, Some(Pending::EditedByHand));
    // Noticed while open, and again by nobody else.
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 1000);
    assert_eq!(shop.open().stock(PRODUCT).unwrap(), 1000);
    let lines = shop.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[2].contains(r#""orderID":"000","productID":"123456","change":"adjusted","quantity":-9000,"inStock":1000"#));
    assert_eq!(shop.text(), first_state);
    shop.assert_clean();
}

#[test]
fn products_are_changed_added_and_taken_out_by_hand() {
    let shop = Shop::with(&[("a", 10), ("b", 10), ("c", 10)]);
    let inventory = shop.open();
    inventory
        .reserve(&order(1), &[Item::new("a", 1), Item::new("b", 2)])
        .unwrap();
    shop.write(&array(&[("a", 9), ("c", 7), ("d", 5)]));
    let stock = |product: &str| inventory.stock(product).ok();
    assert_eq!(
        ["a", "b", "c", "d"].map(stock),
        [Some(9), None, Some(7), Some(5)]
    );
    let adjusted: Vec<_> = inventory.effects("000").unwrap();
    let figures: Vec<_> = adjusted
        .iter()
        .map(|it| (it.product_id.as_str(), it.quantity, it.in_stock, it.removed))
        .collect();
    assert_eq!(figures, [("c", -3, 7, false), ("d", 5, 5, false)]);
    assert!(shop.lines().iter().any(|line| {
        line.contains(r#""productID":"b","change":"adjusted","quantity":-8,"inStock":0"#)
            && line.contains(r#""removed":true"#)
    }));
    shop.assert_clean();
    // What is given back to a product that was taken out makes it one again.
    inventory.release(&order(1)).unwrap();
    assert_eq!(
        ["a", "b", "c", "d"].map(stock),
        [Some(10), Some(2), Some(7), Some(5)]
    );
    let reopened = shop.open();
    assert_eq!(reopened.products().unwrap(), inventory.products().unwrap());
    shop.assert_clean();
}

#[test]
fn what_else_stands_in_the_file_is_kept_and_its_layout_is_no_edit() {
    let shop = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(1)).unwrap();
    shop.write(r#"{"productID":"123456","inStock":999,"orderID":"order-1","shelf":"B4"}"#);
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 999);
    assert_eq!(shop.lines().len(), 1);
    inventory.reserve(&order(2), &units(1)).unwrap();
    assert!(shop.text().starts_with('{') && shop.text().contains(r#""shelf": "B4""#));
    shop.open().reserve(&order(3), &units(1)).unwrap();
    assert!(shop.text().contains(r#""shelf": "B4""#));
    shop.assert_clean();
}

#[test]
fn a_missing_file_is_written_anew_and_a_missing_ledger_begun() {
    let shop = Shop::with(&[("a", 10), ("b", 20)]);
    let inventory = shop.open();
    inventory.reserve(&order(1), &[Item::new("a", 4)]).unwrap();
    let text = shop.text();
    for reopen in [false, true] {
        fs::remove_file(&shop.path).unwrap();
        assert_eq!(shop.audit().pending, Some(Pending::FileBehind));
        let inventory = if reopen {
            shop.open()
        } else {
            inventory.clone()
        };
        assert_eq!(inventory.products().unwrap().len(), 2);
        assert_eq!(shop.text(), text);
    }
    for reopen in [false, true] {
        fs::remove_file(shop.ledger()).unwrap();
        let inventory = if reopen {
            shop.open()
        } else {
            inventory.clone()
        };
        assert_eq!(inventory.stock("a").unwrap(), 6);
        assert!(shop.lines().is_empty());
        // Nobody remembers the order any more.
        assert!(is_reserved(
            &inventory.reserve(&order(1), &[Item::new("a", 1)]).unwrap()
        ));
        inventory.release(&order(1)).unwrap();
        shop.assert_clean();
    }
}

#[test]
fn a_folder_that_is_deleted_while_open_is_begun_anew() {
    let shop = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(999)).unwrap();
    fs::remove_dir_all(shop.path.parent().unwrap()).unwrap();
    assert!(is_reserved(
        &inventory.reserve(&order(1), &units(10)).unwrap()
    ));
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 990);
    shop.assert_clean();
}

#[test]
fn a_ledger_that_is_replaced_while_open_is_read_anew() {
    let shop = Shop::empty();
    let other = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(10)).unwrap();
    let theirs = other.open();
    theirs.reserve(&order(2), &units(500)).unwrap();
    theirs.reserve(&order(3), &units(100)).unwrap();
    // Written over in place: the same file, longer than before.
    fs::write(shop.ledger(), fs::read(other.ledger()).unwrap()).unwrap();
    shop.write(&other.text());
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 400);
    assert!(is_reserved(
        &inventory.reserve(&order(1), &units(1)).unwrap()
    ));
    assert!(matches!(
        inventory.reserve(&order(2), &units(500)).unwrap(),
        Reservation::Reserved { already: true, .. }
    ));
    shop.assert_clean();
}

#[test]
fn a_damaged_ledger_is_reported_with_its_line_and_left_as_it_is() {
    let shop = Shop::empty();
    let inventory = shop.open();
    for number in 1..=4 {
        inventory.reserve(&order(number), &units(10)).unwrap();
    }
    let whole = fs::read_to_string(shop.ledger()).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let third = |line: &str| {
        let mut lines = lines.clone();
        lines[2] = line;
        lines.join("\n") + "\n"
    };
    let damages = [
        (third("not JSON"), "line 3, column"),
        (third(""), "line 3"),
        (third(&lines[2][..40]), "line 3, column"),
        (
            third(&lines[2].replace("reserved", "eaten")),
            "unknown variant `eaten`",
        ),
        (
            third(&lines[2].replace("\"seq\":3", "\"seq\":5")),
            "seq is 5, expected 3",
        ),
        (
            third(&lines[2].replace("970", "971")),
            "line 3: inStock 971 does not follow from 980",
        ),
        (third(&lines[2].replace(":10,", ":-10,")), "negative"),
        (third(&lines[2].replace("970", "-1")), "line 3, column"),
        (
            third(&lines[2].replace("order-3/", "order-2/")),
            "line 3: key",
        ),
        (
            third(&lines[2].replace("\"key\"", "\"kee\"")),
            "missing field `key`",
        ),
        (lines[1..].join("\n") + "\n", "line 1: seq is 2, expected 1"),
        (
            [lines[0], lines[1], lines[3]].join("\n") + "\n",
            "line 3: seq is 4",
        ),
    ];
    for (damaged, expected) in damages {
        fs::write(shop.ledger(), &damaged).unwrap();
        let text = shop.text();
        for error in [
            Inventory::open(&shop.path, now).unwrap_err(),
            shop_error(&shop),
        ] {
            let message = error.to_string();
            assert!(message.contains("ledger.jsonl, line"), "{message}");
            assert!(message.contains(expected), "{message} lacks {expected}");
            assert!(!error.is_permanent());
        }
        assert!(!shop.audit().is_clean());
        assert_eq!(fs::read_to_string(shop.ledger()).unwrap(), damaged);
        assert_eq!(shop.text(), text);
        fs::write(shop.ledger(), &whole).unwrap();
        assert_eq!(shop.open().stock(PRODUCT).unwrap(), 960);
    }
    assert_eq!(inventory.stock(PRODUCT).unwrap(), 960);
    shop.assert_clean();
}

/// What a change comes to on the files as they are.
fn shop_error(shop: &Shop) -> InventoryError {
    let inventory = Inventory::open(&shop.path, now);
    inventory
        .and_then(|inventory| inventory.reserve(&order(99), &units(1)))
        .unwrap_err()
}

#[test]
fn a_damaged_inventory_file_is_reported_and_left_until_it_is_mended() {
    let shop = Shop::empty();
    let inventory = shop.open();
    inventory.reserve(&order(1), &units(10)).unwrap();
    let whole = shop.text();
    let ledger = fs::read(shop.ledger()).unwrap();
    let damages = [
        String::new(),
        whole[..30].to_owned(),
        whole.replace("990", "-990"),
        whole.replace("990", "many"),
        whole.replace("inStock", "inStok"),
        format!("[{whole},{whole}]"),
        "[]".to_owned(),
    ];
    for damaged in damages {
        shop.write(&damaged);
        let error = inventory.reserve(&order(2), &units(1)).unwrap_err();
        assert!(!error.is_permanent());
        assert!(error.to_string().contains("inventory.json"), "{error}");
        assert!(!shop.audit().is_clean());
        assert_eq!(shop.text(), damaged);
        assert_eq!(fs::read(shop.ledger()).unwrap(), ledger);
        shop.write(&whole);
        assert_eq!(inventory.stock(PRODUCT).unwrap(), 990);
    }
    assert!(is_reserved(
        &inventory.reserve(&order(2), &units(1)).unwrap()
    ));
    shop.assert_clean();
}
