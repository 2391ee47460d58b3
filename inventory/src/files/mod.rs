//! The embedded store: three files in a folder, for one machine.
//!
//! | file | what it is |
//! |---|---|
//! | `ledger.jsonl` | the truth: one line for every effect |
//! | `inventory.json` | what a person opens, and may edit: the stock that the ledger adds up to |
//! | `inventory.lock` | locked by whoever reads or changes the other two, so that processes may share them |
//!
//! # The order of writes
//!
//! Under the lock:
//! 1. Catch up: read what other processes appended, cut what a crash left half written, enter what a
//!    person edited as `adjusted`, bring `inventory.json` up if it is behind.
//! 2. Decide.
//! 3. Write and flush `inventory.json.tmp`. Up to here a failure leaves no trace.
//! 4. Append the entries to the ledger and flush it: **now it is done**.
//! 5. Put `inventory.json.tmp` in the place of `inventory.json`, and flush the folder.
//! 6. Answer.
//!
//! `inventory.json` says how many entries the ledger has, so nothing is answered that it does not vouch
//! for. If the ledger is shorter than it says, lines were lost, and everything is refused until a person
//! has repaired it. If the ledger is longer, a crash came between 4 and 5, and step 1 puts it right.

mod disk;
mod ledger;
mod lock;
mod stock_file;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use self::{
    ledger::{Header, Ledger},
    lock::Lock,
    stock_file::{Record, StockFile},
};
use crate::{
    CAPACITY,
    audit::Auditor,
    audit_report::{Audit, Finding, Pending},
    entry::Entry,
    error::InventoryError,
    facts::{Facts, OrderPast, Rule},
    placement::{Identity, Placement, Product},
    rules,
};

/// The three files, and what is known of them.
pub(crate) struct Files {
    inventory: PathBuf,
    ledger: PathBuf,
    lock: PathBuf,
    /// Where they are, for people on other machines.
    location: String,
    known: Mutex<Option<Known>>,
}

/// The files as they were last seen. Afterwards they agree.
struct Known {
    ledger: Ledger,
    file: StockFile,
    /// The text of the inventory file.
    text: Vec<u8>,
}

/// Whether files that are not there are created. Whoever only reads does not create them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Create {
    Yes,
    No,
}

/// A stock in the inventory file that is not the ledger's.
struct Edit {
    product: String,
    by: String,
    before: Option<u32>,
    after: Option<u32>,
}

impl Files {
    pub fn beside(inventory: &Path) -> Self {
        let host = gethostname::gethostname();
        Self {
            location: format!("{} on {}", inventory.display(), host.display()),
            ledger: inventory.with_file_name("ledger.jsonl"),
            lock: inventory.with_file_name("inventory.lock"),
            inventory: inventory.to_owned(),
            known: Mutex::new(None),
        }
    }

    pub fn identity(&self, now: SystemTime) -> Result<Identity, InventoryError> {
        self.locked(
            now,
            Create::Yes,
            |known| Ok(self.identity_of(&known.ledger)),
        )
    }

    fn identity_of(&self, ledger: &Ledger) -> Identity {
        Identity {
            id: ledger.header.inventory.clone(),
            location: self.location.clone(),
        }
    }

    pub fn change<R: Rule>(
        &self,
        now: SystemTime,
        placement: &Placement,
        rule: &R,
    ) -> Result<R::Answer, InventoryError> {
        self.locked(now, Create::Yes, |known| {
            rules::refuse_other_inventory(placement, &self.identity_of(&known.ledger))?;
            let entries = known.ledger.entries_of(&placement.order_id)?;
            let order = OrderPast {
                placement,
                entries: &entries,
            };
            let products = rule.products(&order);
            let stock = &known.ledger.stock;
            let level = |product: &String| Some((product.clone(), stock.get(product)?.in_stock));
            let first = known.ledger.seq + 1;
            let facts = Facts {
                order,
                stock: products.iter().filter_map(level).collect(),
                numbers: (first..=first + products.len() as u64).collect(),
                now,
            };
            let decision = rule.decide(&facts)?;
            self.append(known, decision.entries)?;
            Ok(decision.answer)
        })
    }

    pub fn products(&self, now: SystemTime) -> Result<Vec<Product>, InventoryError> {
        self.locked(now, Create::No, |known| {
            let stock = known.ledger.stock.iter();
            let product = stock.map(|(product, level)| Product {
                product: product.clone(),
                order_id: level.order_id.clone(),
                in_stock: level.in_stock,
            });
            Ok(product.collect())
        })
    }

    pub fn entries_of(
        &self,
        now: SystemTime,
        order_id: &str,
    ) -> Result<Vec<Entry>, InventoryError> {
        self.locked(now, Create::No, |known| known.ledger.entries_of(order_id))
    }

