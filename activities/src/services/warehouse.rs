//! Who holds and ships the stock.

use inventory::{Inventory, Reservation, StockChange};
use orders::Item;

use crate::{
    error::StepError,
    task::{Confirmation, OrderTask, Preparation, Released, Shelf, Shipping, Stock, Undone},
};

/// The warehouse.
pub struct Warehouse<'a> {
    inventory: &'a Inventory,
}

impl<'a> Warehouse<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        Self { inventory }
    }

    /// What is in stock of the order's items. Changes nothing.
    ///
    /// # Errors
    /// Final for an unknown product.
    pub fn look_up(&self, task: &OrderTask) -> Result<Shelf, StepError> {
        let items = task.order.items().into_iter().map(|item| {
            Ok(Stock {
                in_stock: self.inventory.stock(&item.product)?,
                product: item.product,
                quantity: item.quantity,
            })
        });
        Ok(Shelf {
            items: items.collect::<Result<_, StepError>>()?,
        })
    }

    /// Sets the order's units aside, once for each submission of it; all of them or none.
    ///
    /// # Errors
    /// Final for an unknown product and for more units than the warehouse can hold.
    pub fn reserve(&self, task: &OrderTask) -> Result<Preparation, StepError> {
        let reservation = self
            .inventory
            .reserve(&task.placement(), &task.order.items())?;
        Ok(match reservation {
            Reservation::Reserved { items, .. } => {
                let mut items = items.into_iter();
                let first = items.next();
                Preparation::Reserved {
                    reserved: first.as_ref().map_or(0, |item| item.quantity),
                    in_stock: first.as_ref().map_or(0, |item| item.in_stock),
                    more: items.map(stock).collect(),
                }
            }
            Reservation::Duplicate { placed_at, .. } => Preparation::Duplicate {
                placed_at: humantime::format_rfc3339_seconds(placed_at).to_string(),
            },
            Reservation::Short {
                product,
                needed,
                in_stock,
            } => Preparation::OutOfStock {
                in_stock,
                product: Some(product),
                needed: Some(needed),
            },
        })
    }

    /// Gives the order's units back, once for each submission of it.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn release(&self, task: &OrderTask) -> Result<Released, StepError> {
        let released = self.inventory.release(&task.placement())?;
        Ok(Released {
            released: released.into_iter().map(stock).collect(),
        })
    }

    /// Hands one of the order's items to the courier, once for each submission of it.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn ship(&self, shipping: &Shipping) -> Result<Confirmation, StepError> {
        let shipment = self.inventory.record_shipment(
            &shipping.task.placement(),
            &shipping.parcel(),
            shipping.deliver_to.as_deref(),
        )?;
        Ok(Confirmation {
            confirmation: shipment.number,
        })
    }

    /// Calls one of the order's items back from the courier, once for each submission of it.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn recall(&self, shipping: &Shipping) -> Result<Undone, StepError> {
        let Item { product, .. } = shipping.parcel();
        let recall = self
            .inventory
            .record_recall(&shipping.task.placement(), &product)?;
        Ok(Undone {
            confirmation: recall.map(|recall| recall.number),
        })
    }
}

fn stock(change: StockChange) -> Stock {
    Stock {
        product: change.product,
        quantity: change.quantity,
        in_stock: change.in_stock,
    }
}
