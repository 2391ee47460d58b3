//! The outside world, simulated.
//!
//! Each service that changes something keeps a record and takes an idempotency key, as real ones do:
//! asked a second time under the same key, it answers from its record. Their common record is the
//! inventory's ledger, so that one file tells all that happened.

mod fraud_detection;
mod payments;
mod supplier;
mod warehouse;

use inventory::Inventory;

pub use fraud_detection::{FraudDetection, KNOWN_BAD};
pub use payments::{BACK_AT_ATTEMPT, DECLINED, OUTAGE, PAYMENTS_DOWN, Payments};
pub use supplier::Supplier;
pub use warehouse::Warehouse;

/// The services that an order needs.
#[derive(Clone)]
pub struct Services {
    /// Knows which payment info is bad.
    pub fraud_detection: FraudDetection,
    /// Takes the money, and gives it back.
    pub payments: Payments,
    /// Holds and ships the stock.
    pub warehouse: Warehouse,
    /// Fills the shelf.
    pub supplier: Supplier,
    /// Where they keep their records.
    pub inventory: Inventory,
}

impl Services {
    /// Services that keep their records in `inventory`.
    pub fn new(inventory: Inventory) -> Self {
        Self {
            fraud_detection: FraudDetection,
            payments: Payments::new(inventory.clone()),
            warehouse: Warehouse::new(inventory.clone()),
            supplier: Supplier::new(inventory.clone()),
            inventory,
        }
    }
}
