//! The handle that callers hold.

use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::entry::Entry;
use crate::error::InventoryError;
use crate::group_commit::GroupCommit;
use crate::ledger::Ledger;
use crate::placement::{Confirmation, Delivery, Placement, Product, Released, Reservation};
use crate::steps;
use crate::store::{Paths, Store};
use orders::Item;

/// The stock of every product, and what was done for every order.
///
/// Cheap to clone; all clones share one queue of changes. Every method blocks
/// until what it did is on disk, so async code calls it from a thread where
/// blocking is fine. Every change is made once for each placement: a retry
/// finds what the first attempt did and returns that.
#[derive(Clone)]
pub struct Inventory {
    shared: Arc<Shared>,
}

struct Shared {
    paths: Paths,
    changes: GroupCommit,
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inventory").field(&self.path()).finish()
    }
}

impl Inventory {
    /// Opens the inventory file at `path`, with its ledger and its lock beside
    /// it; creates them, and the folder, on first use.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged.
    pub fn open(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, InventoryError> {
        let inventory = Self::at(path, clock);
        inventory.products()?;
        Ok(inventory)
    }

    /// The inventory at `path`, whose files are not looked at before the first
    /// operation: for a program that runs on while a person mends them.
    pub fn at(path: impl Into<PathBuf>, clock: Clock) -> Self {
        let paths = Paths::beside(path.into());
        let store = Store::new(paths.clone(), clock);
        let changes = GroupCommit::new(store);
        Self {
            shared: Arc::new(Shared { paths, changes }),
        }
    }

    /// The inventory file.
    pub fn path(&self) -> &Path {
        &self.shared.paths.inventory
    }

    /// The ledger beside it.
    pub fn ledger_path(&self) -> &Path {
        &self.shared.paths.ledger
    }

    /// Every product as it is in stock now, by product ID. Edits made to the
    /// file by hand count.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged.
    pub fn products(&self) -> Result<Vec<Product>, InventoryError> {
        self.shared.changes.change(|batch| Ok(batch.products()))
    }

    /// Units of one product in stock now.
    ///
    /// # Errors
    /// [`InventoryError::UnknownProduct`]; or the files are in trouble.
    pub fn stock(&self, product: &str) -> Result<u32, InventoryError> {
        let product = product.to_owned();
        self.shared
            .changes
            .change(move |batch| batch.stock(&product))
    }

    /// Takes an order's items out of stock, all of them or none. Items of the
    /// same product count as one.
    ///
    /// An order whose reservation was released may be placed again, by another
    /// submission.
    ///
    /// # Errors
    /// Unknown product, more than [`CAPACITY`](crate::CAPACITY), no item, a
    /// quantity of 0, other items than this placement reserved before; or the
    /// files are in trouble.
    pub fn reserve(
        &self,
        placement: &Placement,
        items: &[Item],
    ) -> Result<Reservation, InventoryError> {
        let (placement, items) = (placement.clone(), items.to_vec());
        self.shared
            .changes
            .change(move |batch| steps::reserve(batch, &placement, &items))
    }

    /// Gives back what this placement reserved; a retry returns what was given
    /// back then. Empty if it has nothing reserved.
    ///
    /// # Errors
    /// The files are in trouble.
    pub fn release(&self, placement: &Placement) -> Result<Released, InventoryError> {
        let placement = placement.clone();
        self.shared
            .changes
            .change(move |batch| steps::release(batch, &placement))
    }

    /// Records the charge of an order, with the payment info that the caller
    /// has masked.
    ///
    /// # Errors
    /// [`InventoryError::NotReserved`] if the placement holds no reservation;
    /// or the files are in trouble.
    pub fn record_charge(
        &self,
        placement: &Placement,
        masked_payment: &str,
    ) -> Result<Confirmation, InventoryError> {
        let (placement, payment) = (placement.clone(), masked_payment.to_owned());
        self.shared
            .changes
            .change(move |batch| steps::charge(batch, &placement, &payment))
    }

    /// Records that the charge was given back; `None` if there was none.
    ///
    /// # Errors
    /// The files are in trouble.
    pub fn record_refund(
        &self,
        placement: &Placement,
    ) -> Result<Option<Confirmation>, InventoryError> {
        let placement = placement.clone();
        self.shared
            .changes
            .change(move |batch| steps::refund(batch, &placement))
    }

    /// Records the shipment of one item of an order, to `address` if the order
    /// names one.
    ///
    /// # Errors
    /// [`InventoryError::NotReserved`] if the placement holds less of it; or
    /// the files are in trouble.
    pub fn record_shipment(
        &self,
        placement: &Placement,
        item: &Item,
        address: Option<&str>,
    ) -> Result<Confirmation, InventoryError> {
        let (placement, item) = (placement.clone(), item.clone());
        let address = address.map(str::to_owned);
        self.shared
            .changes
            .change(move |batch| steps::ship(batch, &placement, &item, address.as_deref()))
    }

    /// Records that the shipment of one product was called back; `None` if
    /// there was none. The stock comes back with [`Inventory::release`].
    ///
    /// # Errors
    /// The files are in trouble.
    pub fn record_recall(
        &self,
        placement: &Placement,
        product: &str,
    ) -> Result<Option<Confirmation>, InventoryError> {
        let (placement, product) = (placement.clone(), product.to_owned());
        self.shared
            .changes
            .change(move |batch| steps::recall(batch, &placement, &product))
    }

    /// Has the supplier deliver up to [`CAPACITY`](crate::CAPACITY) if the
    /// stock is below [`MINIMUM_STOCK`](crate::MINIMUM_STOCK) or below
    /// `needed`; else delivers nothing. `round` counts an order's deliveries of
    /// a product, so that each is made once.
    ///
    /// # Errors
    /// Unknown product, `needed` above the capacity; or the files are in
    /// trouble.
    pub fn restock(
        &self,
        placement: &Placement,
        product: &str,
        round: u32,
        needed: u32,
    ) -> Result<Delivery, InventoryError> {
        let (placement, product) = (placement.clone(), product.to_owned());
        self.shared
            .changes
            .change(move |batch| steps::restock(batch, &placement, &product, round, needed))
    }

    /// Everything the ledger tells of an order, oldest first. Reads the whole
    /// ledger: for a person who asks, not for a step.
    ///
    /// # Errors
    /// The files are in trouble.
    pub fn effects(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        let len = self.shared.changes.change(|batch| Ok(batch.ledger_len()))?;
        let path = self.ledger_path();
        let mut effects = Vec::new();
        for line in Ledger::reader(path, len)?.lines() {
            let line = line.map_err(InventoryError::io("read", path))?;
            // Escapes aside, the order's ID stands in its lines; most lines are
            // spared the parsing.
            if !line.contains(order_id) && !line.contains('\\') {
                continue;
            }
            if let Ok(entry) = serde_json::from_str::<Entry>(&line)
                && entry.order_id == order_id
            {
                effects.push(entry);
            }
        }
        Ok(effects)
    }
}
