//! What an order's steps do, seen from outside, on both stores.

mod common;

use common::{PRODUCT, Store, is_reserved, now, order, units};
use inventory::{
    CAPACITY, Change, Entry, Inventory, InventoryError, Placement, Reservation, Standing,
};
use orders::Item;

on_both_stores! {
    a_retry_of_each_step_finds_its_own_effect,
    a_second_submission_is_a_duplicate_until_the_first_is_released,
    undoing_happens_once_and_only_for_what_was_done,
    nothing_is_charged_or_shipped_that_is_not_held,
    an_order_of_several_products_is_reserved_wholly_or_not_at_all,
    orders_that_cannot_be_are_refused_for_good,
    the_supplier_delivers_up_to_the_capacity_and_only_if_needed,
    a_late_charge_is_refused_after_its_refund,
    an_order_belongs_to_the_inventory_in_which_it_was_begun,
    a_person_sets_the_stock,
    the_ledger_is_read_in_parts,
    orders_with_strange_ids_are_told_apart,
}

/// What the ledger has, apart from stock that a person set.
async fn lines(inventory: &Inventory) -> Vec<Entry> {
    let mut lines = inventory.ledger(0, 1_000).await.unwrap();
    lines.retain(|line| line.change != Change::Adjusted);
    lines
}

async fn a_retry_of_each_step_finds_its_own_effect(store: Store) {
    let (one, other) = (order(1), order(2));
    let mut number = None;
    for attempt in 0..3 {
        let already = attempt > 0;
        // The folder is opened anew, as after a crash.
        let inventory = store.open().await;
        let Reservation::Reserved {
            items,
            already: again,
        } = inventory.reserve(&one, &units(10)).await.unwrap()
        else {
            panic!("not reserved");
        };
        assert_eq!((items[0].in_stock, again), (990, already));
        let charge = inventory.record_charge(&one, "VISA").await.unwrap();
        assert_eq!(charge.already, already);
        let number = number.get_or_insert(charge.number.clone());
        assert!(number.starts_with("charge-"));
        assert_eq!(*number, charge.number);
        let shipment = inventory
            .record_shipment(&one, &units(10)[0], None)
            .await
            .unwrap();
        assert_eq!(shipment.already, already);
        let delivery = inventory.restock(&one, PRODUCT, 1, 0).await.unwrap();
        assert_eq!((delivery.quantity, delivery.in_stock), (9_010, 10_000));
        assert_eq!(delivery.confirmation.unwrap().already, already);
        // Others go on in between: the figures stay those of the time.
        inventory.reserve(&other, &units(7)).await.unwrap();
    }
    assert_eq!(lines(&store.open().await).await.len(), 5);
    store.assert_clean().await;
}

async fn a_second_submission_is_a_duplicate_until_the_first_is_released(store: Store) {
    let inventory = store.open().await;
    let first = Placement::new("order-1", "run-1");
    let second = Placement::new("order-1", "run-2");
    inventory.reserve(&first, &units(10)).await.unwrap();
    let expected = Reservation::Duplicate {
        placed_at: now(),
        submission: "run-1".into(),
        items: units(10).to_vec(),
    };
    assert_eq!(
        inventory.reserve(&second, &units(10)).await.unwrap(),
        expected
    );
    // Whatever it asks for, and however much came in between.
    for number in 2..50 {
        inventory.reserve(&order(number), &units(1)).await.unwrap();
    }
    assert_eq!(
        inventory.reserve(&second, &units(999)).await.unwrap(),
        expected
    );
    assert_eq!(inventory.release(&first).await.unwrap().items.len(), 1);
    assert!(is_reserved(
        &inventory.reserve(&second, &units(3)).await.unwrap()
    ));
    // A late attempt of the first one changes nothing.
    let late = inventory.reserve(&first, &units(10)).await.unwrap_err();
    assert!(matches!(late, InventoryError::Undone { .. }), "{late}");
    assert!(inventory.release(&first).await.unwrap().already);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1000 - 48 - 3);
    store.assert_clean().await;
}

async fn undoing_happens_once_and_only_for_what_was_done(store: Store) {
    let inventory = store.open().await;
    let nothing = Placement::new("order-1", "run-0");
    assert!(inventory.release(&nothing).await.unwrap().items.is_empty());
    assert_eq!(inventory.record_refund(&nothing).await.unwrap(), None);
    assert_eq!(
        inventory.record_recall(&nothing, PRODUCT).await.unwrap(),
        None
    );
    let placement = order(1);
    inventory.reserve(&placement, &units(10)).await.unwrap();
    inventory.record_charge(&placement, "VISA").await.unwrap();
    inventory
        .record_shipment(&placement, &units(10)[0], None)
        .await
        .unwrap();
    for already in [false, true] {
        let recall = inventory
            .record_recall(&placement, PRODUCT)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(recall.already, already);
        let refund = inventory.record_refund(&placement).await.unwrap().unwrap();
        assert_eq!(refund.already, already);
        let released = inventory.release(&placement).await.unwrap().items;
        assert_eq!((released[0].quantity, released[0].in_stock), (10, 1000));
    }
    // The first one closed what it found nothing of.
    assert_eq!(lines(&inventory).await.len(), 1 + 6);
    store.assert_clean().await;
    assert_eq!(store.audit().await.count(Standing::Undone), 1);
}

