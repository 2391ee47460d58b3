//! What is known of the past: levels and indexes, derived from the ledger only.

use std::path::Path;

use crate::{
    entry::{Change, Entry, Line},
    error::InventoryError,
    index::{Index, Slot},
    ledger::{Found, Ledger},
    levels::Levels,
    quick_read,
    stock_file::StockFile,
};

/// The state after the lines read so far.
#[derive(Debug)]
pub(crate) struct State {
    pub ledger: Ledger,
    pub levels: Levels,
    /// The number of the last line.
    pub seq: u64,
    /// From idempotency key to line.
    keys: Index,
    /// From order ID to the first line of its latest reservation.
    reservations: Index,
    /// The inventory file's shape and extra fields, as last seen.
    pub file: StockFile,
    /// The inventory file's bytes, while they are known to agree with `levels`.
    pub text: Option<Vec<u8>>,
    /// Whether what the file held before is known, so that a product new in it
    /// is an edit.
    pub has_baseline: bool,
}

impl State {
    /// Opens the ledger and reads none of it yet. `before` is what the
    /// inventory file was last known to hold.
    pub fn open(ledger: &Path, before: Option<StockFile>) -> Result<Self, InventoryError> {
        let (ledger, existed) = Ledger::open(ledger)?;
        // Without its ledger, what was there before is forgotten on purpose.
        let before = before.filter(|_| existed);
        Ok(Self {
            ledger,
            levels: Levels::default(),
            seq: 0,
            keys: Index::default(),
            reservations: Index::default(),
            has_baseline: before.is_some(),
            file: before.unwrap_or_else(StockFile::empty),
            text: None,
        })
    }

    /// Reads the lines that were appended since; repairs the end that a crash
    /// left. Tells whether there were any.
    ///
    /// After an error the state is of no use: read anew from the start.
    pub fn read_on(&mut self) -> Result<bool, InventoryError> {
        if !self.ledger.has_more()? {
            return Ok(false);
        }
        if self.seq == 0
            && let Some(read) = quick_read::read(&self.ledger)?
        {
            self.start_from(read)?;
        }
        self.read_carefully()?;
        Ok(true)
    }

    /// Reads what has not been read line by line, and repairs or reports what is
    /// wrong with it.
    fn read_carefully(&mut self) -> Result<(), InventoryError> {
        // The borrow of the ledger ends when its lines are read; the rest of
        // the state changes while they are.
        let Self {
            ledger,
            levels,
            seq,
            keys,
            reservations,
            ..
        } = self;
        let mut past = Past {
            ledger,
            levels,
            seq,
            keys,
            reservations,
        };
        let mut end = ledger.len();
        let mut last = Vec::new();
        // Lines of a change that counts only as a whole, until it is whole.
        let mut group: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut torn = None;
        let mut unended = false;
        ledger.read_on(
            |Found {
                 text,
                 offset,
                 complete,
             }| {
                let number = *past.seq + group.len() as u64 + 1;
                if !complete && !group.is_empty() {
                    return Ok(());
                }
                let line = match ledger.parse(Some(number), text) {
                    Err(error) if !complete => {
                        torn = Some(error);
                        return Ok(());
                    }
                    line => line?,
                };
                if line.more {
                    group.push((offset, text.to_vec()));
                    return Ok(());
                }
                let parts = std::mem::take(&mut group);
                let first = parts.first().map_or(offset, |(offset, _)| *offset);
                for (offset, text) in parts {
                    let part = ledger.parse(Some(*past.seq + 1), &text)?;
                    if (&part.order_id, part.change) != (&line.order_id, line.change) {
                        let problem =
                            "the next line should belong to the same change, and does not";
                        return Err(ledger.damaged(Some(part.seq), None, problem.to_owned()));
                    }
                    past.add(&part, offset, offset == first)?;
                }
                match past.add(&line, offset, offset == first) {
                    Err(error) if !complete => torn = Some(error),
                    added => {
                        added?;
                        unended = !complete;
                        end = offset + text.len() as u64 + 1;
                        last.clear();
                        last.extend_from_slice(text);
                    }
                }
                Ok(())
            },
        )?;
        if end > ledger.len() {
            if unended {
                tracing::warn!(line = *seq, "the ledger's last line lacked its end; added");
                ledger.end_line()?;
            }
            ledger.accept(end, &last);
        }
        if let Some(reason) = torn {
            tracing::warn!(%reason, "the ledger's last line was half written; taken away");
            ledger.truncate()?;
        } else if !group.is_empty() {
            tracing::warn!(
                lines = group.len(),
                "the ledger's last change was written in part; taken away"
            );
            ledger.truncate()?;
        }
        Ok(())
    }

