//! Holds and ships the stock.

use inventory::{Confirmation, Inventory, Placement, Released, Reservation, Stock};

use crate::{
    error::StepError,
    task::{Preparation, Reserved, Reserving, Shelf, Shipping, Undone},
};

/// The warehouse, with its courier.
#[derive(Clone)]
pub struct Warehouse {
    inventory: Inventory,
}

impl Warehouse {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    /// Says what is in stock of the order's items. Changes nothing.
    ///
    /// # Errors
    /// The error is final for an unknown product.
    pub async fn look_up(&self, reserving: &Reserving) -> Result<Shelf, StepError> {
        let mut items = Vec::new();
        for item in &reserving.items {
            items.push(Stock {
                product: item.product.clone(),
                quantity: item.quantity,
                in_stock: self.inventory.stock(&item.product).await?,
            });
        }
        Ok(Shelf { items })
    }

    /// Sets the order's units aside, once for each submission of it; all of them or none.
    ///
    /// # Errors
    /// The error is final for an unknown product and for more units than the warehouse can hold.
    pub async fn reserve(&self, reserving: &Reserving) -> Result<Preparation, StepError> {
        let reservation = self
            .inventory
            .reserve(&reserving.placement, &reserving.items)
            .await?;
        Ok(match reservation {
            Reservation::Reserved { items, already } => {
                Preparation::Reserved(Reserved { items, already })
            }
            Reservation::Duplicate {
                placed_at, items, ..
            } => Preparation::Duplicate {
                placed_at: humantime::format_rfc3339_seconds(placed_at).to_string(),
                items,
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

    /// Puts the order's units back on the shelf, once for each submission of it.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be read or written.
    pub async fn release(&self, placement: &Placement) -> Result<Released, StepError> {
        Ok(self.inventory.release(placement).await?)
    }

    /// Hands one of the order's items to the courier, once for each submission of it.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be read or written.
    pub async fn ship(&self, shipping: &Shipping) -> Result<Confirmation, StepError> {
        let Shipping {
            placement,
            parcel,
            deliver_to,
        } = shipping;
        Ok(self
            .inventory
            .record_shipment(placement, parcel, deliver_to.as_deref())
            .await?)
    }

    /// Calls one of the order's items back from the courier, once for each submission of it.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be read or written.
    pub async fn recall(&self, shipping: &Shipping) -> Result<Undone, StepError> {
        let confirmation = self
            .inventory
            .record_recall(&shipping.placement, &shipping.parcel.product)
            .await?;
        Ok(Undone { confirmation })
    }
}
