//! Who fills the shelf.

use inventory::Inventory;

use crate::{
    error::StepError,
    task::{Restocking, SupplierDelivery},
};

/// The supplier.
pub struct Supplier<'a> {
    inventory: &'a Inventory,
}

impl<'a> Supplier<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        Self { inventory }
    }

    /// Delivers up to the warehouse's capacity where stock is below the minimum or below what is
    /// needed, once for each request of an order.
    ///
    /// # Errors
    /// Final for an unknown product.
    pub fn deliver(&self, restocking: &Restocking) -> Result<SupplierDelivery, StepError> {
        let delivery = self.inventory.restock(
            &restocking.task.placement(),
            restocking.product(),
            restocking.round,
            restocking.needed,
        )?;
        Ok(SupplierDelivery {
            delivered: delivery.quantity,
            in_stock: delivery.in_stock,
        })
    }
}
