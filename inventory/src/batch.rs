//! Changes worked out in memory, before any of them is written.

use std::{collections::HashMap, time::SystemTime};

use orders::Item;

use crate::{
    entry::{Change, Entry},
    error::InventoryError,
    levels::Levels,
    placement::{Placement, Product},
    state::State,
};

/// What to record of an effect; the batch adds the rest.
pub(crate) struct Draft<'a> {
    pub change: Change,
    pub product: &'a str,
    pub quantity: u32,
    /// The step's part of the idempotency key.
    pub step: String,
    pub payment: Option<&'a str>,
    pub address: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub fn new(change: Change, item: &'a Item, step: String) -> Self {
        Self {
            change,
            product: &item.product,
            quantity: item.quantity,
            step,
            payment: None,
            address: None,
        }
    }
}

/// A change that waits to be made on behalf of some caller.
pub(crate) trait Job: Send + Sync {
    /// Works the change out and drafts it.
    fn decide(&self, batch: &mut Batch<'_>);
    /// Replaces whatever was decided: it could not be written.
    fn fail(&self, error: &InventoryError);
    /// The caller may have its result.
    fn finish(&self);
    fn is_finished(&self) -> bool;
}

/// The past as it would be with the drafts of this batch.
pub(crate) struct Batch<'a> {
    past: &'a State,
    levels: Levels,
    now: SystemTime,
    drafts: Vec<Entry>,
    /// From key to draft.
    keys: HashMap<String, usize>,
    /// From order ID to the first draft of its latest reservation.
    reservations: HashMap<String, usize>,
}

impl<'a> Batch<'a> {
    pub fn new(past: &'a State, now: SystemTime) -> Self {
        Self {
            past,
            levels: past.levels.clone(),
            now,
            drafts: Vec::new(),
            keys: HashMap::new(),
            reservations: HashMap::new(),
        }
    }

    /// Whether something has been drafted.
    pub fn has_drafts(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// The lines to append, and the levels after them.
    pub fn into_parts(self) -> (Vec<Entry>, Levels) {
        (self.drafts, self.levels)
    }

    /// How much of the ledger is read.
    pub fn ledger_len(&self) -> u64 {
        self.past.ledger.len()
    }

    pub fn products(&self) -> Vec<Product> {
        self.levels.products()
    }

    /// Units in stock of a product that must exist.
    pub fn stock(&self, product: &str) -> Result<u32, InventoryError> {
        match self.levels.get(product) {
            Some(level) => Ok(level.in_stock),
            None => Err(InventoryError::UnknownProduct {
                product: product.to_owned(),
                known: self
                    .levels
                    .sorted()
                    .into_iter()
                    .map(|(id, _)| id.to_owned())
                    .collect(),
            }),
        }
    }

    /// This placement's own effect of a step, if there is one.
    pub fn own(&self, placement: &Placement, step: &str) -> Result<Option<Entry>, InventoryError> {
        let key = placement.key(step);
        match self.keys.get(&key) {
            Some(&draft) => Ok(Some(self.drafts[draft].clone())),
            None => self.past.entry(&key),
        }
    }

    /// The latest reservation of an order, whoever placed it, one entry for
    /// each product; empty if there never was one.
    pub fn latest_reservation(&self, order_id: &str) -> Result<Vec<Entry>, InventoryError> {
        let Some(&first) = self.reservations.get(order_id) else {
            return self.past.latest_reservation(order_id);
        };
        let last = self.drafts[first..].iter().position(|entry| !entry.more);
        Ok(self.drafts[first..=first + last.unwrap_or(0)].to_vec())
    }

    /// Drafts one change of one or several lines; either all of them count or
    /// none.
    pub fn record(
        &mut self,
        placement: &Placement,
        drafts: Vec<Draft<'_>>,
    ) -> Result<Vec<Entry>, InventoryError> {
        let first = self.drafts.len();
        let levels = self.levels.clone();
        let count = drafts.len();
        for (index, draft) in drafts.into_iter().enumerate() {
            if let Err(error) = self.add(placement, draft, index + 1 < count) {
                self.drafts.truncate(first);
                self.keys.retain(|_, draft| *draft < first);
                self.levels = levels;
                return Err(error);
            }
        }
        let recorded = self.drafts[first..].to_vec();
        if recorded
            .first()
            .is_some_and(|entry| entry.change == Change::Reserved)
        {
            self.reservations.insert(placement.order_id.clone(), first);
        }
        Ok(recorded)
    }

    fn add(
        &mut self,
        placement: &Placement,
        draft: Draft<'_>,
        more: bool,
    ) -> Result<(), InventoryError> {
        let before = self.levels.in_stock(draft.product);
        let in_stock = match draft.change.effect_on_stock(draft.quantity.into()) {
            0 => Some(before),
            1.. => before.checked_add(draft.quantity),
            _ => before.checked_sub(draft.quantity),
        };
        let too_many = || InventoryError::Overfull {
            product: draft.product.to_owned(),
            in_stock: before,
            quantity: draft.quantity,
        };
        let seq = self.past.seq + self.drafts.len() as u64 + 1;
        let service = match draft.change {
            Change::Charged => Some("charge"),
            Change::Refunded => Some("refund"),
            Change::Shipped => Some("shipment"),
            Change::Recalled => Some("recall"),
            Change::Restocked => Some("delivery"),
            Change::Reserved | Change::Released | Change::Adjusted => None,
        };
        let entry = Entry {
            seq,
            at: self.now,
            order_id: placement.order_id.clone(),
            product_id: draft.product.to_owned(),
            change: draft.change,
            quantity: draft.quantity.into(),
            in_stock: in_stock.ok_or_else(too_many)?,
            key: placement.key(&draft.step),
            confirmation: service.map(|service| format!("{service}-{seq:06}")),
            payment: draft.payment.map(str::to_owned),
            address: draft.address.map(str::to_owned),
            more,
            removed: false,
        };
        self.levels
            .follow(&entry.as_line())
            .map_err(|_| too_many())?;
        self.keys.insert(entry.key.clone(), self.drafts.len());
        self.drafts.push(entry);
        Ok(())
    }
}
