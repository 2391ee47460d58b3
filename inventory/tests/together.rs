//! Several threads, and several processes, on one inventory; processes that are
//! killed.

mod common;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use common::{PRODUCT, Shop, assert_clean, is_reserved, now, order, units};
use inventory::{Inventory, Placement, Reservation, Standing};

/// The inventory file of a child process.
const FILE: &str = "INVENTORY_TEST_FILE";
/// What it is to do there.
const TASK: &str = "INVENTORY_TEST_TASK";

/// Every step of an order of one unit.
fn process(inventory: &Inventory, placement: &Placement) {
    let reservation = inventory.reserve(placement, &units(1)).await.unwrap();
    assert!(is_reserved(&reservation), "{reservation:?}");
    inventory.record_charge(placement, "VISA").await.unwrap();
    inventory
        .record_shipment(placement, &units(1)[0], None)
        .await
        .unwrap();
    inventory.restock(placement, PRODUCT, 1, 0).await.unwrap();
}

#[tokio::test]
async fn threads_lose_nothing_of_each_other() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    thread::scope(|scope| {
        for number in 0..32 {
            // Two handles: the threads of each share a queue, and the two
            // exclude each other as processes do.
            let inventory = if number % 2 == 0 {
                inventory.clone()
            } else {
                shop.open().await
            };
            scope.spawn(move || {
                for index in 0..10 {
                    process(&inventory, &order(number * 1000 + index)).await;
                }
            });
        }
    });
    let audit = shop.audit().await;
    assert_eq!(audit.count(Standing::Completed), 320);
    assert_eq!(audit.products[0].reserved, 320);
    shop.assert_clean().await;
}

#[tokio::test]
async fn of_many_submissions_at_once_one_gets_the_order_and_the_last_unit() {
    let shop = Shop::with(&[(PRODUCT, 10)]);
    let inventory = shop.open().await;
    let results: Vec<_> = thread::scope(|scope| {
        let attempts = (0..16).map(|number| {
            let inventory = inventory.clone();
            let placement = Placement::new("order-1", format!("run-{number}"));
            scope.spawn(move || inventory.reserve(&placement, &units(7)).await.unwrap())
        });
        let attempts: Vec<_> = attempts.collect();
        attempts.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|it| is_reserved(it)).count(), 1);
    let duplicate = |it: &&Reservation| matches!(it, Reservation::Duplicate { .. });
    assert_eq!(results.iter().filter(duplicate).count(), 15);
    let others: Vec<_> = thread::scope(|scope| {
        let attempts = (2..10).map(|number| {
            let inventory = inventory.clone();
            scope.spawn(move || inventory.reserve(&order(number), &units(2)).await.unwrap())
        });
        let attempts: Vec<_> = attempts.collect();
        attempts.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(others.iter().filter(|it| is_reserved(it)).count(), 1);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 1);
    shop.assert_clean().await;
}

#[tokio::test]
async fn processes_lose_nothing_of_each_other() {
    let shop = Shop::empty();
    let children: Vec<_> = (0..4)
        .map(|number| spawn(&shop.path, &format!("orders {number}")))
        .collect();
    // This process takes part.
    let inventory = shop.open().await;
    for index in 0..20 {
        process(&inventory, &order(900 + index)).await;
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let audit = shop.audit().await;
    assert_eq!(audit.count(Standing::Completed), 100);
    assert_eq!(audit.products[0].reserved, 100);
    // What others did counts here too.
    assert!(matches!(
        inventory
            .reserve(&Placement::new("order-19", "again"), &units(1))
            .await
            .unwrap(),
        Reservation::Duplicate { .. }
    ));
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_process_killed_at_any_time_leaves_an_inventory_that_adds_up() {
    let shop = Shop::empty();
    for round in 0..12 {
        let mut child = spawn(&shop.path, &format!("endless {round}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut output = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("order-"));
        let mut reported = Vec::new();
        // Killed after some changes, at another moment of the next one each
        // time.
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
        let inventory = shop.open().await;
        for order in reported {
            assert!(
                !inventory.effects(&order).await.unwrap().is_empty(),
                "{order} is lost"
            );
        }
        shop.assert_clean().await;
    }
    assert!(shop.audit().await.orders.len() > 12);
}

fn spawn(path: &Path, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(FILE, path)
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "not a test: what the tests above run in a process of its own"]
fn child() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    let task = std::env::var(TASK).unwrap();
    let (task, number) = task.split_once(' ').unwrap();
    let number: u32 = number.parse().unwrap();
    let inventory = Inventory::open(path, now).unwrap();
    match task {
        "orders" => {
            (0..20).for_each(|index| process(&inventory, &order(number * 20 + index)).await)
        }
        "endless" => {
            thread::scope(|scope| {
                for lane in 0..3 {
                    let inventory = &inventory;
                    scope.spawn(move || {
                        for index in 0.. {
                            let placement = order((number * 3 + lane) * 100_000 + index);
                            process(inventory, &placement).await;
                            println!("{}", placement.order_id);
                        }
                    });
                }
            });
        }
        other => panic!("unknown task {other}"),
    }
    assert_clean(inventory.path()).await;
}
