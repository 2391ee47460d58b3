//! Reads a ledger from its start with all of the machine's cores, several times
//! faster than line by line.
//!
//! The file is cut into stretches, one for each core; each is read by itself
//! and then joined to the one before it. Whatever is not plain, a half-written
//! end or damage of any kind, is left to the careful reader in
//! [`state`](crate::state), which goes on behind the last whole change that was
//! read here: it repairs, or names the line.

use std::thread;

use memchr::memchr_iter;

use crate::{
    entry::{Change, Line},
    error::InventoryError,
    index::{Index, hash},
    ledger::Ledger,
    levels::Levels,
};

/// A stretch shorter than this is not worth a thread, in bytes.
const SHORTEST: u64 = 1 << 22;

/// No line that this program writes has fewer bytes.
const SHORTEST_LINE: u64 = 128;

/// Bytes that each thread holds at a time.
const BUFFER: usize = 1 << 18;

/// What the lines that were read tell.
#[derive(Debug)]
pub(crate) struct Read {
    pub levels: Levels,
    /// The number of the last line.
    pub seq: u64,
    pub keys: Index,
    pub reservations: Index,
    /// Where the last line starts, and where it ends.
    pub last: u64,
    pub end: u64,
}

/// Reads what is plain of the ledger's beginning; `None` if nothing is.
pub(crate) fn read(ledger: &Ledger) -> Result<Option<Read>, InventoryError> {
    let len = ledger.size()?;
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    read_in(ledger, len, cores.min(len / SHORTEST).max(1))
}

