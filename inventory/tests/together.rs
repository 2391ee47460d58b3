//! Several tasks, and several processes, on one inventory; processes that are killed. On both stores.

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use common::{PRODUCT, Store, assert_clean, is_reserved, now, order, units};
use futures::future::join_all;
use inventory::{Inventory, InventoryError, Location, Placement, Reservation, Standing};

on_both_stores! {
    tasks_lose_nothing_of_each_other,
    of_many_submissions_at_once_one_gets_the_order_and_the_last_unit,
    of_submissions_that_name_different_products_one_gets_the_order,
    a_charge_that_meets_a_refund_comes_before_it_or_not_at_all,
    people_who_set_a_new_stock_at_once_follow_each_other,
    orders_that_share_products_do_not_wait_for_each_other_for_ever,
    processes_lose_nothing_of_each_other,
    processes_that_start_at_once_make_one_inventory,
    a_process_killed_at_any_time_leaves_an_inventory_that_adds_up,
}

/// The inventory of a child process.
const LOCATION: &str = "INVENTORY_TEST_LOCATION";
/// What it is to do there.
const TASK: &str = "INVENTORY_TEST_TASK";

/// Tries again as an activity does: on a machine that is starved, PostgreSQL ends a session that stands still for
/// seconds, and the next attempt finds what the one before it did.
async fn tried<T, F>(attempt: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, InventoryError>>,
{
    for _ in 0..5 {
        match attempt().await {
            Err(InventoryError::Database { .. }) => {}
            other => return other.unwrap(),
        }
    }
    attempt().await.unwrap()
}

/// Every step of an order of one unit.
async fn process(inventory: &Inventory, placement: &Placement) {
    let items = units(1);
    let reservation = tried(|| inventory.reserve(placement, &items)).await;
    assert!(is_reserved(&reservation), "{reservation:?}");
    tried(|| inventory.record_charge(placement, "VISA")).await;
    tried(|| inventory.record_shipment(placement, &items[0], None)).await;
    tried(|| inventory.restock(placement, PRODUCT, 1, 0)).await;
}

async fn tasks_lose_nothing_of_each_other(store: Store) {
    let (one, other) = (store.open().await, store.open().await);
    let tasks = (0..16).map(|number| {
        // Two handles: the tasks of each share what it knows, and the two exclude each other as
        // processes do.
        let inventory = if number % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            for index in 0..10 {
                process(&inventory, &order(number * 1000 + index)).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let audit = store.audit().await;
    assert_eq!(audit.count(Standing::Completed), 160);
    assert_eq!(audit.products[0].reserved, 160);
    store.assert_clean().await;
}

async fn of_many_submissions_at_once_one_gets_the_order_and_the_last_unit(store: Store) {
    let inventory = store.with(&[(PRODUCT, 10)]).await;
    let one_order = (0..16).map(|number| {
        let placement = Placement::new("order-1", format!("run-{number}"));
        let inventory = &inventory;
        async move { inventory.reserve(&placement, &units(7)).await.unwrap() }
    });
    let results = join_all(one_order).await;
    assert_eq!(results.iter().filter(|it| is_reserved(it)).count(), 1);
    let duplicate = |it: &&Reservation| matches!(it, Reservation::Duplicate { .. });
    assert_eq!(results.iter().filter(duplicate).count(), 15);
    let others = (2..10).map(|number| {
        let inventory = &inventory;
        async move { inventory.reserve(&order(number), &units(2)).await.unwrap() }
    });
    let others = join_all(others).await;
    assert_eq!(others.iter().filter(|it| is_reserved(it)).count(), 1);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1);
    store.assert_clean().await;
}

/// They have no stock row in common, so only the lock on the order keeps them apart.
async fn of_submissions_that_name_different_products_one_gets_the_order(store: Store) {
    let products = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let inventory = store.with(&products.map(|product| (product, 10))).await;
    for number in 0..10 {
        let submissions = products.map(|product| {
            let placement = Placement::new(format!("order-{number}"), format!("run-{product}"));
            let inventory = &inventory;
            let items = [orders::Item::new(product, 1)];
            async move { inventory.reserve(&placement, &items).await.unwrap() }
        });
        let results = join_all(submissions).await;
        assert_eq!(results.iter().filter(|it| is_reserved(it)).count(), 1);
    }
    store.assert_clean().await;
}

async fn a_charge_that_meets_a_refund_comes_before_it_or_not_at_all(store: Store) {
    let inventory = store.open().await;
    for number in 0..20 {
        let placement = order(number);
        inventory.reserve(&placement, &units(1)).await.unwrap();
        let (charge, refund) = tokio::join!(
            inventory.record_charge(&placement, "VISA"),
            inventory.record_refund(&placement)
        );
        assert_eq!(charge.is_ok(), refund.unwrap().is_some());
        inventory.release(&placement).await.unwrap();
    }
    assert_eq!(store.audit().await.count(Standing::Undone), 20);
    store.assert_clean().await;
}

/// A product that does not exist yet has no stock row to lock.
async fn people_who_set_a_new_stock_at_once_follow_each_other(store: Store) {
    let inventory = store.open().await;
    for product in ["new 1", "new 2", "new 3"] {
        let people = (1..=8).map(|number| {
            let (inventory, by) = (&inventory, format!("person {number}"));
            async move { inventory.set_stock(product, number, &by).await.unwrap() }
        });
        join_all(people).await;
    }
    store.assert_clean().await;
}

/// Each order names the same products in another order, and is undone while others are placed.
async fn orders_that_share_products_do_not_wait_for_each_other_for_ever(store: Store) {
    let inventory = store
        .with(&[("a", 10_000), ("b", 10_000), ("c", 10_000)])
        .await;
    let tasks = (0..24).map(|number: u32| {
        let inventory = inventory.clone();
        tokio::spawn(async move {
            let mut products = ["a", "b", "c"];
            products.rotate_left(number as usize % 3);
            if number.is_multiple_of(2) {
                products.reverse();
            }
            let items = products.map(|product| orders::Item::new(product, 1));
            let order = order(number);
            tried(|| inventory.reserve(&order, &items)).await;
            tried(|| inventory.release(&order)).await;
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(inventory.stock("a").await.unwrap(), 10_000);
    store.assert_clean().await;
}

async fn processes_lose_nothing_of_each_other(store: Store) {
    let children: Vec<_> = (0..4)
        .map(|number| spawn(&store.location, &format!("orders {number}")))
        .collect();
    // This process takes part.
    let inventory = store.open().await;
    for index in 0..20 {
        process(&inventory, &order(900 + index)).await;
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let audit = store.audit().await;
    assert_eq!(audit.count(Standing::Completed), 100);
    assert_eq!(audit.products[0].reserved, 100);
    // What others did counts here too.
    let again = Placement::new("order-19", "again");
    let again = inventory.reserve(&again, &units(1)).await.unwrap();
    assert!(matches!(again, Reservation::Duplicate { .. }));
    store.assert_clean().await;
}

async fn processes_that_start_at_once_make_one_inventory(store: Store) {
    let children: Vec<_> = (0..8)
        .map(|_| spawn(&store.location, "identity 0"))
        .collect();
    let identities = children.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let output = String::from_utf8(output.stdout).unwrap();
        let identity = output
            .lines()
            .find_map(|line| line.strip_prefix("identity-"));
        identity.unwrap().to_owned()
    });
    let mut identities: Vec<_> = identities.collect();
    identities.dedup();
    assert_eq!(identities.len(), 1, "{identities:?}");
    store.assert_clean().await;
}

async fn a_process_killed_at_any_time_leaves_an_inventory_that_adds_up(store: Store) {
    for round in 0..12 {
        let mut child = spawn(&store.location, &format!("endless {round}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut output = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("order-"));
        let mut reported = Vec::new();
        // Killed after some changes, at another moment of the next one each time.
        for _ in 0..=(round * 3 % 7) {
            reported.push(output.next().unwrap());
        }
        for _ in 0..(round * 4_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it reported is there.
        reported.extend(output);
        let inventory = store.open().await;
        for order in reported {
            let effects = inventory.effects(&order).await.unwrap();
            assert!(!effects.is_empty(), "{order} is lost");
        }
        store.assert_clean().await;
    }
    assert!(store.audit().await.orders.len() > 12);
}

fn spawn(location: &Location, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(LOCATION, location.reveal())
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "not a test: what the tests above run in a process of its own"]
async fn child() {
    let Some(location) = std::env::var_os(LOCATION).map(Location::from) else {
        return;
    };
    let task = std::env::var(TASK).unwrap();
    let (task, number) = task.split_once(' ').unwrap();
    let number: u32 = number.parse().unwrap();
    let inventory = Inventory::open(&location, now).await.unwrap();
    match task {
        "orders" => {
            for index in 0..20 {
                process(&inventory, &order(number * 20 + index)).await;
            }
        }
        "identity" => println!("identity-{}", inventory.identity().await.unwrap().id),
        "endless" => {
            let lanes = (0..3).map(async |lane| {
                for index in 0.. {
                    let placement = order((number * 3 + lane) * 100_000 + index);
                    process(&inventory, &placement).await;
                    println!("{}", placement.order_id);
                }
            });
            join_all(lanes).await;
        }
        other => panic!("unknown task {other}"),
    }
    assert_clean(&location).await;
}
