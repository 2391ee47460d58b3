//! Inputs and answers as earlier versions wrote them, for orders that began under one.
//!
//! Earlier versions gave every activity the whole order, and split a reservation's items into the
//! first and the rest.

use inventory::{Placement, Stock};
use orders::{Item, merged};
use serde::Deserialize;
use thiserror::Error;

/// An input that says neither in today's form nor in an earlier one what it is about.
#[derive(Debug, Error)]
#[error("the input names no product")]
pub(crate) struct NoProduct;

/// The order's first item, as an earlier version wrote it into the input of every activity.
#[derive(Deserialize)]
struct FirstItem {
    item: Option<String>,
    quantity: Option<u32>,
}

impl FirstItem {
    fn read(self) -> Result<Item, NoProduct> {
        let product = self.item.ok_or(NoProduct)?;
        Ok(Item::new(product, self.quantity.ok_or(NoProduct)?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnyReserving {
    #[serde(flatten)]
    placement: Placement,
    items: Option<Vec<Item>>,
    #[serde(flatten)]
    first: FirstItem,
    #[serde(default)]
    more_items: Vec<Item>,
}

impl AnyReserving {
    pub(crate) fn parts(self) -> Result<(Placement, Vec<Item>), NoProduct> {
        let items = match self.items {
            Some(items) => items,
            None => merged(&[vec![self.first.read()?], self.more_items].concat()),
        };
        Ok((self.placement, items))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnyShipping {
    #[serde(flatten)]
    placement: Placement,
    parcel: Option<Item>,
    deliver_to: Option<String>,
    #[serde(flatten)]
    first: FirstItem,
}

impl AnyShipping {
    pub(crate) fn parts(self) -> Result<(Placement, Item, Option<String>), NoProduct> {
        let parcel = self.parcel.map_or_else(|| self.first.read(), Ok)?;
        Ok((self.placement, parcel, self.deliver_to))
    }
}

#[derive(Deserialize)]
pub(crate) struct AnyRestocking {
    #[serde(flatten)]
    pub(crate) placement: Placement,
    product: Option<String>,
    item: Option<String>,
    pub(crate) round: u32,
    pub(crate) needed: u32,
}

impl AnyRestocking {
    pub(crate) fn product(&self) -> Result<String, NoProduct> {
        let product = self.product.as_ref().or(self.item.as_ref());
        product.cloned().ok_or(NoProduct)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnyReserved {
    #[serde(default)]
    items: Vec<Stock>,
    #[serde(default)]
    already: bool,
    reserved: Option<u32>,
    in_stock: Option<u32>,
    #[serde(default)]
    more: Vec<Stock>,
}

impl AnyReserved {
    pub(crate) fn parts(self) -> (Vec<Stock>, bool) {
        let first = self.reserved.zip(self.in_stock);
        let first = first.map(|(quantity, in_stock)| Stock {
            // An earlier version did not name the order's first product here.
            product: String::new(),
            quantity,
            in_stock,
        });
        let items = first.into_iter().chain(self.more).chain(self.items);
        (items.collect(), self.already)
    }
}
