//! `ledger.jsonl`: a header, then one line for every entry. Each line ends with a checksum that covers it
//! and, because it begins with the checksum of the line before, everything above it.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{
    disk,
    stock_file::{Level, Levels, Record},
};
use crate::{
    entry::Entry,
    error::{InventoryError, without_position},
    placement::Identity,
};

/// No line is longer, so that a damaged file cannot fill the memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// What stands between an entry's fields and its checksum.
const SUM: &str = r#","sum":""#;
const SUM_AND_END: usize = SUM.len() + 8 + 2;

const REMEDY: &str = "stop the workers and restore both files from the same copy, or move the folder away to \
                      begin a new inventory,";

/// The ledger's first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The inventory's identity.
    pub inventory: String,
    /// What was in stock before the first entry.
    pub opening: Vec<Record>,
}

impl Header {
    /// The header of a new inventory.
    pub fn new(opening: Vec<Record>) -> Self {
        Self {
            inventory: Identity::new_id(),
            opening,
        }
    }
}

/// Where an entry stands, and the checksum before it.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    len: u32,
    sum_before: u32,
}

/// An open ledger, with what its lines add up to.
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    pub header: Header,
    /// How many entries there are.
    pub seq: u64,
    pub stock: Levels,
    /// Where the entries stand.
    places: Vec<Place>,
    /// The numbers of each order's entries.
    orders: HashMap<String, Vec<u64>>,
    /// Where the last whole change ends, and the checksum there.
    end: u64,
    sum: u32,
    /// When the file was changed last, as far as is known here.
    modified: Option<SystemTime>,
    /// Whether something follows that a crash left behind: part of a line, or part of a change.
    has_tail: bool,
}

impl Ledger {
    /// Creates a ledger without entries.
    pub fn create(path: &Path, header: &Header) -> Result<Self, InventoryError> {
        let mut text = Vec::new();
        seal(&mut text, 0, header);
        disk::replace(path, &text)?;
        let created = Self::open(path, u64::MAX)?;
        created.ok_or_else(|| InventoryError::io("open", path)(io::ErrorKind::NotFound.into()))
    }

    /// Opens the ledger and reads its first `until` entries. Returns `None` if there is no file.
    pub fn open(path: &Path, until: u64) -> Result<Option<Self>, InventoryError> {
        let mut ledger = Self::begin(path)?;
        if let Some(ledger) = &mut ledger {
            ledger.read_on(until)?;
        }
        Ok(ledger)
    }

