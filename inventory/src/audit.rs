//! The ledger checked by itself: what happened for each order, and whether everything adds up.
//!
//! It reads entry by entry, whichever store they come from, and uses none of the collections that the
//! changes themselves rest on.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    audit_report::{Audit, Finding, OrderAudit, Pending, ProductAudit, Standing, SubmissionAudit},
    entry::{Change, Entry},
    placement::placement_of,
};

/// Takes the entries in, oldest first, and what is in stock.
#[derive(Default)]
pub(crate) struct Auditor {
    lines: u64,
    products: Vec<ProductAudit>,
    product_numbers: HashMap<String, u32>,
    orders: HashMap<String, Order>,
    findings: Vec<Finding>,
    /// Something unfinished, which the store knows of.
    pub pending: Option<Pending>,
}

/// An order while its lines are read: small, since there may be millions.
struct Order {
    first_line: u64,
    submissions: Vec<Submission>,
}

struct Submission {
    name: Box<str>,
    effects: Vec<Effect>,
}

struct Effect {
    change: Change,
    product: u32,
    units: i64,
    /// Of the key. Compared within one submission only, where chance will not
    /// make two the same.
    key: u64,
}

impl Auditor {
    /// A product that was in stock before the first entry.
    pub fn open(&mut self, product: &str, units: u32) {
        let number = self.product(product) as usize;
        self.products[number].opening = units.into();
        self.products[number].expected = units.into();
        self.products[number].exists = true;
    }

    /// The next entry.
    pub fn read(&mut self, entry: &Entry) {
        self.lines += 1;
        let product = self.product(&entry.product_id);
        let sums = &mut self.products[product as usize];
        match entry.change {
            Change::Reserved => sums.reserved += entry.quantity,
            Change::Released => sums.released += entry.quantity,
            Change::Restocked => sums.delivered += entry.quantity,
            Change::Adjusted => sums.adjusted += entry.quantity,
            Change::Charged
            | Change::Shipped
            | Change::Refunded
            | Change::Recalled
            | Change::Closed => {}
        }
        if let Some(effect) = entry.change.effect_on_stock(entry.quantity) {
            sums.exists = !entry.removed;
            sums.expected += effect;
            let stated = entry.in_stock.map(i64::from);
            if stated != Some(sums.expected) {
                let problem = format!(
                    "inStock {} does not follow: {} expected",
                    stated.unwrap_or_default(),
                    sums.expected
                );
                self.damaged(entry.seq, problem);
            }
        }
        if entry.change != Change::Adjusted {
            self.effect(entry, product);
        }
    }

    /// What is in stock now, as the store says.
    pub fn found(&mut self, product: &str, in_stock: u32) {
        let number = self.product(product) as usize;
        self.products[number].found = Some(in_stock);
    }

    /// Something that does not add up.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn damaged(&mut self, seq: u64, problem: String) {
        self.find(Finding::WrongEntry { seq, problem });
    }

    fn product(&mut self, id: &str) -> u32 {
        if let Some(&number) = self.product_numbers.get(id) {
            return number;
        }
        let number = self.products.len() as u32;
        self.products.push(ProductAudit {
            product: id.to_owned(),
            ..ProductAudit::default()
        });
        self.product_numbers.insert(id.to_owned(), number);
        number
    }

    fn effect(&mut self, entry: &Entry, product: u32) {
        let placement =
            placement_of(&entry.key).filter(|(order_id, _)| *order_id == entry.order_id);
        let Some((_, name)) = placement else {
            return self.damaged(
                entry.seq,
                format!("key {:?} is not this order's", entry.key),
            );
        };
        let effect = Effect {
            change: entry.change,
            product,
            units: entry.quantity,
            key: hash(&entry.key),
        };
        let first_line = self.lines;
        let order = self.orders.entry(entry.order_id.clone());
        let order = order.or_insert_with(|| Order {
            first_line,
            submissions: Vec::with_capacity(1),
        });
        if entry.change == Change::Reserved
            && let Some(holder) = order
                .submissions
                .iter()
                .find(|other| *other.name != *name && other.holds())
        {
            self.findings.push(Finding::ReservedTwice {
                order_id: entry.order_id.clone(),
                first: holder.name.to_string(),
                second: name.clone().into_owned(),
            });
        }
        let known = order
            .submissions
            .iter_mut()
            .position(|submission| *submission.name == *name);
        let known = known.unwrap_or_else(|| {
            order.submissions.push(Submission {
                name: name.into(),
                effects: Vec::with_capacity(4),
            });
            order.submissions.len() - 1
        });
        let effects = &mut order.submissions[known].effects;
        if effects.iter().any(|other| other.key == effect.key) {
            self.findings.push(Finding::KeyTwice {
                seq: entry.seq,
                key: entry.key.clone(),
            });
        }
        effects.push(effect);
    }

    /// Compares what was [found](Self::found) with what the entries add up to.
    pub fn compare(&mut self) {
        for sums in &self.products {
            let found = sums.found.map(i64::from);
            if found != sums.exists.then_some(sums.expected) {
                self.findings.push(Finding::StockDiffers {
                    product: sums.product.clone(),
                    expected: sums.expected,
                    found: sums.found,
                });
            }
        }
    }

    /// What came out of it.
    pub fn into_audit(mut self) -> Audit {
        // The map goes before as much again is made of what it held.
        let mut orders: Vec<_> = std::mem::take(&mut self.orders).into_iter().collect();
        orders.sort_unstable_by_key(|(_, order)| order.first_line);
        let mut audited = Vec::with_capacity(orders.len());
        for (order_id, order) in orders {
            let submissions = order.submissions.into_iter().map(|submission| {
                submission.check(&order_id, &self.products, &mut self.findings);
                submission.into_audit()
            });
            let submissions = submissions.collect();
            audited.push(OrderAudit {
                order_id,
                submissions,
            });
        }
        // A product that was taken out long ago is of interest only if something happened to it.
        self.products.retain(|sums| !sums.product.is_empty());
        Audit {
            lines: self.lines,
            orders: audited,
            products: self.products,
            findings: self.findings,
            pending: self.pending,
        }
    }
}

