//! The outside world, simulated.
//!
//! Each service keeps a record of what it did and takes an idempotency key, as real ones do: asked
//! a second time under the same key, it answers from its record. Their common record is the
//! inventory's ledger, so that one file tells all that happened.

mod payments;
mod supplier;
mod warehouse;

use inventory::Inventory;

pub use payments::{BACK_AT_ATTEMPT, DECLINED, OUTAGE, Payments};
pub use supplier::Supplier;
pub use warehouse::Warehouse;

/// The services an order needs.
#[derive(Clone)]
pub struct Services {
    inventory: Inventory,
}

impl Services {
    /// Services that keep their records in `inventory`.
    pub fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    /// Who takes the money.
    pub fn payments(&self) -> Payments<'_> {
        Payments::new(&self.inventory)
    }

    /// Who holds and ships the stock.
    pub fn warehouse(&self) -> Warehouse<'_> {
        Warehouse::new(&self.inventory)
    }

    /// Who fills the shelf.
    pub fn supplier(&self) -> Supplier<'_> {
        Supplier::new(&self.inventory)
    }
}
