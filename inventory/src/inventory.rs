//! [`Inventory`], the handle that callers hold.

use std::{fmt, path::Path, sync::Arc, time::SystemTime};

use orders::Item;

use crate::{
    audit_report::Audit,
    entry::Entry,
    error::InventoryError,
    facts::Rule,
    files::Files,
    location::Location,
    placement::{Confirmation, Delivery, Identity, Placement, Product, Released, Reservation},
    postgres::Postgres,
    rules,
};

/// Tells the time. It is handed in, so that tests set it; a program hands in [`SystemTime::now`].
pub type Clock = fn() -> SystemTime;

/// The stock of every product, and what was done for every order.
///
/// A handle is cheap to clone, and all clones share what they know and their connections. Every operation
/// returns when its change is on disk.
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let location = folder.path().join("inventory.json").into();
/// let inventory = Inventory::open(&location, SystemTime::now).await?;
/// assert_eq!(inventory.stock("123456").await?, 1000);
///
/// let placement = Placement::new("order-1", "first-submission");
/// let items = [Item::new("123456", 999)];
/// let reserved = inventory.reserve(&placement, &items).await?;
/// assert!(matches!(reserved, Reservation::Reserved { already: false, .. }));
///
/// let charge = inventory.record_charge(&placement, "*******345").await?;
/// let retry = inventory.record_charge(&placement, "*******345").await?;
/// assert_eq!(charge.number, retry.number);
/// assert!(retry.already);
///
/// // The units were taken once, and the customer was charged once.
/// assert_eq!(inventory.stock("123456").await?, 1);
/// assert_eq!(inventory.effects("order-1").await?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Inventory {
    store: Store,
    location: Location,
    clock: Clock,
}

#[derive(Clone)]
enum Store {
    Files(Arc<Files>),
    Postgres(Arc<Postgres>),
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inventory").field(&self.location).finish()
    }
}

impl Inventory {
    /// Opens the inventory at `location`, and creates it if there is none: files with their folder, or the
    /// tables of a database.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used: a file that is damaged or cannot be written, or a
    /// database that cannot be reached or is of a newer version.
    pub async fn open(location: &Location, clock: Clock) -> Result<Self, InventoryError> {
        let inventory = Self::at(location, clock)?;
        inventory.identity().await?;
        Ok(inventory)
    }

    /// Returns the inventory at `location` without opening it, which happens at the first operation. This
    /// suits a program that should keep running while a person repairs a file or starts a database. What
    /// only reads creates nothing, and returns [`InventoryError::Missing`] if there is nothing.
    ///
    /// # Errors
    /// Returns [`InventoryError::Location`] if the location makes no sense.
    pub fn at(location: &Location, clock: Clock) -> Result<Self, InventoryError> {
        let (store, location) = match location {
            Location::Files(path) if path.as_os_str().is_empty() || is_address(path) => {
                return Err(InventoryError::Location {
                    location: "the inventory's location".to_owned(),
                    problem:
                        "name a file, or a database as postgres://USER:PASSWORD@HOST:PORT/DATABASE"
                            .to_owned(),
                });
            }
            Location::Files(path) => {
                // Whoever reads where it is may stand in another folder.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                (Store::Files(Arc::new(Files::beside(&path))), path.into())
            }
            Location::Postgres(address) => (
                Store::Postgres(Arc::new(Postgres::at(address)?)),
                location.clone(),
            ),
        };
        Ok(Self {
            store,
            location,
            clock,
        })
    }

