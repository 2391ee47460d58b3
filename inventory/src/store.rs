//! The files together: catches up with them, then writes a batch in an order
//! that a crash cannot harm.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    batch::{Batch, Job},
    clock::Clock,
    edits,
    error::InventoryError,
    ledger::folder_of,
    lock::LockFile,
    state::State,
    stock_file::StockFile,
};

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub inventory: PathBuf,
    /// The inventory file's next content, until it takes its place.
    pub next: PathBuf,
    pub ledger: PathBuf,
    pub lock: PathBuf,
}

impl Paths {
    pub fn beside(inventory: PathBuf) -> Self {
        let mut next = inventory.clone().into_os_string();
        next.push(".tmp");
        Self {
            next: next.into(),
            ledger: inventory.with_file_name("ledger.jsonl"),
            lock: inventory.with_file_name("inventory.lock"),
            inventory,
        }
    }
}

/// A place in the order of writes, for tests that stop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    NextWritten,
    Committed,
    Renamed,
}

/// The files and what is known of them.
pub(crate) struct Store {
    paths: Paths,
    clock: Clock,
    state: Option<State>,
    #[cfg(test)]
    pub stop_at: Option<Point>,
}

impl Store {
    pub fn new(paths: Paths, clock: Clock) -> Self {
        Self {
            paths,
            clock,
            state: None,
            #[cfg(test)]
            stop_at: None,
        }
    }

    /// Drops what is known, to read it anew.
    pub fn forget(&mut self) {
        self.state = None;
    }

    /// Makes every change that can be made; each job gets its result.
    pub fn run(&mut self, jobs: &[Arc<dyn Job>]) {
        if let Err(error) = self.try_run(jobs) {
            for job in jobs {
                job.fail(&error);
            }
        }
    }

    /// An error is every job's error.
    fn try_run(&mut self, jobs: &[Arc<dyn Job>]) -> Result<(), InventoryError> {
        let lock = self.take_lock()?;
        self.catch_up(&lock)?;
        let Some(state) = &self.state else {
            return Err(InventoryError::Interrupted);
        };
        let mut batch = Batch::new(state, (self.clock)());
        // What was decided after the first draft may rest on it.
        let mut first_dependent = jobs.len();
        for (index, job) in jobs.iter().enumerate() {
            job.decide(&mut batch);
            if batch.has_drafts() {
                first_dependent = first_dependent.min(index);
            }
        }
        if batch.has_drafts() {
            let (entries, levels) = batch.into_parts();
            let text = state.file.with(&levels);
            if let Err(error) = self.commit(&lock, &entries, &text) {
                for job in &jobs[first_dependent..] {
                    job.fail(&error);
                }
            }
        }
        Ok(())
    }

    fn take_lock(&self) -> Result<LockFile, InventoryError> {
        if let Some(folder) = folder_of(&self.paths.inventory) {
            fs::create_dir_all(folder).map_err(InventoryError::io("create", folder))?;
        }
        LockFile::take(&self.paths.lock)
    }

    /// Takes in what others did to the files since: lines of other processes,
    /// edits by hand, a crash's traces, another ledger.
    ///
    /// Afterwards the ledger, the inventory file and the lock file's text agree.
    fn catch_up(&mut self, lock: &LockFile) -> Result<(), InventoryError> {
        let seen = lock
            .text()
            .map_err(InventoryError::io("read", &self.paths.lock))?;
        if let Some(state) = &self.state
            && !state.ledger.is_current()?
        {
            tracing::warn!(
                ledger = %self.paths.ledger.display(),
                "the ledger is another one than before; reading it anew"
            );
            self.state = None;
        }
        let mut state = match self.state.take() {
            Some(state) => state,
            None => {
                let before = StockFile::parse(&seen, &self.paths.lock).ok();
                State::open(&self.paths.ledger, before)?
            }
        };
        // An error from here to the end of the reading leaves no state behind.
        let advanced = state.read_on()?;
        let state = self.state.insert(state);
        let current = read_if_there(&self.paths.inventory)?;
        if let Some(text) = &current
            && !advanced
            && state.text.as_ref() == Some(text)
        {
            return remember(lock, &self.paths.lock, &seen, text);
        }
        let text = match current {
            None => {
                let file = if state.levels.products().is_empty() && !state.has_baseline {
                    StockFile::first()
                } else {
                    tracing::warn!(
                        file = %self.paths.inventory.display(),
                        "the inventory file is missing; written anew from the ledger"
                    );
                    edits::take_unseen(state);
                    state.file.with(&state.levels)
                };
                let text = file.render();
                write_next(&self.paths.next, &text)?;
                put_in_place(&self.paths)?;
                state.adopt(file);
                text
            }
            Some(text) => {
                let file = StockFile::parse(&text, &self.paths.inventory)?;
                let edits = edits::find(state, &file);
                if edits.is_empty() {
                    state.adopt(file);
                    text
                } else if text == seen {
                    // This program wrote it, then stopped before it could
                    // write the next one.
                    tracing::info!("the inventory file was behind its ledger; brought up to it");
                    let file = file.with(&state.levels);
                    let text = file.render();
                    write_next(&self.paths.next, &text)?;
                    put_in_place(&self.paths)?;
                    state.adopt(file);
                    text
                } else {
                    let entries = edits::entries(state, edits, (self.clock)());
                    for entry in &entries {
                        tracing::info!(
                            product = entry.product_id,
                            quantity = entry.quantity,
                            in_stock = entry.in_stock,
                            "the inventory file was edited by hand; entered in the ledger"
                        );
                    }
                    state.append(&entries)?;
                    state.adopt(file);
                    text
                }
            }
        };
        remember(lock, &self.paths.lock, &seen, &text)?;
        state.text = Some(text);
        Ok(())
    }