    /// Opens the ledger and reads its header. Returns `None` if there is no file.
    pub fn begin(path: &Path) -> Result<Option<Self>, InventoryError> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = match opened {
            Ok(file) => file,
            // Whoever may only read can still check it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                File::open(path).map_err(InventoryError::io("open", path))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(InventoryError::io("open", path)(error)),
        };
        let mut lines = Lines::new(&file, path, 0, 1)?;
        let Some(first) = lines.next()? else {
            return Err(damaged(path, 1, "the file is empty".to_owned()));
        };
        let (header, sum) =
            unseal::<Header>(0, &first).map_err(|problem| damaged(path, 1, problem))?;
        let stock = header.opening.iter().map(Record::level).collect();
        Ok(Some(Self {
            path: path.to_owned(),
            header,
            seq: 0,
            stock,
            places: Vec::new(),
            orders: HashMap::new(),
            end: first.len() as u64,
            sum,
            has_tail: false,
            modified: None,
            file,
        }))
    }

    /// Whether the path still leads to the file that was read, and nothing was changed in what was read. A
    /// file that others have appended to has another length.
    pub fn is_current(&self) -> Result<bool, InventoryError> {
        let ours = self.file.metadata();
        let ours = ours.map_err(InventoryError::io("look at", &self.path))?;
        Ok(match std::fs::metadata(&self.path) {
            Ok(there) => {
                let same_file = (there.dev(), there.ino()) == (ours.dev(), ours.ino());
                let untouched = there.len() == self.end && there.modified().ok() == self.modified;
                same_file && (untouched || there.len() > self.end)
            }
            Err(_) => false,
        })
    }

    /// Reads what was appended since, up to the entry `until`.
    pub fn read_on(&mut self, until: u64) -> Result<(), InventoryError> {
        self.read(until, Self::add)
    }

    /// Reads what was appended since, and shows each entry. Where it stands is not remembered, which takes
    /// less memory; so this ledger cannot be asked for entries.
    pub fn walk(&mut self, mut show: impl FnMut(&Entry)) -> Result<(), InventoryError> {
        self.read(u64::MAX, |ledger, entry, _| {
            ledger.follow(&entry)?;
            show(&entry);
            Ok(())
        })
    }

    fn read(
        &mut self,
        until: u64,
        mut take_in: impl FnMut(&mut Self, Entry, Place) -> Result<(), String>,
    ) -> Result<(), InventoryError> {
        let found = self.file.metadata();
        let found = found.map_err(InventoryError::io("look at", &self.path))?;
        self.modified = found.modified().ok();
        let len = found.len();
        self.has_tail = len > self.end;
        if !self.has_tail {
            return Ok(());
        }
        let mut lines = Lines::new(&self.file, &self.path, self.end, self.seq + 2)?;
        // The lines of a change that counts only as a whole.
        let mut change = Vec::new();
        let (mut offset, mut sum) = (self.end, self.sum);
        while self.seq < until
            && let Some(line) = lines.next()?.filter(|line| line.ends_with(b"\n"))
        {
            let number = self.seq + change.len() as u64 + 1;
            let wrong = |problem| damaged(&self.path, number + 1, problem);
            let (entry, sum_after) = unseal::<Entry>(sum, &line).map_err(wrong)?;
            if entry.seq != number {
                return Err(wrong(format!("seq is {}, expected {number}", entry.seq)));
            }
            let place = Place {
                offset,
                len: line.len() as u32,
                sum_before: sum,
            };
            let more = entry.more;
            change.push((entry, place));
            offset += line.len() as u64;
            sum = sum_after;
            if !more {
                for (entry, place) in change.drain(..) {
                    let line = entry.seq + 1;
                    let taken_in = take_in(self, entry, place);
                    taken_in.map_err(|problem| damaged(&self.path, line, problem))?;
                }
                (self.end, self.sum) = (offset, sum);
            }
        }
        self.has_tail = len > self.end;
        Ok(())
    }

    fn add(&mut self, entry: Entry, place: Place) -> Result<(), String> {
        self.follow(&entry)?;
        self.places.push(place);
        self.orders
            .entry(entry.order_id)
            .or_default()
            .push(entry.seq);
        Ok(())
    }

    fn follow(&mut self, entry: &Entry) -> Result<(), String> {
        follow(&mut self.stock, entry)?;
        self.seq = entry.seq;
        Ok(())
    }

    /// The stock as it will be after these entries.
    pub fn stock_after(&self, entries: &[Entry]) -> Result<Levels, InventoryError> {
        let mut stock = self.stock.clone();
        for entry in entries {
            let followed = follow(&mut stock, entry);
            followed.map_err(|problem| damaged(&self.path, entry.seq + 1, problem))?;
        }
        Ok(stock)
    }

    /// Whether a crash left something behind the last whole change.
    pub fn has_tail(&self) -> bool {
        self.has_tail
    }

    /// Takes away what a crash left behind.
    pub fn cut_tail(&mut self) -> Result<(), InventoryError> {
        let cut = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.sync_data());
        cut.map_err(InventoryError::io("write", &self.path))?;
        self.has_tail = false;
        self.remember_modified();
        Ok(())
    }

    /// Appends the entries of one change. After an error the ledger is as before, or has a tail.
    pub fn append(&mut self, entries: Vec<Entry>) -> Result<(), InventoryError> {
        let mut text = Vec::new();
        let mut placed = Vec::with_capacity(entries.len());
        let mut sum = self.sum;
        for entry in entries {
            let (sum_before, start) = (sum, text.len());
            sum = seal(&mut text, sum, &entry);
            let place = Place {
                offset: self.end + start as u64,
                len: (text.len() - start) as u32,
                sum_before,
            };
            placed.push((entry, place));
        }
        let written = self.file.write_all_at(&text, self.end);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // If this fails too, the next change cuts the tail.
            let _ = self.file.set_len(self.end);
            return Err(InventoryError::io("write", &self.path)(error));
        }
        for (entry, place) in placed {
            let line = entry.seq + 1;
            let added = self.add(entry, place);
            added.map_err(|problem| damaged(&self.path, line, problem))?;
        }
        self.end += text.len() as u64;
        self.sum = sum;
        self.remember_modified();
        Ok(())
    }

    /// Notes that the latest change of the file was made here.
    fn remember_modified(&mut self) {
        self.modified = self.file.metadata().and_then(|it| it.modified()).ok();
    }

    /// Every entry of an order, oldest first.
    pub fn entries_of(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        let numbers = self.orders.get(order_id).into_iter().flatten();
        numbers.map(|seq| self.entry(*seq)).collect()
    }

    /// At most `limit` entries after the entry `after`.
    pub fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, InventoryError> {
        let numbers = after.saturating_add(1)..=self.seq;
        numbers.take(limit).map(|seq| self.entry(seq)).collect()
    }

    /// The entry with this number, which must be there.
    pub fn entry(&self, seq: u64) -> Result<Entry, InventoryError> {
        let place = self.places[seq as usize - 1];
        let mut line = vec![0; place.len as usize];
        let read = self.file.read_exact_at(&mut line, place.offset);
        read.map_err(InventoryError::io("read", &self.path))?;
        match unseal(place.sum_before, &line) {
            Ok((entry, _)) => Ok(entry),
            Err(problem) => Err(damaged(&self.path, seq + 1, problem)),
        }
    }

    /// The error for a ledger that has lost lines which it had.
    pub fn cut_short(&self, lines: u64) -> InventoryError {
        damaged(
            &self.path,
            self.seq + 2,
            format!(
                "the ledger ends after {} entries, and the inventory file was written when it had \
                 {lines}; its last lines are missing",
                self.seq
            ),
        )
    }
}