async fn nothing_is_charged_or_shipped_that_is_not_held(store: Store) {
    let inventory = store.open().await;
    let placement = order(1);
    let refused = |result: Result<_, InventoryError>| {
        let error = result.unwrap_err();
        assert!(
            matches!(error, InventoryError::NotReserved { .. }),
            "{error}"
        );
        assert!(error.is_permanent());
    };
    refused(inventory.record_charge(&placement, "VISA").await);
    refused(
        inventory
            .record_shipment(&placement, &units(1)[0], None)
            .await,
    );
    inventory.reserve(&placement, &units(10)).await.unwrap();
    refused(
        inventory
            .record_shipment(&placement, &units(11)[0], None)
            .await,
    );
    assert_eq!(lines(&inventory).await.len(), 1);
}

async fn an_order_of_several_products_is_reserved_wholly_or_not_at_all(store: Store) {
    let inventory = store.with(&[("a", 10), ("b", 5)]).await;
    let placement = order(1);
    let items = |a, b| [Item::new("a", a), Item::new("b", b), Item::new("a", 1)];
    assert_eq!(
        inventory.reserve(&placement, &items(2, 6)).await.unwrap(),
        Reservation::Short {
            product: "b".into(),
            needed: 6,
            in_stock: 5
        }
    );
    assert!(lines(&inventory).await.is_empty());
    assert!(is_reserved(
        &inventory.reserve(&placement, &items(2, 5)).await.unwrap()
    ));
    let figures = async || {
        let stock = async |product| inventory.stock(product).await.unwrap();
        (stock("a").await, stock("b").await)
    };
    assert_eq!(figures().await, (7, 0));
    let changed = inventory
        .reserve(&placement, &items(1, 5))
        .await
        .unwrap_err();
    assert!(matches!(changed, InventoryError::Changed { .. }));
    let fewer = inventory
        .reserve(&placement, &items(2, 5)[..1])
        .await
        .unwrap_err();
    assert!(matches!(fewer, InventoryError::Changed { .. }));
    inventory.record_charge(&placement, "VISA").await.unwrap();
    assert_eq!(inventory.effects("order-1").await.unwrap()[2].quantity, 8);
    assert_eq!(inventory.release(&placement).await.unwrap().items.len(), 2);
    assert_eq!(figures().await, (10, 5));
    let lines = lines(&inventory).await;
    assert!(lines[0].more && !lines[1].more);
    let reopened = store.open().await;
    assert_eq!(reopened.release(&placement).await.unwrap().items.len(), 2);
    store.assert_clean().await;
}

async fn orders_that_cannot_be_are_refused_for_good(store: Store) {
    let inventory = store.with(&[("a", 10), ("b", 10_000)]).await;
    let refuse = async |items: &[Item]| {
        let error = inventory.reserve(&order(1), items).await.unwrap_err();
        assert!(error.is_permanent(), "{error}");
        error.to_string()
    };
    assert_eq!(
        refuse(&[Item::new("c", 1)]).await,
        r#"unknown product "c"; known products: 123456, a, b"#
    );
    let over = refuse(&[Item::new("b", 10_001)]).await;
    assert!(over.contains("10001") && over.contains("10000"), "{over}");
    refuse(&[Item::new("a", CAPACITY), Item::new("a", 1)]).await;
    refuse(&[Item::new("a", u32::MAX), Item::new("a", u32::MAX)]).await;
    assert!(
        refuse(&[Item::new("a", 0)])
            .await
            .contains("quantity: must be at least 1")
    );
    refuse(&[]).await;
    assert!(inventory.stock("c").await.unwrap_err().is_permanent());
    assert!(
        inventory
            .restock(&order(1), "c", 1, 0)
            .await
            .unwrap_err()
            .is_permanent()
    );
    assert!(lines(&inventory).await.is_empty());
}

async fn the_supplier_delivers_up_to_the_capacity_and_only_if_needed(store: Store) {
    let inventory = store
        .with(&[("low", 4_999), ("enough", 5_000), ("full", 10_000)])
        .await;
    let restock = async |product: &str, round, needed| {
        let delivery = inventory
            .restock(&order(1), product, round, needed)
            .await
            .unwrap();
        (delivery.quantity, delivery.in_stock)
    };
    assert_eq!(restock("low", 1, 0).await, (5_001, CAPACITY));
    assert_eq!(restock("low", 2, 0).await, (0, CAPACITY));
    assert_eq!(restock("enough", 1, 5_000).await, (0, 5_000));
    assert_eq!(restock("enough", 2, 5_001).await, (5_000, CAPACITY));
    assert_eq!(restock("full", 1, 10_000).await, (0, CAPACITY));
    let over = inventory
        .restock(&order(1), "low", 3, 10_001)
        .await
        .unwrap_err();
    assert!(matches!(over, InventoryError::OverCapacity { .. }));
    let kinds: Vec<_> = inventory.effects("order-1").await.unwrap();
    assert!(kinds.iter().all(|entry| entry.change == Change::Restocked));
    assert_eq!(kinds.len(), 2);
    store.assert_clean().await;
}

