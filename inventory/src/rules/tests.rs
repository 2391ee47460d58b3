//! The rules by themselves: a store that is a list, and no I/O at all.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::audit::Auditor;

/// As simple as a store can be.
#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    stock: BTreeMap<String, u32>,
}

impl List {
    fn with(stock: &[(&str, u32)]) -> Self {
        let level = |(product, units): &(&str, u32)| ((*product).to_owned(), *units);
        Self {
            stock: stock.iter().map(level).collect(),
            ..Self::default()
        }
    }

    fn change<R: Rule>(&mut self, who: &Placement, rule: &R) -> Result<R::Answer, InventoryError> {
        let of_order = |entry: &&Entry| entry.order_id == who.order_id;
        let entries: Vec<_> = self.entries.iter().filter(of_order).cloned().collect();
        let order = OrderPast {
            placement: who,
            entries: &entries,
        };
        let products = rule.products(&order);
        let level = |product: &String| Some((product.clone(), *self.stock.get(product)?));
        let first = self.entries.len() as u64 + 1;
        let facts = Facts {
            order,
            stock: products.iter().filter_map(level).collect(),
            numbers: (first..=first + products.len() as u64).collect(),
            now: SystemTime::UNIX_EPOCH,
        };
        let decision = rule.decide(&facts)?;
        for entry in &decision.entries {
            if let Some(in_stock) = entry.in_stock {
                assert!(
                    products.contains(&entry.product_id),
                    "{entry:?} was not asked for"
                );
                self.stock.insert(entry.product_id.clone(), in_stock);
            }
        }
        self.entries.extend(decision.entries);
        Ok(decision.answer)
    }

    fn check(&self, opening: &[(&str, u32)]) {
        let mut auditor = Auditor::default();
        for (product, units) in opening {
            auditor.open(product, *units);
        }
        for entry in &self.entries {
            auditor.read(entry);
        }
        for (product, units) in &self.stock {
            auditor.found(product, *units);
        }
        auditor.compare();
        let audit = auditor.into_audit();
        assert!(
            audit.is_clean(),
            "{:#?}\n{:#?}",
            audit.findings,
            self.entries
        );
    }
}

const PRODUCTS: [(&str, u32); 2] = [("a", 1_000), ("b", 1_000)];

fn reserve(quantities: [u32; 2]) -> Reserve {
    let items = PRODUCTS.iter().zip(quantities);
    let items = items.filter(|(_, quantity)| *quantity > 0);
    Reserve {
        items: items
            .map(|((id, _), quantity)| Item::new(*id, quantity))
            .collect(),
    }
}

fn charge() -> Charge {
    Charge {
        payment: "VISA".to_owned(),
    }
}

fn ship(product: &str, quantity: u32) -> Ship {
    Ship {
        item: Item::new(product, quantity),
        address: None,
    }
}

fn recall(product: &str) -> Recall {
    Recall {
        product: product.to_owned(),
    }
}

#[test]
fn an_undone_submission_has_no_new_effect() {
    let order = Placement::new("order", "run");
    // Whatever is undone first, and whatever had happened by then.
    for done in 0..4 {
        for undoing in 0..3 {
            let mut store = List::with(&PRODUCTS);
            if done > 0 {
                store.change(&order, &reserve([10, 0])).unwrap();
            }
            if done > 1 {
                store.change(&order, &charge()).unwrap();
            }
            if done > 2 {
                store.change(&order, &ship("a", 10)).unwrap();
            }
            match undoing {
                0 => drop(store.change(&order, &recall("a")).unwrap()),
                1 => drop(store.change(&order, &Refund).unwrap()),
                _ => drop(store.change(&order, &Release).unwrap()),
            }
            let before = store.entries.len();
            let refused = |result: Result<(), InventoryError>| {
                let error = result.unwrap_err();
                assert!(matches!(error, InventoryError::Undone { .. }), "{error}");
                assert!(error.is_permanent());
            };
            refused(store.change(&order, &reserve([10, 0])).map(drop));
            refused(store.change(&order, &charge()).map(drop));
            refused(store.change(&order, &ship("a", 10)).map(drop));
            assert_eq!(store.entries.len(), before);
            // The rest of the undoing goes on, and a retry of each part changes nothing.
            for _ in 0..2 {
                store.change(&order, &recall("a")).unwrap();
                store.change(&order, &Refund).unwrap();
                store.change(&order, &Release).unwrap();
            }
            assert_eq!(store.stock["a"], 1_000);
            store.check(&PRODUCTS);
            // Another submission of the order begins anew.
            let again = Placement::new("order", "another run");
            store.change(&again, &reserve([10, 0])).unwrap();
            store.change(&again, &charge()).unwrap();
        }
    }
}

