//! What is known of the past: levels and indexes, derived from the ledger only.

use std::path::Path;

use crate::entry::{Change, Entry, Line};
use crate::error::InventoryError;
use crate::index::{Index, Slot};
use crate::ledger::{Found, Ledger};
use crate::levels::Levels;
use crate::stock_file::StockFile;

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
                let line = match ledger.parse(number, text) {
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
                    let part = ledger.parse(*past.seq + 1, &text)?;
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
        Ok(true)
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
            self.levels.adopt(record);
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
            let (entry, _) = ledger.entry_at(other)?;
            Ok((entry.key == line.key).then_some(entry.seq))
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
                let (entry, _) = ledger.entry_at(other)?;
                Ok((entry.order_id == line.order_id).then_some(()))
            })?;
            let (Slot::Free(number) | Slot::Taken(number, ())) = slot;
            self.reservations.set(number, offset);
        }
        *self.seq = number;
        Ok(())
    }
}
