//! [`Inventory`], the handle that callers hold.

use std::{
    fmt,
    io::BufRead,
    path::{Path, PathBuf},
    sync::Arc,
};

use orders::Item;

use crate::{
    clock::Clock,
    entry::Entry,
    error::InventoryError,
    group_commit::GroupCommit,
    ledger::Ledger,
    placement::{Confirmation, Delivery, Placement, Product, Released, Reservation},
    steps,
    store::{Paths, Store},
};

/// The stock of every product, and what was done for every order.
///
/// A handle is cheap to clone, and all clones share one queue of changes. Every method blocks until its
/// change is on disk, so async code has to call it from a thread that may block.
///
/// Each change is made once for each [`Placement`]. A retry finds what the first attempt did and returns
/// that:
///
/// ```
/// use std::time::SystemTime;
///
/// use inventory::{Inventory, Placement, Reservation};
/// use orders::Item;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let inventory = Inventory::open(folder.path().join("inventory.json"), SystemTime::now)?;
/// assert_eq!(inventory.stock("123456")?, 1000);
///
/// let placement = Placement::new("order-1", "first-submission");
/// let items = [Item::new("123456", 999)];
/// let reserved = inventory.reserve(&placement, &items)?;
/// assert!(matches!(reserved, Reservation::Reserved { already: false, .. }));
///
/// let charge = inventory.record_charge(&placement, "*******345")?;
/// let retry = inventory.record_charge(&placement, "*******345")?;
/// assert_eq!(charge.number, retry.number);
/// assert!(retry.already);
///
/// // The units were taken once, and the customer was charged once.
/// assert_eq!(inventory.stock("123456")?, 1);
/// assert_eq!(inventory.effects("order-1")?.len(), 2);
/// # Ok(())
/// # }
/// ```
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
    /// Opens the inventory file at `path` with its ledger and its lock file beside it. The files and the
    /// folder are created on first use.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
    pub fn open(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, InventoryError> {
        let inventory = Self::at(path, clock);
        inventory.products()?;
        Ok(inventory)
    }

    /// Returns the inventory at `path` without opening its files, which happens at the first operation.
    /// This suits a program that should keep running while a person repairs a damaged file.
    pub fn at(path: impl Into<PathBuf>, clock: Clock) -> Self {
        let paths = Paths::beside(path.into());
        let store = Store::new(paths.clone(), clock);
        let changes = GroupCommit::new(store);
        Self {
            shared: Arc::new(Shared { paths, changes }),
        }
    }

    /// Returns the path of the inventory file.
    pub fn path(&self) -> &Path {
        &self.shared.paths.inventory
    }

    /// Returns the path of the ledger, which lies in the same folder.
    pub fn ledger_path(&self) -> &Path {
        &self.shared.paths.ledger
    }

    /// Returns the current stock of every product, sorted by product ID. Edits made to the inventory
    /// file by hand are included.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
    pub fn products(&self) -> Result<Vec<Product>, InventoryError> {
        self.shared.changes.change(|batch| Ok(batch.products()))
    }

    /// Returns how many units of `product` are in stock now.
    ///
    /// # Errors
    /// Returns [`InventoryError::UnknownProduct`] if there is no such product, or an error if a file
    /// cannot be read or written, or is damaged.
    pub fn stock(&self, product: &str) -> Result<u32, InventoryError> {
        let product = product.to_owned();
        self.shared
            .changes
            .change(move |batch| batch.stock(&product))
    }

    /// Takes an order's items out of stock, all of them or none. Items of the same product count as
    /// one.
    ///
    /// After its reservation was released, an order may be placed again by another submission.
    ///
    /// # Errors
    /// Returns an error if a product is unknown, if an item has a quantity of 0 or of more than
    /// [`CAPACITY`](crate::CAPACITY), if there is no item, or if this placement reserved other items
    /// before; or if a file cannot be read or written, or is damaged.
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

    /// Gives back what this placement reserved. A retry returns what was given back the first time. The
    /// list is empty if nothing is reserved.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
    pub fn release(&self, placement: &Placement) -> Result<Released, InventoryError> {
        let placement = placement.clone();
        self.shared
            .changes
            .change(move |batch| steps::release(batch, &placement))
    }

    /// Records the charge of an order. The caller has masked the payment info, which is written to the
    /// ledger as it is.
    ///
    /// # Errors
    /// Returns [`InventoryError::NotReserved`] if the placement holds no reservation, or an error if a
    /// file cannot be read or written, or is damaged.
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

    /// Records that the charge was refunded. Returns `None` if there was no charge.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
    pub fn record_refund(
        &self,
        placement: &Placement,
    ) -> Result<Option<Confirmation>, InventoryError> {
        let placement = placement.clone();
        self.shared
            .changes
            .change(move |batch| steps::refund(batch, &placement))
    }

    /// Records the shipment of one item of an order, to `address` if the order has one.
    ///
    /// # Errors
    /// Returns [`InventoryError::NotReserved`] if the placement holds fewer units of the product, or an
    /// error if a file cannot be read or written, or is damaged.
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

    /// Records that the shipment of one product was called back. Returns `None` if there was no
    /// shipment. The units return to the stock with [`Inventory::release`].
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
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

    /// Has the supplier fill the stock up to [`CAPACITY`](crate::CAPACITY) if it is below
    /// [`MINIMUM_STOCK`](crate::MINIMUM_STOCK) or below `needed` units. Otherwise nothing is delivered.
    ///
    /// `round` numbers the deliveries of one product for one order, so that each is made once.
    ///
    /// # Errors
    /// Returns an error if the product is unknown or `needed` is above the capacity; or if a file cannot
    /// be read or written, or is damaged.
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

    /// Returns every line that the ledger has about an order, oldest first.
    ///
    /// This reads the whole ledger. It is meant for a person who asks, not for a step of an order.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or written, or is damaged.
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