#[test]
fn an_undoing_that_finds_nothing_leaves_one_entry() {
    let mut store = List::with(&PRODUCTS);
    let order = Placement::new("order", "run");
    assert_eq!(store.change(&order, &recall("a")).unwrap(), None);
    assert_eq!(store.change(&order, &Refund).unwrap(), None);
    let released = store.change(&order, &Release).unwrap();
    assert!(released.items.is_empty() && !released.already);
    let changes: Vec<_> = store.entries.iter().map(|entry| entry.change).collect();
    assert_eq!(changes, [Change::Closed]);
}

#[derive(Debug, Clone)]
enum Step {
    Reserve([u32; 2]),
    Charge,
    Ship(usize),
    Recall(usize),
    Refund,
    Release,
    Restock(usize, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => [0..400u32, 0..400u32].prop_map(Step::Reserve),
        5 => Just(Step::Charge),
        4 => (0..2usize).prop_map(Step::Ship),
        1 => (0..2usize).prop_map(Step::Recall),
        1 => Just(Step::Refund),
        1 => Just(Step::Release),
        1 => (0..2usize, 0..2u32).prop_map(|(product, round)| Step::Restock(product, round)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Orders in any interleaving, each step tried as often as chance has it.
    #[test]
    fn nothing_happens_twice_and_nothing_after_its_undoing(
        steps in prop::collection::vec((0..3u8, 0..2u8, step()), 1..120),
    ) {
        let mut store = List::with(&PRODUCTS);
        // What each submission asked for first, and what was answered.
        let mut reserved: HashMap<(u8, u8), [u32; 2]> = HashMap::new();
        let mut undone: HashSet<(u8, u8)> = HashSet::new();
        for (order, submission, step) in steps {
            let who = Placement::new(format!("order-{order}"), format!("run-{submission}"));
            let me = (order, submission);
            let mut before = store.entries.len();
            let result = match step {
                Step::Reserve(quantities) => {
                    // A retry asks for what was asked for first.
                    let quantities = *reserved.get(&me).unwrap_or(&quantities);
                    let other = (order, 1 - submission);
                    let other_holds = reserved.contains_key(&other) && !undone.contains(&other);
                    store.change(&who, &reserve(quantities)).map(|answer| match answer {
                        Reservation::Reserved { already, .. } => {
                            assert_eq!(already, reserved.insert(me, quantities).is_some());
                        }
                        // An order that is being undone holds its units until they are released.
                        Reservation::Duplicate { .. } => assert!(!reserved.contains_key(&me)),
                        Reservation::Short { .. } => assert!(!other_holds),
                    })
                }
                Step::Charge => store.change(&who, &charge()).map(drop),
                Step::Ship(product) => {
                    let quantity = reserved.get(&me).map_or(1, |it| it[product].max(1));
                    if store.change(&who, &charge()).is_err() {
                        continue;
                    }
                    before = store.entries.len();
                    store.change(&who, &ship(PRODUCTS[product].0, quantity)).map(drop)
                }
                Step::Recall(product) => store.change(&who, &recall(PRODUCTS[product].0)).map(drop),
                Step::Refund => store.change(&who, &Refund).map(drop),
                Step::Release => store.change(&who, &Release).map(drop),
                Step::Restock(product, round) => {
                    let product = PRODUCTS[product].0.to_owned();
                    store.change(&who, &Restock { product, round, needed: 0 }).map(drop)
                }
            };
            if matches!(step, Step::Recall(_) | Step::Refund | Step::Release) {
                prop_assert!(result.is_ok());
                undone.insert(me);
            }
            if matches!(step, Step::Reserve(_) | Step::Charge | Step::Ship(_)) && undone.contains(&me) {
                prop_assert!(result.is_err());
            }
            if result.is_err() {
                prop_assert_eq!(store.entries.len(), before);
            }
            store.check(&PRODUCTS);
            let keys: HashSet<_> = store.entries.iter().map(|entry| &entry.key).collect();
            prop_assert_eq!(keys.len(), store.entries.len());
        }
    }
}