impl OrderAudit {
    /// One order by its [entries](crate::Inventory::effects), or `None` if it has none.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let mut auditor = Auditor::default();
        for entry in entries {
            auditor.read(entry);
        }
        auditor.into_audit().orders.pop()
    }
}

impl Submission {
    fn count(&self, change: Change) -> u32 {
        self.effects.iter().filter(|it| it.change == change).count() as u32
    }

    /// Units of one product, or of all.
    fn units(&self, change: Change, product: Option<u32>) -> i64 {
        let of_it = |effect: &&Effect| {
            effect.change == change && product.is_none_or(|product| product == effect.product)
        };
        self.effects.iter().filter(of_it).map(|it| it.units).sum()
    }

    fn holds(&self) -> bool {
        self.count(Change::Reserved) > self.count(Change::Released)
    }

    /// Compares what was done with what may be done for a reservation.
    fn check(&self, order_id: &str, products: &[ProductAudit], findings: &mut Vec<Finding>) {
        let mut find = |change, product: Option<u32>, expected, found| {
            if expected != found {
                findings.push(Finding::WrongUnits {
                    order_id: order_id.to_owned(),
                    submission: self.name.to_string(),
                    change,
                    product: product.map(|it| products[it as usize].product.clone()),
                    expected,
                    found,
                });
            }
        };
        let reserved = self.units(Change::Reserved, None);
        if self.count(Change::Charged) > 0 {
            find(
                Change::Charged,
                None,
                reserved,
                self.units(Change::Charged, None),
            );
        }
        if self.count(Change::Refunded) > 0 {
            let charged = self.units(Change::Charged, None);
            find(
                Change::Refunded,
                None,
                charged,
                self.units(Change::Refunded, None),
            );
        }
        for (index, effect) in self.effects.iter().enumerate() {
            let Effect {
                change, product, ..
            } = *effect;
            let allowed_by = match change {
                Change::Shipped | Change::Released => Change::Reserved,
                Change::Recalled => Change::Shipped,
                _ => continue,
            };
            let same = |other: &Effect| (other.change, other.product) == (change, product);
            if self.effects[..index].iter().any(same) {
                continue;
            }
            let found = self.units(change, Some(product));
            let allowed = self.units(allowed_by, Some(product));
            find(change, Some(product), found.min(allowed), found);
        }
        let undone = self.effects.iter().position(|it| it.change.undoes());
        let late = self.effects.iter().skip(undone.unwrap_or(usize::MAX));
        let late = late.filter(|it| it.change != Change::Restocked && !it.change.undoes());
        for effect in late {
            find(effect.change, None, 0, effect.units);
        }
        if self.count(Change::Shipped) > 0 && self.count(Change::Charged) == 0 {
            find(Change::Charged, None, reserved, 0);
        }
    }

    fn into_audit(self) -> SubmissionAudit {
        let count = |change| self.count(change);
        let mut audit = SubmissionAudit {
            reserved: count(Change::Reserved),
            charged: count(Change::Charged),
            shipped: count(Change::Shipped),
            restocked: count(Change::Restocked),
            released: count(Change::Released),
            refunded: count(Change::Refunded),
            recalled: count(Change::Recalled),
            closed: count(Change::Closed),
            units: self.units(Change::Reserved, None),
            standing: Standing::UnderWay,
            submission: self.name.into_string(),
        };
        audit.standing = Standing::of(&audit);
        audit
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
