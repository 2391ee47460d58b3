//! Fills the shelf.

use inventory::{Delivery, Inventory};

use crate::{error::StepError, task::Restocking};

/// The supplier.
#[derive(Clone)]
pub struct Supplier {
    inventory: Inventory,
}

impl Supplier {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    /// Delivers up to the warehouse's capacity if stock is below the minimum or below what is
    /// needed, once for each request of an order.
    ///
    /// # Errors
    /// The error is final for an unknown product. If the inventory cannot be read or written,
    /// another attempt can succeed.
    pub async fn deliver(&self, restocking: &Restocking) -> Result<Delivery, StepError> {
        let Restocking {
            placement,
            product,
            round,
            needed,
        } = restocking;
        Ok(self
            .inventory
            .restock(placement, product, *round, *needed)
            .await?)
    }
}
