//! The ledger checked by itself: what happened for each order, and whether
//! everything adds up.
//!
//! Reads the files line by line and changes nothing; it uses none of the
//! indexes that the changes themselves rest on.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::BufRead,
    path::Path,
};

use crate::{
    audit_report::{Audit, Finding, OrderAudit, Pending, ProductAudit, Standing, SubmissionAudit},
    entry::{Change, Line, placement_of},
    error::{InventoryError, without_position},
    ledger::Ledger,
    levels::Levels,
    lock::LockFile,
    stock_file::StockFile,
    store::{Paths, read_if_there},
};

/// Checks the inventory file at `path` and the ledger beside it.
///
/// Waits for changes under way, and holds up others while it reads. Damage is a
/// finding, not an error.
///
/// # Errors
/// A file cannot be read, or there is neither of the two.
pub fn audit(path: impl AsRef<Path>) -> Result<Audit, InventoryError> {
    let paths = Paths::beside(path.as_ref().to_owned());
    let lock = LockFile::take_shared(&paths.lock)?;
    let seen = match &lock {
        Some(lock) => lock
            .text()
            .map_err(InventoryError::io("read", &paths.lock))?,
        None => Vec::new(),
    };
    let mut auditor = Auditor::default();
    let ledger = &paths.ledger;
    let exists = ledger
        .try_exists()
        .map_err(InventoryError::io("look for", ledger))?;
    if exists {
        let mut reader = Ledger::reader(&paths.ledger, u64::MAX)?;
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader
                .read_until(b'\n', &mut text)
                .map_err(InventoryError::io("read", &paths.ledger))?;
            if read == 0 {
                break;
            }
            match text.strip_suffix(b"\n") {
                Some(text) => auditor.read(text),
                None => auditor.pending = Some(Pending::HalfLine),
            }
        }
    }
    let current = read_if_there(&paths.inventory)?;
    if current.is_none() {
        if !exists {
            // Nothing at all is there: a wrong path, rather than an empty shop.
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(InventoryError::io("read", &paths.inventory)(missing));
        }
        auditor.pending = Some(Pending::FileBehind);
    }
    let file = match &current {
        None => None,
        Some(text) => match StockFile::parse(text, &paths.inventory) {
            Ok(file) => Some(file),
            Err(error) => {
                let problem = error.to_string();
                auditor.findings.push(Finding::DamagedFile { problem });
                None
            }
        },
    };
    let differs = auditor.compare(file.as_ref());
    if !differs.is_empty() {
        if current.as_ref() != Some(&seen) {
            auditor.pending = Some(Pending::EditedByHand);
        } else if paths.next.exists() {
            auditor.pending = Some(Pending::FileBehind);
        } else {
            auditor.findings.extend(differs);
        }
    }
    Ok(auditor.into_audit())
}

#[derive(Default)]
struct Auditor {
    lines: u64,
    levels: Levels,
    products: Vec<ProductAudit>,
    product_numbers: HashMap<String, u32>,
    orders: HashMap<String, Order>,
    findings: Vec<Finding>,
    pending: Option<Pending>,
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
    fn read(&mut self, text: &[u8]) {
        self.lines += 1;
        let line: Line<'_> = match Line::read(text) {
            Ok(line) => line,
            Err(error) => {
                let problem = format!("column {}: {}", error.column(), without_position(&error));
                return self.damaged_line(problem);
            }
        };
        if line.seq != self.lines {
            self.damaged_line(format!("seq is {}, expected {}", line.seq, self.lines));
        }
        let product = self.product(&line);
        if let Err(problem) = self.levels.follow(&line) {
            self.damaged_line(problem);
            self.levels.force(&line);
        }
        let sums = &mut self.products[product as usize];
        match line.change {
            Change::Reserved => sums.reserved += line.quantity,
            Change::Released => sums.released += line.quantity,
            Change::Restocked => sums.delivered += line.quantity,
            Change::Adjusted => sums.adjusted += line.quantity,
            Change::Charged | Change::Shipped | Change::Refunded | Change::Recalled => {}
        }
        if line.change != Change::Adjusted {
            self.effect(&line, product);
        }
    }

    fn damaged_line(&mut self, problem: String) {
        let line = self.lines;
        self.findings.push(Finding::DamagedLine { line, problem });
    }

    fn product(&mut self, line: &Line<'_>) -> u32 {
        if let Some(&number) = self.product_numbers.get(line.product_id.as_ref()) {
            return number;
        }
        let number = self.products.len() as u32;
        let id = line.product_id.clone().into_owned();
        let difference = line.change.effect_on_stock(line.quantity);
        self.products.push(ProductAudit {
            product: id.clone(),
            opening: i64::from(line.in_stock) - difference,
            ..ProductAudit::default()
        });
        self.product_numbers.insert(id, number);
        number
    }

    fn effect(&mut self, line: &Line<'_>, product: u32) {
        let placement = placement_of(&line.key).filter(|(order_id, _)| *order_id == line.order_id);
        let Some((_, name)) = placement else {
            return self.damaged_line(format!("key {:?} is not this order's", line.key));
        };
        let effect = Effect {
            change: line.change,
            product,
            units: line.quantity,
            key: hash(&line.key),
        };
        let first_line = self.lines;
        if !self.orders.contains_key(line.order_id.as_ref()) {
            let submissions = Vec::with_capacity(1);
            let order = Order {
                first_line,
                submissions,
            };
            self.orders
                .insert(line.order_id.clone().into_owned(), order);
        }
        let Some(order) = self.orders.get_mut(line.order_id.as_ref()) else {
            return;
        };
        if line.change == Change::Reserved
            && let Some(holder) = order
                .submissions
                .iter()
                .find(|other| *other.name != *name && other.holds())
        {
            self.findings.push(Finding::ReservedTwice {
                order_id: line.order_id.clone().into_owned(),
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
                line: self.lines,
                key: line.key.clone().into_owned(),
            });
        }
        effects.push(effect);
    }

    /// Where the file's stock is not the ledger's.
    fn compare(&mut self, file: Option<&StockFile>) -> Vec<Finding> {
        let mut differs = Vec::new();
        let records = file.map_or(&[][..], |file| &file.records);
        for record in records {
            if !self.product_numbers.contains_key(&record.product_id) {
                // No line tells of it, so it opened with what it holds.
                self.products.push(ProductAudit {
                    product: record.product_id.clone(),
                    opening: record.in_stock.into(),
                    expected: record.in_stock.into(),
                    found: Some(record.in_stock),
                    ..ProductAudit::default()
                });
            }
        }
        for sums in &mut self.products {
            sums.expected =
                sums.opening + sums.delivered - sums.reserved + sums.released + sums.adjusted;
            let record = records.iter().find(|it| it.product_id == sums.product);
            sums.found = record.map(|record| record.in_stock);
            let expected_there = self.levels.get(&sums.product).is_some() || sums.expected != 0;
            let same = match sums.found {
                Some(found) => i64::from(found) == sums.expected,
                None => !expected_there,
            };
            if !same && file.is_some() {
                differs.push(Finding::StockDiffers {
                    product: sums.product.clone(),
                    expected: sums.expected,
                    found: sums.found,
                });
            }
        }
        differs
    }

    fn into_audit(mut self) -> Audit {
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
        Audit {
            lines: self.lines,
            orders: audited,
            products: self.products,
            findings: self.findings,
            pending: self.pending,
        }
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
