//! A product and how many units of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A product and how many units of it.
///
/// ```
/// use orders::Item;
///
/// let item = Item::new("123456", 2);
/// assert_eq!(item.to_string(), "2 units of product 123456");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product's ID, for example `123456`.
    pub product: String,
    /// The number of units. [`Order::validate`](crate::Order::validate) wants at least 1.
    pub quantity: u32,
}

impl Item {
    /// Creates an item of `quantity` units of `product`.
    pub fn new(product: impl Into<String>, quantity: u32) -> Self {
        Self {
            product: product.into(),
            quantity,
        }
    }
}

impl fmt::Display for Item {
    /// Writes the item in words, as in "1 unit of product 123456".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = if self.quantity == 1 { "unit" } else { "units" };
        write!(f, "{} {units} of product {}", self.quantity, self.product)
    }
}

/// Merges items of the same product into one. The products stay in the order in which they first
/// appear.
///
/// A sum that a `u32` cannot hold stays at `u32::MAX`. That is still more than any warehouse holds, so
/// the order is refused as it should be.
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
