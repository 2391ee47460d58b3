//! A ledger of an earlier version, which had no header and no checksums.

use std::{collections::HashSet, fs::File, io, path::Path};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    disk,
    ledger::{Header, Ledger, Lines},
    stock_file::{Record, StockFile},
};
use crate::{
    entry::Entry,
    error::{InventoryError, without_position},
};

/// Gives such a ledger its header and checksums. Returns `None` if there is none.
pub(crate) fn convert(
    path: &Path,
    file: Option<&StockFile>,
) -> Result<Option<Ledger>, InventoryError> {
    if !is_earlier(path)? {
        return Ok(None);
    }
    let text = disk::read(path)?.unwrap_or_default();
    let damaged = |line: usize, problem| InventoryError::Damaged {
        path: path.to_owned(),
        line: Some(line as u64),
        column: None,
        problem,
        remedy: "repair the ledger, or move the folder away to begin a new inventory,",
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut keys = HashSet::new();
    // What comes after the last line's end was being written when a crash came.
    let whole = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    for (index, line) in text[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
    {
        let entry: Entry = serde_json::from_slice(line)
            .map_err(|error| damaged(index + 1, without_position(&error)))?;
        if entry.seq != index as u64 + 1 || !keys.insert(entry.key.clone()) {
            let problem = "its seq or its key is not the next one".to_owned();
            return Err(damaged(index + 1, problem));
        }
        entries.push(entry);
    }
    while entries.last().is_some_and(|entry| entry.more) {
        entries.pop();
    }
    let header = Header::new(opening(&entries, file));
    tracing::info!(
        ledger = %path.display(),
        "the ledger is of an earlier version; it gets a header and checksums"
    );
    Ledger::create(path, &header, &entries).map(Some)
}

fn is_earlier(path: &Path) -> Result<bool, InventoryError> {
    /// Today's first line has no `seq`, and today's entries have a `sum`.
    #[derive(Deserialize)]
    struct First {
        #[serde(rename = "seq")]
        _seq: u64,
        sum: Option<IgnoredAny>,
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(InventoryError::io("open", path)(error)),
    };
    let first = Lines::new(&file, path, 0)?.next()?.unwrap_or_default();
    let first = serde_json::from_slice::<First>(&first);
    Ok(first.is_ok_and(|first| first.sum.is_none()))
}

/// What was in stock before the first entry: a product's first entry implies it, and of a product without
/// one the inventory file tells.
fn opening(entries: &[Entry], file: Option<&StockFile>) -> Vec<Record> {
    let mut opening: Vec<Record> = Vec::new();
    for entry in entries {
        let seen = opening.iter().any(|it| it.product_id == entry.product_id);
        if let Some(effect) = entry.change.effect_on_stock(entry.quantity)
            && !seen
        {
            let before = i64::from(entry.in_stock.unwrap_or_default()) - effect;
            let before = u32::try_from(before).unwrap_or(0);
            opening.push(Record::first(&entry.product_id, before));
        }
    }
    for record in file.iter().flat_map(|file| &file.records) {
        if !opening.iter().any(|it| it.product_id == record.product_id) {
            opening.push(record.opening());
        }
    }
    opening
}
