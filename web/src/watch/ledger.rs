//! The end of the ledger, read once for all browsers.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use inventory::{Entry, InventoryError};
use serde::Serialize;
use tokio::{sync::watch, time::sleep};

use super::source::Source;
use crate::view::{Line, StockHistory, StockPoint, StockView, rfc3339};

/// How often to look. It costs the Temporal server nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often to look for an inventory that cannot be read.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The most lines that a browser is told at a time.
const NEWEST: usize = 100;

/// Lines that are kept, and read at a time.
const KEPT: usize = 1_000;

/// A line that is just being written can turn up later than its neighbours, so the last ones are read again.
const OVERLAP: u64 = 100;

/// The most points of the picture of a product's stock.
const MAX_POINTS: usize = 300;

/// The ledger's last lines, and what they say of the stock.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// In the order in which they were seen, each with its place in that order.
    lines: VecDeque<(u64, Entry)>,
    seen: u64,
    last: u64,
    points: BTreeMap<String, VecDeque<StockPoint>>,
    stock: BTreeMap<String, u32>,
}

/// What a browser is told of the ledger.
#[derive(Debug, Serialize)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    last: u64,
}

/// What a browser is told of the stock.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Products {
    products: Vec<StockHistory>,
}

impl Tail {
    /// The lines that were seen since a place, and the place now.
    pub fn since(&self, place: u64) -> (u64, Lines) {
        let new = self.lines.iter().filter(|(seen, _)| *seen > place);
        let new: Vec<_> = new.map(|(_, entry)| Line::from(entry)).collect();
        let lines = new[new.len().saturating_sub(NEWEST)..].to_vec();
        let last = self.last;
        (self.seen, Lines { lines, last })
    }

    /// Whether an order has lines that were seen since a place, and the place now.
    pub fn has_of(&self, order_id: &str, place: Option<u64>) -> (u64, bool) {
        let mut new = self.lines.iter().filter(|(seen, _)| Some(*seen) > place);
        let found = place.is_none() || new.any(|(_, entry)| entry.order_id == order_id);
        (self.seen, found)
    }

    /// Whether the inventory was read.
    pub fn is_known(&self) -> bool {
        self.seen > 0 || !self.stock.is_empty()
    }

    /// The stock and its history.
    pub fn products(&self) -> Products {
        let product = |(product, in_stock): (&String, &u32)| StockHistory {
            now: StockView {
                product_id: product.clone(),
                in_stock: *in_stock,
            },
            history: self
                .points
                .get(product)
                .map(|points| points.iter().cloned().collect())
                .unwrap_or_default(),
        };
        Products {
            products: self.stock.iter().map(product).collect(),
        }
    }

    /// Takes in lines, and returns those that are new. Returns `None` if this is not the ledger that it was.
    fn take(&mut self, lines: Vec<Entry>) -> Option<Vec<Entry>> {
        let known: BTreeMap<_, _> = self
            .lines
            .iter()
            .rev()
            .take(2 * OVERLAP as usize)
            .map(|(_, entry)| (entry.seq, entry.key.as_str()))
            .collect();
        let same = |line: &Entry| known.get(&line.seq).is_none_or(|key| *key == line.key);
        if (lines.is_empty() && self.last > 0) || !lines.iter().all(same) {
            return None;
        }
        let new: Vec<_> = lines
            .into_iter()
            .filter(|line| !known.contains_key(&line.seq))
            .collect();
        for line in &new {
            self.seen += 1;
            self.last = self.last.max(line.seq);
            if let Some(in_stock) = line.in_stock {
                let points = self.points.entry(line.product_id.clone()).or_default();
                points.push_back(StockPoint {
                    at: rfc3339(line.at),
                    in_stock,
                });
                if points.len() > MAX_POINTS {
                    points.pop_front();
                }
            }
            self.lines.push_back((self.seen, line.clone()));
        }
        while self.lines.len() > KEPT {
            self.lines.pop_front();
        }
        Some(new)
    }
}

/// The ledger's end, and who is told that it grew.
#[derive(Default)]
pub(crate) struct Ledger {
    tail: Mutex<Tail>,
    changed: watch::Sender<u64>,
}