    /// Takes over what was read of a ledger's beginning.
    fn start_from(&mut self, read: quick_read::Read) -> Result<(), InventoryError> {
        let (last, _) = self.ledger.line_at(read.last)?;
        self.ledger.accept(read.end, &last);
        self.levels = read.levels;
        self.seq = read.seq;
        self.keys = read.keys;
        self.reservations = read.reservations;
        Ok(())
    }

    /// Appends entries to the ledger and takes them in; an error leaves both as
    /// they were.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), InventoryError> {
        let mut lines = Vec::with_capacity(entries.len() * 256);
        let mut offsets = Vec::with_capacity(entries.len());
        for entry in entries {
            offsets.push(self.ledger.len() + lines.len() as u64);
            serde_json::to_writer(&mut lines, entry)
                .expect("an entry of strings and numbers serializes into memory");
            lines.push(b'\n');
        }
        self.ledger.append(&lines)?;
        let mut starts = true;
        for (entry, offset) in entries.iter().zip(offsets) {
            let mut past = Past {
                ledger: &self.ledger,
                levels: &mut self.levels,
                seq: &mut self.seq,
                keys: &mut self.keys,
                reservations: &mut self.reservations,
            };
            past.add(&entry.as_line(), offset, starts)?;
            starts = !entry.more;
        }
        Ok(())
    }

    /// Takes the inventory file's content as the one that agrees with the
    /// ledger, order IDs and further fields included.
    pub fn adopt(&mut self, file: StockFile) {
        for record in &file.records {
            self.levels
                .adopt(&record.product_id, &record.order_id, record.in_stock);
        }
        self.file = file;
        self.has_baseline = true;
    }

    /// The entry with a key.
    pub fn entry(&self, key: &str) -> Result<Option<Entry>, InventoryError> {
        let found = self.keys.find(key, |offset| {
            let (entry, _) = self.ledger.entry_at(offset)?;
            Ok((entry.key == key).then_some(entry))
        })?;
        Ok(match found {
            Slot::Taken(_, entry) => Some(entry),
            Slot::Free(_) => None,
        })
    }

    /// The latest reservation of an order, one entry for each product,
    /// whether it was released since or not.
    pub fn latest_reservation(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        let found = self.reservations.find(order_id, |offset| {
            let (entry, next) = self.ledger.entry_at(offset)?;
            Ok((entry.order_id == order_id).then_some((entry, next)))
        })?;
        let Slot::Taken(_, (entry, mut next)) = found else {
            return Ok(Vec::new());
        };
        let mut entries = vec![entry];
        while entries.last().is_some_and(|entry| entry.more) {
            let (entry, after) = self.ledger.entry_at(next)?;
            entries.push(entry);
            next = after;
        }
        Ok(entries)
    }
}

/// The parts of [`State`] that a line adds to, while its ledger is being read.
struct Past<'a> {
    ledger: &'a Ledger,
    levels: &'a mut Levels,
    seq: &'a mut u64,
    keys: &'a mut Index,
    reservations: &'a mut Index,
}

