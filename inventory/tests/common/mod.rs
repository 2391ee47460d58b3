//! What several tests need.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use inventory::{Audit, Inventory, Placement, Reservation, audit};
use orders::Item;
use tempfile::TempDir;

/// The product of the first state.
pub const PRODUCT: &str = "123456";

/// A fixed time.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_330_800)
}

/// A folder for one test's files, not created yet.
pub struct Shop {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Shop {
    /// Nothing there yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database/inventory.json");
        Self {
            _folder: folder,
            path,
        }
    }

    /// An inventory file with these products.
    pub fn with(stock: &[(&str, u32)]) -> Self {
        let shop = Self::empty();
        fs::create_dir_all(shop.path.parent().unwrap()).unwrap();
        shop.write(&array(stock));
        shop
    }

    pub fn open(&self) -> Inventory {
        Inventory::open(&self.path, now).unwrap()
    }

    pub fn ledger(&self) -> PathBuf {
        self.path.with_file_name("ledger.jsonl")
    }

    pub fn lock(&self) -> PathBuf {
        self.path.with_file_name("inventory.lock")
    }

    pub fn next(&self) -> PathBuf {
        self.path.with_file_name("inventory.json.tmp")
    }

    /// The inventory file's text.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// Edits the inventory file by hand.
    pub fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    pub fn lines(&self) -> Vec<String> {
        let ledger = fs::read_to_string(self.ledger()).unwrap();
        ledger.lines().map(str::to_owned).collect()
    }

    pub fn audit(&self) -> Audit {
        audit(&self.path).unwrap()
    }

    /// Everything adds up, and nothing is left to be put right.
    pub fn assert_clean(&self) {
        assert_clean(&self.path);
    }
}

pub fn assert_clean(path: &Path) {
    let audit = audit(path).unwrap();
    assert!(audit.is_clean(), "{:#?}", audit.findings);
    assert_eq!(audit.pending, None);
}

pub fn array(stock: &[(&str, u32)]) -> String {
    let records: Vec<_> = stock
        .iter()
        .map(|(product, in_stock)| {
            format!(r#"{{"orderID":"000","productID":"{product}","inStock":{in_stock}}}"#)
        })
        .collect();
    format!("[{}]", records.join(","))
}

pub fn order(number: u32) -> Placement {
    Placement::new(format!("order-{number}"), "run-1")
}

pub fn units(quantity: u32) -> [Item; 1] {
    [Item::new(PRODUCT, quantity)]
}

pub fn is_reserved(reservation: &Reservation) -> bool {
    matches!(reservation, Reservation::Reserved { already: false, .. })
}