    /// At most `limit` entries after the entry `after`.
    pub fn entries(
        &self,
        now: SystemTime,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, InventoryError> {
        self.locked(now, Create::No, |known| known.ledger.entries(after, limit))
    }

    /// Runs `work` alone, on files that agree.
    fn locked<T>(
        &self,
        now: SystemTime,
        create: Create,
        work: impl FnOnce(&mut Known) -> Result<T, InventoryError>,
    ) -> Result<T, InventoryError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.refuse_special()?;
        if create == Create::No {
            self.refuse_missing()?;
        }
        let folder = disk::folder_of(&self.inventory);
        fs::create_dir_all(folder).map_err(InventoryError::io("create", folder))?;
        let _lock = Lock::take(&self.lock)?;
        // Trouble with a file, or a panic, leaves nothing known: everything is read anew.
        let mut current = self.catch_up(known.take(), now)?;
        let done = work(&mut current);
        let trouble = matches!(
            done,
            Err(InventoryError::Io { .. } | InventoryError::Damaged { .. })
        );
        if !trouble {
            *known = Some(current);
        }
        done
    }

    /// Takes in what others did to the files since, and makes them agree.
    fn catch_up(&self, known: Option<Known>, now: SystemTime) -> Result<Known, InventoryError> {
        let text = disk::read(&self.inventory)?;
        let (cached, ledger) = match known {
            Some(Known { ledger, file, text }) => (Some((file, text)), Some(ledger)),
            None => (None, None),
        };
        let file = match (&text, cached) {
            (Some(text), Some((file, known))) if known == *text => Some(file),
            (Some(text), _) => Some(StockFile::parse(text, &self.inventory)?),
            (None, _) => None,
        };
        let lines = file.as_ref().map_or(0, StockFile::ledger_lines);
        let mut ledger = self.follow(ledger, file.as_ref())?;
        if ledger.seq < lines {
            return Err(ledger.cut_short(lines));
        }
        if ledger.has_tail() {
            tracing::warn!(
                ledger = %self.ledger.display(),
                "a crash left part of a change at the ledger's end; taken away"
            );
            ledger.cut_tail()?;
        }
        let edits = match &file {
            Some(file) => self.edits(&ledger, file)?,
            None => Vec::new(),
        };
        for edit in edits {
            tracing::info!(
                product = edit.product,
                before = edit.before,
                after = edit.after,
                "the inventory file was edited by hand; entered in the ledger"
            );
            let Edit {
                product,
                by,
                before,
                after,
            } = edit;
            let seq = ledger.seq + 1;
            ledger.append(vec![rules::adjusted(
                seq, now, &by, &product, before, after,
            )])?;
        }
        let current = file.clone().unwrap_or_else(StockFile::empty);
        let current = current.with(&ledger.stock, ledger.seq);
        let text = match text {
            Some(text) if file.as_ref() == Some(&current) => text,
            before => {
                let text = current.render();
                if lines > 0 || (before.is_none() && ledger.seq > 0) {
                    tracing::info!(
                        file = %self.inventory.display(),
                        "the inventory file was not what the ledger adds up to; brought up to it"
                    );
                }
                disk::replace(&self.inventory, &text)?;
                text
            }
        };
        Ok(Known {
            ledger,
            file: current,
            text,
        })
    }

    /// The ledger up to its end, from what is known of it or from its start. It is created if there is
    /// none.
    fn follow(
        &self,
        known: Option<Ledger>,
        file: Option<&StockFile>,
    ) -> Result<Ledger, InventoryError> {
        if let Some(mut ledger) = known
            && ledger.is_current()?
            && ledger.read_on(u64::MAX).is_ok()
        {
            return Ok(ledger);
        }
        if let Some(ledger) = Ledger::open(&self.ledger, u64::MAX)? {
            return Ok(ledger);
        }
        let first = StockFile::first();
        let file = file.unwrap_or(&first);
        if file.ledger_lines() > 0 {
            return Err(ledger::missing(&self.ledger, file.ledger_lines()));
        }
        for record in &file.records {
            self.refuse_overfull(&record.product_id, record.in_stock)?;
        }
        let opening = file.records.iter().map(Record::opening).collect();
        Ledger::create(&self.ledger, &Header::new(opening))
    }

