//! `inventory.json`: what a person opens, and may edit.
//!
//! Each record says how many entries the ledger had when it was written. So a file that a power failure
//! brought back is told from one that a person edited, and a ledger that has lost lines is noticed.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, ser::PrettyFormatter};

use crate::{
    DEFAULT_PRODUCT, FIRST_ORDER, FIRST_STOCK,
    error::{InventoryError, without_position},
};

/// A product as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    pub in_stock: u32,
    /// The last order that changed its stock.
    pub order_id: String,
}

/// Every product, by its ID.
pub(crate) type Levels = BTreeMap<String, Level>;

/// The file's content: its shape and its records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StockFile {
    /// An array of records, or one record by itself.
    is_array: bool,
    pub records: Vec<Record>,
}

/// One product's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(rename = "orderID")]
    pub order_id: String,
    #[serde(rename = "productID")]
    pub product_id: String,
    #[serde(rename = "inStock")]
    pub in_stock: u32,
    /// Entries that the ledger had when this was written; `None` in what a person wrote.
    #[serde(
        rename = "ledgerLines",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ledger_lines: Option<u64>,
    /// Whatever else somebody wrote there is theirs, and stays.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Record {
    fn new(product_id: &str, order_id: &str, in_stock: u32) -> Self {
        Self {
            order_id: order_id.to_owned(),
            product_id: product_id.to_owned(),
            in_stock,
            ledger_lines: None,
            extra: Map::new(),
        }
    }

    /// A product that no order has changed yet.
    pub fn first(product_id: &str, in_stock: u32) -> Self {
        Self::new(product_id, FIRST_ORDER, in_stock)
    }

    /// What the header of a ledger keeps of it.
    pub fn opening(&self) -> Self {
        Self::new(&self.product_id, &self.order_id, self.in_stock)
    }

    /// The product's ID and its level.
    pub fn level(&self) -> (String, Level) {
        let level = Level {
            in_stock: self.in_stock,
            order_id: self.order_id.clone(),
        };
        (self.product_id.clone(), level)
    }
}

impl StockFile {
    /// The state a new inventory starts with.
    pub fn first() -> Self {
        Self {
            is_array: false,
            records: vec![Record::first(DEFAULT_PRODUCT, FIRST_STOCK)],
        }
    }

    /// A file without records, for [`StockFile::with`] to fill.
    pub fn empty() -> Self {
        Self {
            is_array: false,
            records: Vec::new(),
        }
    }

    /// How many entries the ledger had when the file was written; 0 if it was never written by this
    /// program.
    pub fn ledger_lines(&self) -> u64 {
        let lines = self.records.iter().filter_map(|record| record.ledger_lines);
        lines.max().unwrap_or(0)
    }

    /// The record of a product.
    pub fn record(&self, product: &str) -> Option<&Record> {
        self.records.iter().find(|it| it.product_id == product)
    }