/// An attempt that hangs until its order was undone must not take the money.
async fn a_late_charge_is_refused_after_its_refund(store: Store) {
    let inventory = store.open().await;
    let placement = order(1);
    inventory.reserve(&placement, &units(10)).await.unwrap();
    assert_eq!(inventory.record_refund(&placement).await.unwrap(), None);
    let late = inventory
        .record_charge(&placement, "VISA")
        .await
        .unwrap_err();
    assert_eq!(
        late.to_string(),
        "order order-1 cannot be charged: this submission of it has been undone (closed); place the \
         order again"
    );
    inventory.release(&placement).await.unwrap();
    let late = inventory.reserve(&placement, &units(10)).await.unwrap_err();
    assert!(late.is_permanent(), "{late}");
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1_000);
    store.assert_clean().await;
}

async fn an_order_belongs_to_the_inventory_in_which_it_was_begun(store: Store) {
    let (here, elsewhere) = (store.open().await, Store::files().open().await);
    let mut placement = order(7);
    placement.inventory = Some(here.identity().await.unwrap());
    let error = elsewhere.reserve(&placement, &units(1)).await.unwrap_err();
    assert!(!error.is_permanent());
    let error = error.to_string();
    let theirs = placement.inventory.clone().unwrap().location;
    let ours = elsewhere.identity().await.unwrap().location;
    assert!(
        error.starts_with("order-7 belongs to the inventory of "),
        "{error}"
    );
    assert!(error.contains(&theirs) && error.contains(&ours), "{error}");
    assert!(lines(&elsewhere).await.is_empty());
    // It is the same one when it is opened again.
    assert!(is_reserved(
        &store
            .open()
            .await
            .reserve(&placement, &units(1))
            .await
            .unwrap()
    ));
}

async fn a_person_sets_the_stock(store: Store) {
    let inventory = store.with(&[("new", 7)]).await;
    inventory.reserve(&order(1), &units(999)).await.unwrap();
    inventory
        .set_stock(PRODUCT, 500, "the presenter")
        .await
        .unwrap();
    inventory
        .set_stock(PRODUCT, 500, "nobody, as nothing changes")
        .await
        .unwrap();
    let over = inventory
        .set_stock(PRODUCT, CAPACITY + 1, "the presenter")
        .await
        .unwrap_err();
    assert!(matches!(over, InventoryError::OverCapacity { .. }));
    let products = inventory.products().await.unwrap();
    let products: Vec<_> = products
        .iter()
        .map(|it| (&*it.product, it.in_stock))
        .collect();
    assert_eq!(products, [(PRODUCT, 500), ("new", 7)]);
    let set = inventory.ledger(0, 100).await.unwrap();
    let set = set.last().unwrap();
    assert_eq!(
        (set.change, set.quantity, set.in_stock),
        (Change::Adjusted, 499, Some(500))
    );
    assert_eq!((&*set.order_id, set.submission()), ("the presenter", None));
    store.assert_clean().await;
}

async fn the_ledger_is_read_in_parts(store: Store) {
    let inventory = store.open().await;
    for number in 0..5 {
        inventory.reserve(&order(number), &units(1)).await.unwrap();
    }
    let all = inventory.ledger(0, 100).await.unwrap();
    let numbers: Vec<_> = all.iter().map(|entry| entry.seq).collect();
    assert!(numbers.is_sorted());
    let rest = inventory.ledger(all[1].seq, 2).await.unwrap();
    assert_eq!(rest, all[2..4]);
    assert!(inventory.ledger(u64::MAX, 2).await.unwrap().is_empty());
}

/// IDs that would be something else in a path, a pattern or a statement.
async fn orders_with_strange_ids_are_told_apart(store: Store) {
    let inventory = store.open().await;
    let ids = [
        "a",
        "a/",
        "a/b",
        "a%",
        "a%2F",
        "a0",
        "%",
        "_",
        "a'; drop table x; --",
        "ä\u{10ffff}",
    ];
    for id in ids {
        let placement = Placement::new(id, "run");
        assert!(
            is_reserved(&inventory.reserve(&placement, &units(1)).await.unwrap()),
            "{id}"
        );
        inventory.record_charge(&placement, "VISA").await.unwrap();
    }
    for id in ids {
        assert_eq!(inventory.effects(id).await.unwrap().len(), 2, "{id}");
    }
    store.assert_clean().await;
}
