//! What several tests need.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use inventory::{Audit, Inventory, Location, Placement, Reservation};
use orders::Item;

use servers::Postgres;
use tempfile::TempDir;

/// The product of a new inventory.
pub const PRODUCT: &str = "123456";

/// A fixed time.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_330_800)
}

/// Runs a test on both stores.
#[macro_export]
macro_rules! on_both_stores {
    ($($test:ident),* $(,)?) => {
        mod on_files {
            $(#[tokio::test] async fn $test() { super::$test($crate::common::Store::files()).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() { super::$test($crate::common::Store::postgres()).await })*
        }
    };
}

/// A place for one test's inventory, with nothing in it.
pub struct Store {
    _folder: Option<TempDir>,
    pub location: Location,
}

impl Store {
    pub fn files() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("database/inventory.json").into();
        Self {
            _folder: Some(folder),
            location,
        }
    }

    /// A schema of its own, in a database that the tests of this process share.
    pub fn postgres() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            _folder: None,
            location: Location::from(postgres().url().as_str()).apart(&schema),
        }
    }

    pub async fn open(&self) -> Inventory {
        Inventory::open(&self.location, now).await.unwrap()
    }

    /// With these products, and no others but the first.
    pub async fn with(&self, stock: &[(&str, u32)]) -> Inventory {
        let inventory = self.open().await;
        for (product, units) in stock {
            inventory.set_stock(product, *units, "000").await.unwrap();
        }
        inventory
    }

    pub async fn audit(&self) -> Audit {
        self.open().await.audit().await.unwrap()
    }

    pub async fn assert_clean(&self) {
        assert_clean(&self.location).await;
    }
}

/// A server for all tests of this process. It ends with the process.
pub fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let server = runtime.block_on(Postgres::builder().max_connections(200).start());
            tell.send(server.unwrap()).unwrap();
            // What the server needs of its runtime goes on until the process ends.
            runtime.block_on(std::future::pending::<()>());
        });
        told.recv().unwrap()
    })
}

pub async fn assert_clean(location: &Location) {
    let inventory = Inventory::at(location, now).unwrap();
    let audit = inventory.audit().await.unwrap();
    assert!(audit.is_clean(), "{:#?}", audit.findings);
    assert_eq!(audit.pending, None);
}

/// A folder for one test's files, not created yet.
pub struct Shop {
    _folder: TempDir,
    pub path: PathBuf,
    pub location: Location,
}

impl Shop {
    /// Nothing there yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database/inventory.json");
        Self {
            _folder: folder,
            location: path.clone().into(),
            path,
        }
    }

    /// An inventory file with these products, as a person writes it.
    pub fn with(stock: &[(&str, u32)]) -> Self {
        let shop = Self::empty();
        fs::create_dir_all(shop.path.parent().unwrap()).unwrap();
        shop.write(&array(stock));
        shop
    }

    pub async fn open(&self) -> Inventory {
        Inventory::open(&self.location, now).await.unwrap()
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

    /// The ledger's lines, without its header.
    pub fn lines(&self) -> Vec<String> {
        let ledger = fs::read_to_string(self.ledger()).unwrap();
        ledger.lines().skip(1).map(str::to_owned).collect()
    }

    pub async fn audit(&self) -> Audit {
        let inventory = Inventory::at(&self.location, now).unwrap();
        inventory.audit().await.unwrap()
    }

    /// Everything adds up, and nothing is left to be put right.
    pub async fn assert_clean(&self) {
        assert_clean(&self.location).await;
    }
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