/// Reads the first `len` bytes in at most so many stretches.
pub(crate) fn read_in(
    ledger: &Ledger,
    len: u64,
    stretches: u64,
) -> Result<Option<Read>, InventoryError> {
    let mut starts = vec![0];
    for stretch in 1..stretches {
        starts.extend(change_start(ledger, len / stretches * stretch));
    }
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([len]);
    let read: Vec<_> = thread::scope(|scope| {
        let spans = starts.iter().copied().zip(ends);
        let threads: Vec<_> = spans
            .map(|(start, end)| scope.spawn(move || Stretch::read(ledger, start, end)))
            .collect();
        threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut whole = Stretch::default();
    for stretch in read {
        let stretch = stretch.map_err(|_| InventoryError::Interrupted)??;
        let joined = stretch.is_some_and(|stretch| whole.join(stretch));
        if !joined {
            break;
        }
    }
    whole.into_read(ledger)
}

/// Where the first change behind `from` starts, as far as that can be told.
fn change_start(ledger: &Ledger, from: u64) -> Option<u64> {
    let (_, mut at) = ledger.line_at(from).ok()?;
    loop {
        let (text, next) = ledger.line_at(at).ok()?;
        at = next;
        if !ledger.parse(None, &text).ok()?.more {
            return Some(at);
        }
    }
}

/// Whole changes that follow each other.
#[derive(Debug, Default)]
struct Stretch {
    levels: Levels,
    start: u64,
    /// The numbers of the first line and of the last.
    first: u64,
    seq: u64,
    /// The hash of each key, or reserved order, and the offset of its line.
    keys: Vec<(u64, u64)>,
    reservations: Vec<(u64, u64)>,
    last: u64,
    end: u64,
}

impl Stretch {
    /// Reads up to what is not plain, but not behind `end`; `None` if there is
    /// nothing, or nothing of it can be used.
    fn read(ledger: &Ledger, start: u64, end: u64) -> Result<Option<Self>, InventoryError> {
        // More than there will be, and only what is used of it takes memory:
        // lists that grow would leave twice as much behind.
        let most = usize::try_from((end - start) / SHORTEST_LINE).unwrap_or(0);
        let mut stretch = Self {
            start,
            end: start,
            keys: Vec::with_capacity(most),
            reservations: Vec::with_capacity(most),
            ..Self::default()
        };
        let mut buffer = vec![0; BUFFER];
        // What the buffer holds, from the stretch's end on.
        let mut filled = 0;
        loop {
            let at = stretch.end + filled as u64;
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let wanted = wanted.min(buffer.len() - filled);
            let read = ledger.bytes_at(at, &mut buffer[filled..filled + wanted])?;
            filled += read;
            let before = stretch.end;
            let Some(plain) = stretch.take(ledger, &buffer[..filled]) else {
                return Ok(None);
            };
            if read == 0 || !plain {
                break;
            }
            let taken = (stretch.end - before) as usize;
            buffer.copy_within(taken..filled, 0);
            filled -= taken;
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
        }
        if stretch.keys.is_empty() {
            return Ok(None);
        }
        stretch.keys.sort_unstable();
        stretch.reservations.sort_unstable();
        Ok(Some(stretch))
    }

    /// Takes in the whole changes in `text`. Tells whether all of its lines
    /// could be read; `None` if what they say cannot be.
    fn take(&mut self, ledger: &Ledger, text: &[u8]) -> Option<bool> {
        let offset = self.end;
        let mut start = 0;
        let mut change: Vec<(u64, Line<'_>)> = Vec::new();
        for end in memchr_iter(b'\n', text) {
            let Ok(line) = ledger.parse(None, &text[start..end]) else {
                return Some(false);
            };
            let more = line.more;
            change.push((offset + start as u64, line));
            start = end + 1;
            if !more {
                self.add(&change)?;
                self.end = offset + start as u64;
                change.clear();
            }
        }
        Some(true)
    }

    /// Adds one change, or gives up.
    fn add(&mut self, change: &[(u64, Line<'_>)]) -> Option<()> {
        let (start, first) = change.first()?;
        if self.keys.is_empty() {
            self.first = first.seq;
            self.seq = first.seq.checked_sub(1)?;
        }
        for (offset, line) in change {
            let goes_on = line.seq == self.seq + 1
                && (&line.order_id, line.change) == (&first.order_id, first.change);
            if !goes_on {
                return None;
            }
            self.levels.follow(line).ok()?;
            self.keys.push((hash(&line.key), *offset));
            self.seq = line.seq;
            self.last = *offset;
        }
        if first.change == Change::Reserved {
            self.reservations.push((hash(&first.order_id), *start));
        }
        Some(())
    }

    /// Puts `later` behind this one; false, and nothing changed, if it does not
    /// follow.
    fn join(&mut self, mut later: Self) -> bool {
        let follows = (later.start, later.first) == (self.end, self.seq + 1);
        if !follows || !self.levels.join(later.levels) {
            return false;
        }
        self.keys.append(&mut later.keys);
        self.reservations.append(&mut later.reservations);
        self.seq = later.seq;
        self.last = later.last;
        self.end = later.end;
        true
    }

    /// Indexes what was read; `None` if that is nothing, or a key is there
    /// twice.
    fn into_read(self, ledger: &Ledger) -> Result<Option<Read>, InventoryError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let order = |offset| ledger.look_at(offset, |line| line.order_id.clone().into_owned());
        let placed_again = |one, other| Ok(order(one)? == order(other)?);
        let (Some(keys), Some(reservations)) = (
            Index::from_pairs(self.keys, |_, _| Ok(false))?,
            Index::from_pairs(self.reservations, placed_again)?,
        ) else {
            return Ok(None);
        };
        Ok(Some(Read {
            levels: self.levels,
            seq: self.seq,
            keys,
            reservations,
            last: self.last,
            end: self.end,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, in_stock: u32) -> String {
        format!(
            r#"{{"seq":{seq},"at":"2026-11-22T07:00:00Z","orderID":"{seq}","productID":"1","change":"reserved","quantity":1,"inStock":{in_stock},"key":"{seq}/run/reserve/1"}}"#
        ) + "\n"
    }

    /// Whether the second line is joined to the first, with so many bytes of
    /// something else in between.
    fn joins(first: &str, between: &str, second: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        std::fs::write(&path, [first, between, second].concat()).unwrap();
        let (ledger, _) = Ledger::open(&path).unwrap();
        let middle = (first.len() + between.len()) as u64;
        let end = middle + second.len() as u64;
        let read = |from, to| Stretch::read(&ledger, from, to).unwrap().unwrap();
        read(0, middle).join(read(middle, end))
    }

    #[test]
    fn a_stretch_is_joined_to_what_it_follows_from_only() {
        assert!(joins(&line(1, 9), "", &line(2, 8)));
        assert!(!joins(&line(1, 9), "", &line(3, 8)), "a line is missing");
        assert!(!joins(&line(1, 9), "", &line(2, 7)), "other stock");
        assert!(!joins(&line(1, 9), "no line\n", &line(2, 8)), "damage");
    }
}