/// Takes an entry into the stock.
fn follow(stock: &mut Levels, entry: &Entry) -> Result<(), String> {
    let Some(effect) = entry.change.effect_on_stock(entry.quantity) else {
        return Ok(());
    };
    let before = stock.get(&entry.product_id).map_or(0, |it| it.in_stock);
    let in_stock = entry.in_stock.unwrap_or_default();
    if i64::from(before) + effect != i64::from(in_stock) {
        return Err(format!("inStock {in_stock} does not follow from {before}"));
    }
    if entry.removed {
        stock.remove(&entry.product_id);
    } else {
        let order_id = entry.order_id.clone();
        stock.insert(entry.product_id.clone(), Level { in_stock, order_id });
    }
    Ok(())
}

/// The error for a ledger that is gone although it had lines.
pub(crate) fn missing(path: &Path, lines: u64) -> InventoryError {
    InventoryError::Damaged {
        path: path.to_owned(),
        line: None,
        column: None,
        problem: format!(
            "the ledger is missing, and the inventory file was written when it had {lines} entries"
        ),
        remedy: REMEDY,
    }
}

fn damaged(path: &Path, line: u64, problem: String) -> InventoryError {
    InventoryError::Damaged {
        path: path.to_owned(),
        line: Some(line),
        column: None,
        problem,
        remedy: REMEDY,
    }
}

/// Writes a value as a line that follows a line with the checksum `before`, and returns its own.
fn seal(text: &mut Vec<u8>, before: u32, value: &impl Serialize) -> u32 {
    let start = text.len();
    serde_json::to_writer(&mut *text, value).expect("strings and numbers serialize into memory");
    text.pop();
    let sum = checksum(before, &text[start..]);
    text.extend_from_slice(format!("{SUM}{sum:08x}\"}}\n").as_bytes());
    sum
}

/// Reads a line, with its end, that follows a line with the checksum `before`. Returns its own too.
fn unseal<'a, T: Deserialize<'a>>(before: u32, line: &'a [u8]) -> Result<(T, u32), String> {
    let text = line.strip_suffix(b"\n").ok_or("the line has no end")?;
    let body = text.len().saturating_sub(SUM_AND_END);
    let sum = checksum(before, &text[..body]);
    if text[body..] != *format!("{SUM}{sum:08x}\"}}").as_bytes() {
        return Err(
            "the line, or one before it, has been changed or taken away: \
                    the checksum at its end does not fit"
                .to_owned(),
        );
    }
    match serde_json::from_slice(text) {
        Ok(value) => Ok((value, sum)),
        Err(error) => Err(format!(
            "column {}: {}",
            error.column(),
            without_position(&error)
        )),
    }
}

fn checksum(before: u32, text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(text);
    hasher.finalize()
}

/// The lines of a file, each with its end; the last one may have none.
struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    /// Which line comes next.
    number: u64,
}

impl Lines {
    fn new(file: &File, path: &Path, offset: u64, number: u64) -> Result<Self, InventoryError> {
        let seek = || {
            let mut file = file.try_clone()?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        };
        let file = seek().map_err(InventoryError::io("read", path))?;
        Ok(Self {
            reader: BufReader::new(file),
            path: path.to_owned(),
            number,
        })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, InventoryError> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut line);
        read.map_err(InventoryError::io("read", &self.path))?;
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            let problem = format!("a line is longer than {LONGEST_LINE} bytes");
            return Err(damaged(&self.path, self.number, problem));
        }
        self.number += 1;
        Ok((!line.is_empty()).then_some(line))
    }
}
