//! Whatever happens in whatever order: nothing below zero, nothing lost,
//! nothing twice.

mod common;

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use common::Shop;
use inventory::{CAPACITY, Inventory, InventoryError, Placement, Reservation, Stock};
use orders::Item;
use proptest::prelude::*;

const PRODUCTS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        order: u8,
        submission: u8,
        quantities: [u32; 2],
    },
    Charge {
        order: u8,
        submission: u8,
    },
    Ship {
        order: u8,
        submission: u8,
        product: usize,
    },
    Refund {
        order: u8,
        submission: u8,
    },
    Recall {
        order: u8,
        submission: u8,
        product: usize,
    },
    Release {
        order: u8,
        submission: u8,
    },
    Restock {
        order: u8,
        product: usize,
        round: u8,
    },
    /// The program ends and starts again.
    Reopen,
    /// A crash while the last change was being written: so many bytes of it
    /// are missing, and the other files are as before it.
    Crash {
        missing: usize,
    },
    /// A crash between the ledger and the inventory file.
    StaleFile,
    Edit {
        product: usize,
        in_stock: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..4u8, 0..2u8);
    prop_oneof![
        6 => (who(), [0..700u32, 0..700u32]).prop_map(|((order, submission), quantities)| {
            Step::Reserve { order, submission, quantities }
        }),
        3 => who().prop_map(|(order, submission)| Step::Charge { order, submission }),
        3 => (who(), 0..2usize).prop_map(|((order, submission), product)| {
            Step::Ship { order, submission, product }
        }),
        1 => who().prop_map(|(order, submission)| Step::Refund { order, submission }),
        1 => (who(), 0..2usize).prop_map(|((order, submission), product)| {
            Step::Recall { order, submission, product }
        }),
        2 => who().prop_map(|(order, submission)| Step::Release { order, submission }),
        2 => (0..4u8, 0..2usize, 0..2u8).prop_map(|(order, product, round)| {
            Step::Restock { order, product, round }
        }),
        2 => Just(Step::Reopen),
        2 => (0..600usize).prop_map(|missing| Step::Crash { missing }),
        1 => Just(Step::StaleFile),
        1 => (0..2usize, 0..11_000u32).prop_map(|(product, in_stock)| {
            Step::Edit { product, in_stock }
        }),
    ]
}

/// The same rules, told as simply as can be.
#[derive(Debug, Clone, Default)]
struct Model {
    stock: [i64; 2],
    /// What each placement reserved, and whether it still holds it.
    reserved: HashMap<(u8, u8), ([u32; 2], bool)>,
    done: HashSet<String>,
}

impl Model {
    fn holds(&self, who: (u8, u8)) -> bool {
        self.reserved.get(&who).is_some_and(|(_, held)| *held)
    }
}

struct World {
    shop: Shop,
    inventory: Inventory,
    model: Model,
    /// Before the last change: the model and the three files.
    before: Option<(Model, Vec<u8>, String, Vec<u8>)>,
}

fn placement((order, submission): (u8, u8)) -> Placement {
    Placement::new(format!("order-{order}"), format!("run-{submission}"))
}

impl World {
    fn new() -> Self {
        let shop = Shop::with(&[("a", 1_000), ("b", 1_000)]);
        let inventory = shop.open().await;
        let model = Model {
            stock: [1_000; 2],
            ..Model::default()
        };
        Self {
            shop,
            inventory,
            model,
            before: None,
        }
    }