    /// Returns where it is; a path is absolute.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns which inventory it is. An order belongs to the one in which it was begun: put the identity
    /// into its [`Placement`], and any other inventory refuses it.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn identity(&self) -> Result<Identity, InventoryError> {
        match &self.store {
            Store::Files(files) => {
                let now = (self.clock)();
                blocking(files, move |files| files.identity(now)).await
            }
            Store::Postgres(database) => database.identity().await,
        }
    }

    /// Returns the current stock of every product, sorted by product ID. Edits made to the inventory file
    /// by hand are included.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn products(&self) -> Result<Vec<Product>, InventoryError> {
        match &self.store {
            Store::Files(files) => {
                let now = (self.clock)();
                blocking(files, move |files| files.products(now)).await
            }
            Store::Postgres(database) => database.products().await,
        }
    }

    /// Returns how many units of `product` are in stock now.
    ///
    /// # Errors
    /// Returns [`InventoryError::UnknownProduct`] if there is no such product, or an error if the store
    /// cannot be used.
    pub async fn stock(&self, product: &str) -> Result<u32, InventoryError> {
        let products = self.products().await?;
        match products.iter().find(|it| it.product == product) {
            Some(found) => Ok(found.in_stock),
            None => Err(unknown(product, &products)),
        }
    }

    /// Sets the stock of a product by hand; `by` says who did it. A product that does not exist is added.
    ///
    /// # Errors
    /// Returns an error if there are more units than [`CAPACITY`](crate::CAPACITY), or if the store cannot
    /// be used.
    pub async fn set_stock(
        &self,
        product: &str,
        units: u32,
        by: &str,
    ) -> Result<(), InventoryError> {
        // There may be no stock row to lock yet, so whoever sets the same stock shares a lock of its own.
        let lock = Placement::new(format!("stock of {product}"), "by hand");
        let (product, by) = (product.to_owned(), by.to_owned());
        self.change(&lock, rules::SetStock { product, units, by })
            .await
    }

    /// Takes an order's items out of stock, all of them or none. Items of the same product count as one.
    ///
    /// After its reservation was released, an order may be placed again by another submission.
    ///
    /// # Errors
    /// Returns an error if a product is unknown, if an item has a quantity of 0 or of more than
    /// [`CAPACITY`](crate::CAPACITY), if there is no item, if this placement reserved other items before or
    /// has been undone, or if the store cannot be used.
    pub async fn reserve(
        &self,
        placement: &Placement,
        items: &[Item],
    ) -> Result<Reservation, InventoryError> {
        let items = items.to_vec();
        self.change(placement, rules::Reserve { items }).await
    }

    /// Gives back what this placement reserved. A retry returns what was given back the first time. The
    /// list is empty if nothing is reserved; then nothing can be, from here on.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn release(&self, placement: &Placement) -> Result<Released, InventoryError> {
        self.change(placement, rules::Release).await
    }

    /// Records the charge of an order. The caller has masked the payment info, which is written to the
    /// ledger as it is.
    ///
    /// # Errors
    /// Returns [`InventoryError::NotReserved`] if the placement holds no reservation,
    /// [`InventoryError::Undone`] if it has been undone, or an error if the store cannot be used.
    pub async fn record_charge(
        &self,
        placement: &Placement,
        masked_payment: &str,
    ) -> Result<Confirmation, InventoryError> {
        let payment = masked_payment.to_owned();
        self.change(placement, rules::Charge { payment }).await
    }

    /// Records that the charge was refunded. Returns `None` if there was no charge; then there can be none
    /// from here on, even by an attempt that is on its way.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn record_refund(
        &self,
        placement: &Placement,
    ) -> Result<Option<Confirmation>, InventoryError> {
        self.change(placement, rules::Refund).await
    }

    /// Records the shipment of one item of an order, to `address` if the order has one.
    ///
    /// # Errors
    /// Returns [`InventoryError::NotReserved`] if the placement holds fewer units of the product,
    /// [`InventoryError::Undone`] if it has been undone, or an error if the store cannot be used.
    pub async fn record_shipment(
        &self,
        placement: &Placement,
        item: &Item,
        address: Option<&str>,
    ) -> Result<Confirmation, InventoryError> {
        let (item, address) = (item.clone(), address.map(str::to_owned));
        self.change(placement, rules::Ship { item, address }).await
    }

    /// Records that the shipment of one product was called back. Returns `None` if there was no shipment;
    /// then there can be none from here on. The units return to the stock with [`Inventory::release`].
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn record_recall(
        &self,
        placement: &Placement,
        product: &str,
    ) -> Result<Option<Confirmation>, InventoryError> {
        let product = product.to_owned();
        self.change(placement, rules::Recall { product }).await
    }

    /// Has the supplier fill the stock up to [`CAPACITY`](crate::CAPACITY) if it is below
    /// [`MINIMUM_STOCK`](crate::MINIMUM_STOCK) or below `needed` units. Otherwise nothing is delivered.
    ///
    /// `round` numbers the deliveries of one product for one order, so that each is made once.
    ///
    /// # Errors
    /// Returns an error if the product is unknown or `needed` is above the capacity, or if the store cannot
    /// be used.
    pub async fn restock(
        &self,
        placement: &Placement,
        product: &str,
        round: u32,
        needed: u32,
    ) -> Result<Delivery, InventoryError> {
        let product = product.to_owned();
        let rule = rules::Restock {
            product,
            round,
            needed,
        };
        self.change(placement, rule).await
    }

    /// Returns everything that the ledger has about an order, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn effects(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        match &self.store {
            Store::Files(files) => {
                let (now, order_id) = ((self.clock)(), order_id.to_owned());
                blocking(files, move |files| files.entries_of(now, &order_id)).await
            }
            Store::Postgres(database) => database.entries_of(order_id).await,
        }
    }

    /// Returns at most `limit` lines of the ledger after the one with the number `after`, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store cannot be used.
    pub async fn ledger(&self, after: u64, limit: usize) -> Result<Vec<Entry>, InventoryError> {
        match &self.store {
            Store::Files(files) => {
                let now = (self.clock)();
                blocking(files, move |files| files.entries(now, after, limit)).await
            }
            Store::Postgres(database) => database.entries(after, limit).await,
        }
    }

    /// Checks the whole ledger against itself and against the stock, and changes nothing. Damage is a
    /// finding, not an error.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or if there is nothing.
    pub async fn audit(&self) -> Result<Audit, InventoryError> {
        match &self.store {
            Store::Files(files) => blocking(files, Files::audit).await,
            Store::Postgres(database) => database.audit().await,
        }
    }

    async fn change<R: Rule>(
        &self,
        placement: &Placement,
        rule: R,
    ) -> Result<R::Answer, InventoryError> {
        let now = (self.clock)();
        let changed = match &self.store {
            Store::Files(files) => {
                let placement = placement.clone();
                blocking(files, move |files| files.change(now, &placement, &rule)).await
            }
            Store::Postgres(database) => database.change(now, placement, &rule).await,
        };
        match changed {
            Err(InventoryError::UnknownProduct { product, .. }) => {
                Err(unknown(&product, &self.products().await?))
            }
            changed => changed,
        }
    }
}

/// Files are read and written on a thread that may wait.
async fn blocking<T: Send + 'static>(
    files: &Arc<Files>,
    work: impl FnOnce(&Files) -> Result<T, InventoryError> + Send + 'static,
) -> Result<T, InventoryError> {
    let files = files.clone();
    let done = tokio::task::spawn_blocking(move || work(&files)).await;
    done.unwrap_or(Err(InventoryError::Interrupted))
}

/// A mistyped address, or one of another kind. It is not to become the name of a folder, and it may hold
/// a password.
fn is_address(path: &Path) -> bool {
    let signs = ["://", "postgres:", "postgresql:", "password="];
    path.to_str()
        .is_some_and(|path| signs.iter().any(|sign| path.contains(sign)))
}

fn unknown(product: &str, known: &[Product]) -> InventoryError {
    let known = known.iter().take(10).map(|it| it.product.clone());
    InventoryError::UnknownProduct {
        product: product.chars().take(100).collect(),
        known: known.collect(),
    }
}
