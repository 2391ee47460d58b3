//! Supplier order: fill the shelf where it runs low.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{Restocking, SupplierDelivery},
};

/// How the supplier fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the supplier's order desk is closed",
    after: "the supplier delivered, but the delivery note was lost",
};

/// Has the supplier fill the shelf up to the capacity, where stock is below the minimum or below
/// what the order needs.
///
/// # Errors
/// Where the inventory file cannot be read or written; to be tried again.
pub fn supplier_order(
    services: &Services,
    restocking: Restocking,
) -> Result<SupplierDelivery, StepError> {
    services.supplier().deliver(&restocking)
}