    fn files(&self) -> (Vec<u8>, String, Vec<u8>) {
        (
            fs::read(self.shop.ledger()).unwrap(),
            self.shop.text(),
            fs::read(self.shop.lock()).unwrap(),
        )
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Reopen => self.inventory = self.shop.open().await,
            Step::Crash { missing } => self.crash(missing),
            Step::StaleFile => {
                let Some((_, ledger, text, lock)) = self.before.take() else {
                    return;
                };
                // Only a change that the ledger has leaves the file behind it.
                if ledger.len() < fs::read(self.shop.ledger()).unwrap().len() {
                    self.shop.write(&text);
                    fs::write(self.shop.lock(), lock).unwrap();
                }
            }
            Step::Edit { product, in_stock } => {
                let before = self.model.stock[product];
                let file = self.shop.text();
                let mut records: serde_json::Value = serde_json::from_str(&file).unwrap();
                records[product]["inStock"] = in_stock.into();
                records[product]["orderID"] = "by-hand".into();
                self.shop.write(&records.to_string());
                self.model.stock[product] = in_stock.into();
                let lines = self.shop.lines().len();
                self.inventory.products().await.unwrap();
                let adjusted = self.shop.lines().len() - lines;
                assert_eq!(adjusted, usize::from(before != i64::from(in_stock)));
                self.before = None;
            }
            _ => {
                let (ledger, text, lock) = self.files();
                self.before = Some((self.model.clone(), ledger, text, lock));
                self.change(step);
            }
        }
    }

    fn crash(&mut self, missing: usize) {
        let Some((model, ledger, text, lock)) = self.before.take() else {
            return;
        };
        let whole = fs::read(self.shop.ledger()).unwrap();
        let cut = whole.len().saturating_sub(missing).max(ledger.len());
        fs::write(self.shop.ledger(), &whole[..cut]).unwrap();
        self.shop.write(&text);
        fs::write(self.shop.lock(), lock).unwrap();
        let of_several = whole[ledger.len()..]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            > 1;
        let slack = usize::from(!of_several);
        if cut + slack < whole.len() {
            self.model = model;
        }
        self.inventory = self.shop.open().await;
    }

    fn change(&mut self, step: &Step) {
        let inventory = self.inventory.clone();
        let model = &mut self.model;
        match *step {
            Step::Reserve {
                order,
                submission,
                quantities,
            } => {
                let who = (order, submission);
                let items: Vec<_> = PRODUCTS
                    .iter()
                    .zip(quantities)
                    .filter(|(_, quantity)| *quantity > 0)
                    .map(|(product, quantity)| Item::new(*product, quantity))
                    .collect();
                let other_holds = model.holds((order, 1 - submission));
                let own = model.reserved.get(&who).map(|(own, _)| *own);
                let fits = (0..2).all(|it| model.stock[it] >= i64::from(quantities[it]));
                match inventory.reserve(&placement(who), &items).await {
                    Err(InventoryError::InvalidOrder { .. }) => assert!(items.is_empty()),
                    Err(InventoryError::Changed { .. }) => {
                        assert!(own.is_some_and(|own| own != quantities));
                    }
                    Ok(Reservation::Reserved { already: true, .. }) => {
                        assert_eq!(own, Some(quantities));
                    }
                    Ok(Reservation::Duplicate { .. }) => assert!(other_holds),
                    Ok(Reservation::Short { .. }) => assert!(!fits && !other_holds),
                    Ok(Reservation::Reserved { .. }) => {
                        assert!(own.is_none() && fits && !other_holds);
                        model.reserved.insert(who, (quantities, true));
                        for (stock, quantity) in model.stock.iter_mut().zip(quantities) {
                            *stock -= i64::from(quantity);
                        }
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Charge { order, submission } => {
                let key = format!("{order}/{submission}/charge");
                let result = inventory
                    .record_charge(&placement((order, submission)), "VISA")
                    .await;
                let allowed = model.holds((order, submission));
                Self::once(model, key, allowed, result.map(|it| it.already));
            }
            Step::Ship {
                order,
                submission,
                product,
            } => {
                let who = (order, submission);
                let held = model.reserved.get(&who).filter(|(_, held)| *held);
                let units = held.map_or(1, |(quantities, _)| quantities[product].max(1));
                let allowed = held.is_some_and(|(quantities, _)| quantities[product] > 0);
                // Nothing ships before it is charged, as in the process.
                if !model.done.contains(&format!("{order}/{submission}/charge")) {
                    return;
                }
                let item = Item::new(PRODUCTS[product], units);
                let result = inventory
                    .record_shipment(&placement(who), &item, None)
                    .await;
                let key = format!("{order}/{submission}/ship/{product}");
                Self::once(model, key, allowed, result.map(|it| it.already));
            }
            Step::Refund { order, submission } => {
                let result = inventory
                    .record_refund(&placement((order, submission)))
                    .await
                    .unwrap();
                let charged = model.done.contains(&format!("{order}/{submission}/charge"));
                assert_eq!(result.is_some(), charged);
                if let Some(refund) = result {
                    let key = format!("{order}/{submission}/refund");
                    assert_eq!(refund.already, !model.done.insert(key));
                }
            }
            Step::Recall {
                order,
                submission,
                product,
            } => {
                let placement = placement((order, submission));
                let result = inventory
                    .record_recall(&placement, PRODUCTS[product])
                    .await
                    .unwrap();
                let shipped = format!("{order}/{submission}/ship/{product}");
                assert_eq!(result.is_some(), model.done.contains(&shipped));
                if let Some(recall) = result {
                    let key = format!("{order}/{submission}/recall/{product}");
                    assert_eq!(recall.already, !model.done.insert(key));
                }
            }
            Step::Release { order, submission } => {
                let who = (order, submission);
                let released: Vec<Stock> = inventory.release(&placement(who)).await.unwrap().items;
                if let Some((quantities, held)) = model.reserved.get_mut(&who)
                    && std::mem::take(held)
                {
                    assert!(!released.is_empty());
                    for (stock, quantity) in model.stock.iter_mut().zip(*quantities) {
                        *stock += i64::from(quantity);
                    }
                }
            }
            Step::Restock {
                order,
                product,
                round,
            } => {
                let placement = placement((order, 0));
                let delivery = inventory
                    .restock(&placement, PRODUCTS[product], round.into(), 0)
                    .await
                    .unwrap();
                let key = format!("{order}/0/restock-{round}/{product}");
                if delivery.confirmation.is_some_and(|it| !it.already) {
                    assert!(model.done.insert(key));
                    model.stock[product] += i64::from(delivery.quantity);
                    assert_eq!(model.stock[product], i64::from(CAPACITY));
                }
            }
            _ => unreachable!("not a change"),
        }
    }

    fn once(model: &mut Model, key: String, allowed: bool, result: Result<bool, InventoryError>) {
        match result {
            Ok(true) => assert!(model.done.contains(&key)),
            Ok(false) => assert!(allowed && model.done.insert(key)),
            Err(InventoryError::NotReserved { .. }) => assert!(!allowed),
            Err(error) => panic!("{error}"),
        }
    }

    fn check(&self) {
        let products = self.inventory.products().await.unwrap();
        let stock: Vec<_> = products.iter().map(|it| i64::from(it.in_stock)).collect();
        assert_eq!(stock, self.model.stock);
        self.shop.assert_clean().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_and_nothing_happens_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step);
            world.check();
        }
        world.inventory = world.shop.open().await;
        world.check();
    }

    #[test]
    fn no_text_in_the_files_makes_it_panic(
        ledger in "([a-z0-9{}\":,\\[\\]\\n-]|\\{\"seq\":1,){0,80}",
        file in "([a-z0-9{}\":,\\[\\]\\n-]|\"inStock\":){0,80}",
        lock in ".{0,40}",
    ) {
        let shop = Shop::with(&[]);
        shop.write(&file);
        fs::write(shop.ledger(), &ledger).unwrap();
        fs::write(shop.lock(), &lock).unwrap();
        let _ = Inventory::open(&shop.path, common::now);
        prop_assert_eq!(shop.text(), file);
        let _ = inventory::audit(&shop.path);
    }
}
