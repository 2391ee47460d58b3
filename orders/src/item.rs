//! So many units of a product.

use std::fmt;

use serde::{Deserialize, Serialize};

/// So many units of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product's ID.
    pub product: String,
    /// Units, at least 1.
    pub quantity: u32,
}

impl Item {
    /// `quantity` units of `product`.
    pub fn new(product: impl Into<String>, quantity: u32) -> Self {
        Self {
            product: product.into(),
            quantity,
        }
    }
}

impl fmt::Display for Item {
    /// In words: "1 unit of product 123456".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = if self.quantity == 1 { "unit" } else { "units" };
        write!(f, "{} {units} of product {}", self.quantity, self.product)
    }
}

/// One item for each product, in the order in which the products first appear. Units beyond what a
/// `u32` holds stay at its maximum, which is more than any warehouse holds.
///
/// ```
/// use orders::{Item, merged};
///
/// let items = [Item::new("123456", 2), Item::new("234567", 1), Item::new("123456", 3)];
/// assert_eq!(merged(&items), [Item::new("123456", 5), Item::new("234567", 1)]);
/// ```
pub fn merged(items: &[Item]) -> Vec<Item> {
    let mut merged: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        match merged.iter_mut().find(|it| it.product == item.product) {
            Some(same) => same.quantity = same.quantity.saturating_add(item.quantity),
            None => merged.push(item.clone()),
        }
    }
    merged
}