impl Ledger {
    /// Is told of each change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The ledger's end as it is.
    pub fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps it up to date while somebody looks, and tells `grew` of new lines.
    pub async fn watch(&self, source: &Source, grew: impl Fn(&[Entry])) {
        loop {
            source.somebody_looks().await;
            let missing = match self.look(source, &grew).await {
                Ok(()) => None,
                Err(error) => Some(error.to_string()),
            };
            let pause = match missing {
                None => LOOK_EVERY,
                Some(_) => LOOK_AGAIN_AFTER,
            };
            source.reach.send_if_modified(|reach| {
                let changed = reach.inventory != missing;
                reach.inventory = missing;
                changed
            });
            sleep(pause).await;
        }
    }

    async fn look(&self, source: &Source, grew: &impl Fn(&[Entry])) -> Result<(), InventoryError> {
        let inventory = &source.site.inventory;
        let mut after = self.tail().last.saturating_sub(OVERLAP);
        loop {
            let lines = inventory.ledger(after, KEPT).await?;
            let (read, last) = (lines.len(), lines.last().map(|line| line.seq));
            // Products may be added, and taken out, by hand.
            let stock: BTreeMap<_, _> = inventory
                .products()
                .await?
                .into_iter()
                .map(|product| (product.product, product.in_stock))
                .collect();
            // From here on, nothing can fail: lines that are taken in are not new a second time.
            let taken = self.tail().take(lines);
            let Some(new) = taken else {
                // It begins anew; what was known of it says nothing.
                let seen = self.tail().seen;
                *self.tail() = Tail {
                    seen,
                    ..Tail::default()
                };
                return Ok(());
            };
            let changed = {
                let mut tail = self.tail();
                let changed = !new.is_empty() || tail.stock != stock;
                tail.stock = stock;
                changed
            };
            if !new.is_empty() {
                grew(&new);
            }
            if changed {
                self.changed.send_modify(|changes| *changes += 1);
            }
            match last {
                Some(last) if read == KEPT => after = last,
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use inventory::Change;

    use super::*;

    fn line(seq: u64) -> Entry {
        Entry {
            seq,
            at: SystemTime::UNIX_EPOCH,
            order_id: format!("order-{seq}"),
            product_id: "123456".to_owned(),
            change: Change::Reserved,
            quantity: 1,
            in_stock: Some(1_000),
            key: format!("order-{seq}/run/reserve/123456"),
            confirmation: None,
            payment: None,
            address: None,
            more: false,
            removed: false,
        }
    }

    fn numbers(lines: &Lines) -> Vec<u64> {
        lines.lines.iter().map(|line| line.seq).collect()
    }

    #[test]
    fn each_line_is_told_once_even_one_that_turns_up_late() {
        let mut tail = Tail::default();
        assert_eq!(tail.take(vec![line(1), line(3)]).unwrap().len(), 2);
        let (place, lines) = tail.since(0);
        assert_eq!((numbers(&lines), lines.last), (vec![1, 3], 3));
        let new = tail.take(vec![line(1), line(2), line(3), line(4)]).unwrap();
        assert_eq!(new, [line(2), line(4)]);
        let (place, lines) = tail.since(place);
        assert_eq!((numbers(&lines), lines.last), (vec![2, 4], 4));
        assert_eq!(tail.has_of("order-2", Some(0)), (place, true));
        assert_eq!(tail.has_of("order-2", Some(place)), (place, false));
    }

    #[test]
    fn what_is_kept_and_told_has_a_limit() {
        let mut tail = Tail::default();
        tail.take((1..=5_000).map(line).collect()).unwrap();
        assert_eq!(tail.lines.len(), KEPT);
        assert_eq!(tail.points["123456"].len(), MAX_POINTS);
        assert_eq!(numbers(&tail.since(0).1).len(), NEWEST);
    }

    #[test]
    fn another_ledger_in_the_same_place_is_noticed() {
        let mut tail = Tail::default();
        tail.take(vec![line(1), line(2)]).unwrap();
        let mut other = line(1);
        other.key = "order-7/run/reserve/123456".to_owned();
        assert_eq!(tail.take(vec![other]), None);
        assert_eq!(tail.take(Vec::new()), None);
    }
}
