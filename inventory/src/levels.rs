//! How much of each product there is, as the ledger tells it.

use std::collections::HashMap;

use crate::{
    entry::{Change, Line},
    placement::Product,
};

/// One product's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// The last order that changed it.
    pub order_id: String,
    pub in_stock: u32,
    /// Units in stock before the first line read of it.
    opening: u32,
    /// Whether a line changed the stock; else `order_id` and `listed` say
    /// nothing yet.
    changed: bool,
    /// False once somebody took the product out of the inventory file; what
    /// comes back to it afterwards is counted from 0.
    listed: bool,
}

/// Every product's stock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Levels(HashMap<String, Level>);

impl Levels {
    pub fn get(&self, product: &str) -> Option<&Level> {
        self.0.get(product).filter(|level| level.listed)
    }

    /// Units in stock; 0 for a product that is not there.
    pub fn in_stock(&self, product: &str) -> u32 {
        self.get(product).map_or(0, |level| level.in_stock)
    }

    /// By product ID, so that what is made of it does not depend on chance.
    pub fn sorted(&self) -> Vec<(&str, &Level)> {
        let mut all: Vec<_> = self.0.iter().filter(|(_, level)| level.listed).collect();
        all.sort_unstable_by_key(|(product, _)| *product);
        all.into_iter()
            .map(|(id, level)| (id.as_str(), level))
            .collect()
    }

    /// For callers: every product there is.
    pub fn products(&self) -> Vec<Product> {
        let product = |(id, level): (&str, &Level)| Product {
            product: id.to_owned(),
            order_id: level.order_id.clone(),
            in_stock: level.in_stock,
        };
        self.sorted().into_iter().map(product).collect()
    }

    /// Takes the figures of the inventory file as they are.
    pub fn adopt(&mut self, product_id: &str, order_id: &str, in_stock: u32) {
        let level = Level {
            order_id: order_id.to_owned(),
            in_stock,
            opening: in_stock,
            changed: true,
            listed: true,
        };
        self.0.insert(product_id.to_owned(), level);
    }

    /// Takes a line's figures where it cannot be followed, to go on from there.
    pub fn force(&mut self, line: &Line<'_>) {
        let level = Level {
            order_id: line.order_id.clone().into_owned(),
            in_stock: line.in_stock,
            opening: line.in_stock,
            changed: true,
            listed: true,
        };
        self.0.insert(line.product_id.clone().into_owned(), level);
    }

    /// Whether any line, or file, has told of this product.
    pub fn has_seen(&self, product: &str) -> bool {
        self.0.contains_key(product)
    }

    /// Follows one line, or says why it cannot be followed.
    ///
    /// A product's first line implies the stock it opened with.
    pub fn follow(&mut self, line: &Line<'_>) -> Result<(), String> {
        let signed_by_kind = line.change == Change::Adjusted;
        if line.quantity < 0 && !signed_by_kind {
            return Err(format!("{} has a negative quantity", line.change));
        }
        if line.removed && line.in_stock != 0 {
            return Err("a removed product has units in stock".to_owned());
        }
        let after = i64::from(line.in_stock);
        let difference = line.change.effect_on_stock(line.quantity);
        let level = match self.0.get_mut(line.product_id.as_ref()) {
            Some(level) => level,
            None => {
                if after
                    .checked_sub(difference)
                    .is_none_or(|opening| opening < 0)
                {
                    return Err(format!(
                        "inStock {after} after {} of {} means that it was below zero before",
                        line.change, line.quantity
                    ));
                }
                let opening = u32::try_from(after - difference)
                    .map_err(|_| "the stock before it is too large".to_owned())?;
                self.0
                    .entry(line.product_id.clone().into_owned())
                    .or_insert(Level {
                        order_id: String::new(),
                        in_stock: opening,
                        opening,
                        changed: false,
                        listed: true,
                    })
            }
        };
        let before = i64::from(level.in_stock);
        if before.checked_add(difference) != Some(after) {
            return Err(format!(
                "inStock {after} does not follow from {before} by {} of {}",
                line.change, line.quantity
            ));
        }
        level.in_stock = line.in_stock;
        if difference != 0 || signed_by_kind {
            level.order_id.clear();
            level.order_id.push_str(&line.order_id);
            level.changed = true;
            level.listed = !line.removed;
        }
        Ok(())
    }

    /// Goes on with the levels of later lines that were followed by themselves;
    /// false, and nothing changed, if they do not follow from these.
    pub fn join(&mut self, later: Self) -> bool {
        let follows = |(product, level): (&String, &Level)| {
            let before = self.0.get(product);
            before.is_none_or(|before| before.in_stock == level.opening)
        };
        if !later.0.iter().all(follows) {
            return false;
        }
        for (product, level) in later.0 {
            match self.0.get_mut(&product) {
                None => {
                    self.0.insert(product, level);
                }
                Some(before) if level.changed => {
                    let opening = before.opening;
                    *before = Level { opening, ..level };
                }
                Some(_) => {}
            }
        }
        true
    }
}
