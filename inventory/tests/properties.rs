//! Any steps, in any order: both stores give the same answers, and everything adds up in each.

mod common;

use common::{Shop, Store};
use inventory::{Inventory, Placement};
use orders::Item;
use proptest::prelude::*;

const PRODUCTS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Step {
    Reserve([u32; 2]),
    Charge,
    Ship(usize, u32),
    Recall(usize),
    Refund,
    Release,
    Restock(usize, u32),
    SetStock(usize, u32),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => [0..400u32, 0..400u32].prop_map(Step::Reserve),
        4 => Just(Step::Charge),
        4 => (0..2usize, 0..400u32).prop_map(|(product, units)| Step::Ship(product, units)),
        1 => (0..2usize).prop_map(Step::Recall),
        1 => Just(Step::Refund),
        2 => Just(Step::Release),
        2 => (0..2usize, 0..2u32).prop_map(|(product, round)| Step::Restock(product, round)),
        1 => (0..2usize, 0..11_000u32).prop_map(|(product, units)| Step::SetStock(product, units)),
        1 => Just(Step::Reopen),
    ]
}

/// Takes a step, and returns the answer as text. Confirmations have numbers that differ between stores.
async fn take(inventory: &Inventory, who: &Placement, step: &Step) -> String {
    let answer = match step {
        Step::Reserve(quantities) => {
            let items = PRODUCTS
                .iter()
                .zip(quantities)
                .filter(|(_, quantity)| **quantity > 0);
            let items: Vec<_> = items
                .map(|(id, quantity)| Item::new(*id, *quantity))
                .collect();
            format!("{:?}", inventory.reserve(who, &items).await)
        }
        Step::Charge => format!("{:?}", inventory.record_charge(who, "VISA").await),
        Step::Ship(product, units) => {
            // Nothing is shipped before it is charged.
            if let Err(refused) = inventory.record_charge(who, "VISA").await {
                return format!("{refused:?}");
            }
            let item = Item::new(PRODUCTS[*product], *units);
            format!("{:?}", inventory.record_shipment(who, &item, None).await)
        }
        Step::Recall(product) => {
            format!(
                "{:?}",
                inventory.record_recall(who, PRODUCTS[*product]).await
            )
        }
        Step::Refund => format!("{:?}", inventory.record_refund(who).await),
        Step::Release => format!("{:?}", inventory.release(who).await),
        Step::Restock(product, round) => {
            format!(
                "{:?}",
                inventory.restock(who, PRODUCTS[*product], *round, 0).await
            )
        }
        Step::SetStock(product, units) => {
            format!(
                "{:?}",
                inventory
                    .set_stock(PRODUCTS[*product], *units, "a person")
                    .await
            )
        }
        Step::Reopen => String::new(),
    };
    let mut text = String::new();
    // "charge-000007" becomes "charge-".
    for part in answer.split_inclusive('-') {
        text += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_stores_give_the_same_answers(
        steps in prop::collection::vec((0..3u8, 0..2u8, step()), 1..60),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let stores = [Store::files(), Store::postgres()];
            let mut open = Vec::new();
            for store in &stores {
                open.push(store.with(&[("a", 1_000), ("b", 1_000)]).await);
            }
            for (order, submission, step) in &steps {
                let who = Placement::new(format!("order_{order}"), format!("run_{submission}"));
                let files = take(&open[0], &who, step).await;
                assert_eq!(files, take(&open[1], &who, step).await, "{step:?}");
                if matches!(step, Step::Reopen) {
                    open = vec![stores[0].open().await, stores[1].open().await];
                }
            }
            let products = open[0].products().await.unwrap();
            assert_eq!(products, open[1].products().await.unwrap());
            for store in &stores {
                store.assert_clean().await;
            }
        });
    }

    #[test]
    fn no_text_in_the_files_makes_it_panic(
        ledger in "([a-z0-9{}\":,\\[\\]\\n-]|\\{\"seq\":1,){0,80}",
        file in "([a-z0-9{}\":,\\[\\]\\n-]|\"inStock\":){0,80}",
    ) {
        let shop = Shop::with(&[]);
        shop.write(&file);
        std::fs::write(shop.ledger(), &ledger).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let opened = Inventory::open(&shop.location, common::now).await;
            assert!(opened.is_err());
            assert_eq!(shop.text(), file);
            let inventory = Inventory::at(&shop.location, common::now).unwrap();
            let _ = inventory.audit().await;
        });
    }
}
