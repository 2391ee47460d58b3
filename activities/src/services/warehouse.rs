//! Who holds and ships the stock.

use inventory::{Inventory, Item, Reservation};

use crate::{
    error::StepError,
    task::{Confirmation, OrderTask, Preparation},
};

/// The warehouse.
pub struct Warehouse<'a> {
    inventory: &'a Inventory,
}

impl<'a> Warehouse<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        Self { inventory }
    }

    /// Sets the order's units aside, once for each submission of it.
    ///
    /// # Errors
    /// Final for an unknown product and for more units than the warehouse can hold.
    pub fn reserve(&self, task: &OrderTask) -> Result<Preparation, StepError> {
        let reservation = self
            .inventory
            .reserve(&task.placement(), &task.order.items())?;
        Ok(match reservation {
            Reservation::Reserved { items, .. } => Preparation::Reserved {
                reserved: items.iter().map(|item| item.quantity).sum(),
                in_stock: items.iter().map(|item| item.in_stock).sum(),
            },
            Reservation::Duplicate { placed_at, .. } => Preparation::Duplicate {
                placed_at: humantime::format_rfc3339_seconds(placed_at).to_string(),
            },
            Reservation::Short { in_stock, .. } => Preparation::OutOfStock { in_stock },
        })
    }

    /// Hands the order's units to the courier, once for each submission of it.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn ship(&self, task: &OrderTask) -> Result<Confirmation, StepError> {
        let item = Item::new(&task.order.item, task.order.quantity);
        let shipment = self
            .inventory
            .record_shipment(&task.placement(), &item, None)?;
        Ok(Confirmation {
            confirmation: shipment.number,
        })
    }
}