    /// Reads the file's bytes; `path` is for the error.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, InventoryError> {
        let damaged = |line, column, problem| InventoryError::Damaged {
            path: path.to_owned(),
            line,
            column,
            problem,
            remedy: "repair the file, or remove it to have it written anew,",
        };
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_array = first == Some(&b'[');
        let parsed = match first {
            None => return Err(damaged(None, None, "the file is empty".to_owned())),
            Some(b'[') => serde_json::from_slice(bytes),
            Some(_) => serde_json::from_slice(bytes).map(|record| vec![record]),
        };
        let records: Vec<Record> = parsed.map_err(|error| {
            damaged(
                Some(error.line() as u64),
                Some(error.column()),
                without_position(&error),
            )
        })?;
        if records.is_empty() {
            return Err(damaged(Some(1), None, "it lists no product".to_owned()));
        }
        for (index, record) in records.iter().enumerate() {
            let id = &record.product_id;
            if id.is_empty() {
                let problem = format!("record {} has an empty productID", index + 1);
                return Err(damaged(None, None, problem));
            }
            if records[..index].iter().any(|other| other.product_id == *id) {
                let problem = format!("productID {id:?} is listed twice");
                let line = line_of(bytes, id, 1);
                return Err(damaged(line, None, problem));
            }
        }
        Ok(Self { is_array, records })
    }

    /// The same shape and extra fields, with the stock that the ledger adds up to after `lines` entries.
    pub fn with(&self, stock: &Levels, lines: u64) -> Self {
        let known = self.records.iter().filter_map(|record| {
            let level = stock.get(&record.product_id)?;
            let extra = record.extra.clone();
            Some((&record.product_id, level, extra))
        });
        let new = stock.iter().filter_map(|(product, level)| {
            let is_new = self.record(product).is_none();
            is_new.then(|| (product, level, Map::new()))
        });
        let records: Vec<Record> = known
            .chain(new)
            .map(|(product, level, extra)| Record {
                ledger_lines: Some(lines),
                extra,
                ..Record::new(product, &level.order_id, level.in_stock)
            })
            .collect();
        Self {
            is_array: self.is_array || records.len() != 1,
            records,
        }
    }

    /// The file's text, indented as the Go demo's.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let formatter = PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        let written = match self.records.as_slice() {
            [record] if !self.is_array => record.serialize(&mut serializer),
            records => records.serialize(&mut serializer),
        };
        written.expect("records of strings and numbers serialize into memory");
        text.push(b'\n');
        text
    }
}

/// The line on which a product ID stands after so many others.
fn line_of(bytes: &[u8], id: &str, others: usize) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let quoted = serde_json::to_string(id).ok()?;
    let mut lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| line.contains("\"productID\"") && line.contains(&quoted));
    lines.nth(others).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StockFile, InventoryError> {
        StockFile::parse(text.as_bytes(), Path::new("inventory.json"))
    }

    #[test]
    fn the_first_state_is_the_go_demos() {
        let text = String::from_utf8(StockFile::first().render()).unwrap();
        assert_eq!(
            text,
            "{\n    \"orderID\": \"000\",\n    \"productID\": \"123456\",\n    \"inStock\": 1000\n}\n"
        );
        assert_eq!(parse(&text).unwrap(), StockFile::first());
    }

    #[test]
    fn shape_and_extra_fields_stay() {
        let object = r#"{"orderID":"000","productID":"1","inStock":1,"shelf":"B4"}"#;
        let array = format!("[{object}]");
        for text in [object, array.as_str()] {
            let file = parse(text).unwrap();
            let rendered = String::from_utf8(file.render()).unwrap();
            assert_eq!(rendered.starts_with('['), text.starts_with('['));
            assert!(rendered.contains("\"shelf\": \"B4\""));
            assert_eq!(parse(&rendered).unwrap(), file);
        }
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert!(message("").contains("the file is empty"));
        assert!(message(" \n").contains("the file is empty"));
        assert!(message("[]").contains("lists no product"));
        let cut = message("{\n  \"orderID\": \"000\",\n");
        assert!(cut.starts_with("inventory.json, line 3, column"), "{cut}");
        let negative = message("{\"orderID\":\"0\",\n\"productID\":\"1\",\n\"inStock\":-5}");
        assert!(
            negative.contains("line 3") && negative.contains("-5"),
            "{negative}"
        );
        let missing = message(r#"{"orderID":"0","productID":"1"}"#);
        assert!(missing.contains("missing field `inStock`"), "{missing}");
        let twice = message(
            "[{\"orderID\":\"0\",\"productID\":\"1\",\"inStock\":1},\n{\"orderID\":\"0\",\"productID\":\"1\",\"inStock\":1}]",
        );
        assert!(
            twice.contains("line 2") && twice.contains("listed twice"),
            "{twice}"
        );
        assert!(message("hello").contains("line 1"));
    }
}