    /// What a person changed in the file.
    fn edits(&self, ledger: &Ledger, file: &StockFile) -> Result<Vec<Edit>, InventoryError> {
        let in_ledger = |product: &str| ledger.stock.get(product).map(|level| level.in_stock);
        let in_file = |product: &str| file.record(product).map(|record| record.in_stock);
        let products = file.records.iter().map(|record| &record.product_id);
        let removed = ledger.stock.keys().filter(|it| file.record(it).is_none());
        let differs = |product: &&String| in_ledger(product) != in_file(product);
        let mut products: Vec<_> = products.filter(differs).collect();
        let removed: Vec<_> = removed.collect();
        // A person adds a product, or takes one out. A damaged ID looks like both.
        let renamed = |record: &&Record| {
            record.ledger_lines.is_some() && in_ledger(&record.product_id).is_none()
        };
        if let Some(record) = file.records.iter().find(renamed)
            && let Some(gone) = removed.first()
        {
            return Err(self.damaged(
                format!(
                    "product {gone:?} is gone, and {:?} is new",
                    record.product_id
                ),
                "correct the productID, or leave out ledgerLines if this is meant,",
            ));
        }
        products.extend(removed);
        if products.is_empty() {
            return Ok(Vec::new());
        }
        // A file that is behind was written by this program, unless it differs from what that wrote.
        let lines = file.ledger_lines();
        let is_behind = file
            .records
            .iter()
            .all(|record| record.ledger_lines == Some(lines));
        let then = if is_behind && lines < ledger.seq {
            Ledger::open(&self.ledger, lines)?
        } else {
            None
        };
        let mut edits = Vec::new();
        for product in products {
            let after = in_file(product);
            let as_written = then
                .as_ref()
                .is_some_and(|then| then.stock.get(product).map(|level| level.in_stock) == after);
            if as_written {
                continue;
            }
            self.refuse_overfull(product, after.unwrap_or(0))?;
            let by = file.record(product).map(|record| record.order_id.as_str());
            let by = by.or_else(|| Some(ledger.stock.get(product)?.order_id.as_str()));
            edits.push(Edit {
                product: product.clone(),
                by: by.unwrap_or_default().to_owned(),
                before: in_ledger(product),
                after,
            });
        }
        Ok(edits)
    }

    fn refuse_special(&self) -> Result<(), InventoryError> {
        let mut paths = [&self.inventory, &self.ledger, &self.lock].into_iter();
        paths.try_for_each(|path| disk::refuse_special(path))
    }

    fn refuse_missing(&self) -> Result<(), InventoryError> {
        if self.inventory.exists() || self.ledger.exists() {
            return Ok(());
        }
        Err(InventoryError::Missing {
            location: self.inventory.display().to_string(),
        })
    }

    fn refuse_overfull(&self, product: &str, in_stock: u32) -> Result<(), InventoryError> {
        if in_stock <= CAPACITY {
            return Ok(());
        }
        Err(self.damaged(
            format!(
                "product {product:?} has {in_stock} in stock, and the warehouse holds {CAPACITY} at most"
            ),
            "lower inStock",
        ))
    }

    /// The error for an inventory file that makes no sense.
    fn damaged(&self, problem: String, remedy: &'static str) -> InventoryError {
        InventoryError::Damaged {
            path: self.inventory.clone(),
            line: None,
            column: None,
            problem,
            remedy,
        }
    }

    fn append(&self, known: &mut Known, entries: Vec<Entry>) -> Result<(), InventoryError> {
        let Some(last) = entries.last() else {
            return Ok(());
        };
        let stock = known.ledger.stock_after(&entries)?;
        known.file = known.file.with(&stock, last.seq);
        known.text = known.file.render();
        // A full disk, or a folder that cannot be written to, shows here, where nothing is done yet.
        let next = disk::Next::write(&self.inventory, &known.text)?;
        known.ledger.append(entries)?;
        next.put_in_place()
    }

    /// Reads the files from their start and changes nothing. Damage is a finding, not an error.
    pub fn audit(&self) -> Result<Audit, InventoryError> {
        self.refuse_special()?;
        self.refuse_missing()?;
        let _lock = Lock::take_shared(&self.lock)?;
        let mut auditor = Auditor::default();
        match self.audit_files(&mut auditor) {
            Err(damage @ InventoryError::Damaged { .. }) => {
                let problem = damage.to_string();
                // Half of the lines would make orders look as if somebody had left them behind.
                auditor = Auditor::default();
                auditor.find(Finding::Damaged { problem });
            }
            audited => audited?,
        }
        Ok(auditor.into_audit())
    }

    fn audit_files(&self, auditor: &mut Auditor) -> Result<(), InventoryError> {
        let text = disk::read(&self.inventory)?;
        let file = text.map(|text| StockFile::parse(&text, &self.inventory));
        let file = file.transpose()?;
        let lines = file.as_ref().map_or(0, StockFile::ledger_lines);
        let Some(mut ledger) = Ledger::begin(&self.ledger)? else {
            if lines > 0 {
                return Err(ledger::missing(&self.ledger, lines));
            }
            for record in file.iter().flat_map(|file| &file.records) {
                auditor.open(&record.product_id, record.in_stock);
                auditor.found(&record.product_id, record.in_stock);
            }
            return Ok(());
        };
        for record in &ledger.header.opening {
            auditor.open(&record.product_id, record.in_stock);
        }
        ledger.walk(|entry| auditor.read(entry))?;
        for record in file.iter().flat_map(|file| &file.records) {
            auditor.found(&record.product_id, record.in_stock);
        }
        if ledger.seq < lines {
            return Err(ledger.cut_short(lines));
        }
        auditor.pending = match &file {
            _ if ledger.has_tail() => Some(Pending::HalfLine),
            Some(file) if !self.edits(&ledger, file)?.is_empty() => Some(Pending::EditedByHand),
            Some(_) if lines == ledger.seq => None,
            _ => Some(Pending::FileBehind),
        };
        Ok(())
    }
}