    /// Writes a batch. Once the ledger has its lines it is done, whatever
    /// becomes of the rest: the next batch, or the next start, sees to that.
    fn commit(
        &mut self,
        lock: &LockFile,
        entries: &[crate::Entry],
        file: &StockFile,
    ) -> Result<(), InventoryError> {
        let text = file.render();
        write_next(&self.paths.next, &text)?;
        self.pass(Point::NextWritten);
        let Some(state) = &mut self.state else {
            return Err(InventoryError::Interrupted);
        };
        if let Err(error) = state.append(entries) {
            // Left behind it is harmless: the next batch writes over it.
            let _ = fs::remove_file(&self.paths.next);
            return Err(error);
        }
        state.text = None;
        self.pass(Point::Committed);
        if let Err(error) = put_in_place(&self.paths) {
            tracing::warn!(%error, "the change is in the ledger; the inventory file follows later");
            return Ok(());
        }
        self.pass(Point::Renamed);
        if let Err(error) = lock.set_text(&text) {
            // Harmless: what differs from it is compared with the ledger, and
            // nothing is appended before it could be written.
            tracing::warn!(%error, "the lock file's text is out of date until the next change");
        }
        if let Some(state) = &mut self.state {
            state.file = file.clone();
            state.text = Some(text);
        }
        Ok(())
    }

    /// Does nothing; a test stops here as a crash would.
    fn pass(&mut self, point: Point) {
        #[cfg(test)]
        if self.stop_at == Some(point) {
            self.stop_at = None;
            panic!("stopped by a test");
        }
        let _ = point;
    }
}

/// Brings the lock file's text up to what the inventory file holds. It has to
/// succeed before anything is appended: only then can a crash in between be
/// told from an edit by hand.
fn remember(lock: &LockFile, path: &Path, seen: &[u8], text: &[u8]) -> Result<(), InventoryError> {
    if seen == text {
        return Ok(());
    }
    lock.set_text(text)
        .map_err(InventoryError::io("write", path))
}

fn write_next(path: &Path, text: &[u8]) -> Result<(), InventoryError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(text)?;
        file.sync_data()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(path);
        InventoryError::io("write", path)(error)
    })
}

fn put_in_place(paths: &Paths) -> Result<(), InventoryError> {
    fs::rename(&paths.next, &paths.inventory)
        .map_err(InventoryError::io("replace", &paths.inventory))
}

pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, InventoryError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(InventoryError::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        time::SystemTime,
    };

    use orders::Item;

    use super::*;
    use crate::{Inventory, Placement, Reservation, audit, group_commit::GroupCommit, steps};

    const PRODUCT: &str = "123456";

    fn reserve(changes: &GroupCommit, order: &str) -> Result<Reservation, InventoryError> {
        let placement = Placement::new(order, "run");
        changes.change(move |batch| steps::reserve(batch, &placement, &[Item::new(PRODUCT, 10)]))
    }

    fn stopping_at(path: &Path, point: Point) -> GroupCommit {
        let mut store = Store::new(Paths::beside(path.to_owned()), SystemTime::now);
        store.stop_at = Some(point);
        GroupCommit::new(store)
    }

    #[test]
    fn a_stop_between_any_two_writes_is_put_right() {
        for (point, committed) in [
            (Point::NextWritten, false),
            (Point::Committed, true),
            (Point::Renamed, true),
        ] {
            for goes_on in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("inventory.json");
                let changes = stopping_at(&path, point);
                let stopped = catch_unwind(AssertUnwindSafe(|| reserve(&changes, "order-1")));
                assert!(stopped.is_err(), "{point:?} was not reached");
                if goes_on {
                    // The same process, whose thread panicked; it stops only once.
                    let reservation = reserve(&changes, "order-1").unwrap();
                    let already =
                        matches!(reservation, Reservation::Reserved { already, .. } if already);
                    assert_eq!(already, committed, "{point:?}");
                } else {
                    let inventory = Inventory::open(&path, SystemTime::now).unwrap();
                    let stock = if committed { 990 } else { 1000 };
                    assert_eq!(inventory.stock(PRODUCT).unwrap(), stock, "{point:?}");
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(text.contains(&stock.to_string()), "{point:?}: {text}");
                }
                let audit = audit(&path).unwrap();
                assert!(
                    audit.is_clean() && audit.pending.is_none(),
                    "{point:?}: {audit:?}"
                );
                assert_eq!(audit.lines, u64::from(committed || goes_on), "{point:?}");
            }
        }
    }

    #[test]
    fn a_change_whose_file_cannot_be_replaced_is_found_by_its_retry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.json");
        let paths = Paths::beside(path.clone());
        let inventory = Inventory::open(&path, SystemTime::now).unwrap();
        // As after a rename that failed: the ledger has the line, and the
        // inventory file and the lock file's text are the old ones.
        let old = fs::read(&path).unwrap();
        let placement = Placement::new("order-1", "run");
        inventory
            .reserve(&placement, &[Item::new(PRODUCT, 10)])
            .unwrap();
        fs::write(&path, &old).unwrap();
        fs::write(&paths.lock, &old).unwrap();
        let again = inventory
            .reserve(&placement, &[Item::new(PRODUCT, 10)])
            .unwrap();
        assert!(matches!(again, Reservation::Reserved { already: true, .. }));
        assert!(fs::read_to_string(&path).unwrap().contains("990"));
    }
}