impl Past<'_> {
    fn add(&mut self, line: &Line<'_>, offset: u64, starts: bool) -> Result<(), InventoryError> {
        let number = *self.seq + 1;
        let ledger = self.ledger;
        let damaged = |problem| ledger.damaged(Some(number), None, problem);
        if line.seq != number {
            return Err(damaged(format!("seq is {}, expected {number}", line.seq)));
        }
        let slot = self.keys.find(&line.key, |other| {
            ledger.look_at(other, |other| (other.key == line.key).then_some(other.seq))
        })?;
        let key = match slot {
            Slot::Free(key) => key,
            Slot::Taken(_, other) => {
                return Err(damaged(format!(
                    "key {:?} is that of line {other} already",
                    line.key
                )));
            }
        };
        self.levels.follow(line).map_err(damaged)?;
        self.keys.set(key, offset);
        if line.change == Change::Reserved && starts {
            let slot = self.reservations.find(&line.order_id, |other| {
                ledger.look_at(other, |other| {
                    (other.order_id == line.order_id).then_some(())
                })
            })?;
            let (Slot::Free(number) | Slot::Taken(number, ())) = slot;
            self.reservations.set(number, offset);
        }
        *self.seq = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::LazyLock, time::SystemTime};

    use orders::Item;
    use proptest::prelude::*;

    use super::*;
    use crate::{Inventory, Placement};

    /// A ledger with a line of every kind, and changes of several lines.
    static EVERY_KIND: LazyLock<String> = LazyLock::new(every_kind);

    fn every_kind() -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.json");
        let write = |text: &str| fs::write(&path, text).unwrap();
        let record =
            |id, stock| format!(r#"{{"orderID":"","productID":"{id}","inStock":{stock}}}"#);
        write(&format!("[{},{}]", record("a", 100), record("b", 100)));
        let inventory = Inventory::open(&path, SystemTime::now).unwrap();
        for round in 0..3 {
            for number in 0..3 {
                // Placed again in each round, once it was released.
                let order = Placement::new(format!("order \\ {number}"), format!("run-{round}"));
                let items = [Item::new("a", 2), Item::new("b", 1)];
                inventory.reserve(&order, &items).unwrap();
                inventory.record_charge(&order, "VISA").unwrap();
                let to = Some("Rue de l'Été 1");
                inventory.record_shipment(&order, &items[0], to).unwrap();
                inventory.restock(&order, "b", round, 0).unwrap();
                inventory.record_recall(&order, "a").unwrap();
                inventory.record_refund(&order).unwrap();
                inventory.release(&order).unwrap();
            }
            // By hand: other stock, and a product that comes and goes.
            write(&format!("[{},{}]", record("a", 90 + round), record("c", 7)));
            inventory.products().unwrap();
            write(&format!("[{},{}]", record("a", 80), record("b", 9)));
            inventory.products().unwrap();
        }
        fs::read_to_string(inventory.ledger_path()).unwrap()
    }

    /// What reading a ledger comes to: what is known of the past, or the error;
    /// and the file afterwards. In so many stretches at first, or carefully
    /// from the start.
    fn outcome(ledger: &[u8], stretches: Option<u64>) -> (String, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        fs::write(&path, ledger).unwrap();
        let mut state = State::open(&path, None).unwrap();
        let len = ledger.len() as u64;
        let read = stretches
            .and_then(|stretches| quick_read::read_in(&state.ledger, len, stretches).unwrap());
        if let Some(read) = read {
            state.start_from(read).unwrap();
        }
        let told = match state.read_carefully() {
            Err(error) => error.to_string(),
            Ok(()) => {
                assert!(state.ledger.is_current().unwrap());
                let after = fs::read(&path).unwrap();
                let found = after.split_inclusive(|byte| *byte == b'\n').map(|text| {
                    let line = state.ledger.parse(None, &text[..text.len() - 1]).unwrap();
                    let own = state.entry(&line.key);
                    let latest = state.latest_reservation(&line.order_id);
                    format!("{own:?} {latest:?}\n")
                });
                let found: String = found.collect();
                let State {
                    levels,
                    seq,
                    ledger,
                    ..
                } = &state;
                format!("{:?} {seq} {}\n{found}", levels.sorted(), ledger.len())
            }
        };
        let told = told.replace(folder.path().to_str().unwrap(), "");
        (told, fs::read(&path).unwrap())
    }

    #[test]
    fn a_ledger_read_in_stretches_tells_what_its_lines_tell() {
        let ledger = EVERY_KIND.as_str();
        let careful = outcome(ledger.as_bytes(), None);
        assert!(careful.0.contains("order"), "{}", careful.0);
        for stretches in 1..40 {
            assert_eq!(outcome(ledger.as_bytes(), Some(stretches)), careful);
        }
    }

    #[test]
    fn what_is_plain_is_read_in_stretches_up_to_its_end() {
        let ledger = EVERY_KIND.as_str();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        fs::write(&path, ledger).unwrap();
        let (opened, _) = Ledger::open(&path).unwrap();
        let len = ledger.len() as u64;
        for stretches in 1..40 {
            let read = quick_read::read_in(&opened, len, stretches).unwrap();
            assert_eq!(read.unwrap().end, len, "{stretches}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_damaged_ledger_is_read_in_stretches_as_line_by_line(
            stretches in 1..12u64,
            kind in 0..6,
            at in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let ledger = EVERY_KIND.as_str();
            let mut lines: Vec<_> = ledger.split_inclusive('\n').collect();
            let (from, to) = (at.index(lines.len()), other.index(lines.len()));
            let damaged = match kind {
                0 => ledger.as_bytes()[..at.index(ledger.len())].to_vec(),
                1 => {
                    let mut bytes = ledger.as_bytes().to_vec();
                    let at = at.index(bytes.len());
                    bytes[at] = with;
                    bytes
                }
                2 => {
                    lines.remove(from);
                    lines.concat().into_bytes()
                }
                3 => {
                    lines.swap(from, to);
                    lines.concat().into_bytes()
                }
                4 => {
                    let with_next = lines[from].replace("}\n", ",\"more\":true}\n");
                    lines[from] = &with_next;
                    lines.concat().into_bytes()
                }
                _ => {
                    // The same effect once more, counted as a line of its own.
                    let again = lines[from].replacen(
                        &format!("\"seq\":{}", from + 1),
                        &format!("\"seq\":{}", lines.len() + 1),
                        1,
                    );
                    lines.push(&again);
                    lines.concat().into_bytes()
                }
            };
            prop_assert_eq!(outcome(&damaged, Some(stretches)), outcome(&damaged, None));
        }
    }
}
