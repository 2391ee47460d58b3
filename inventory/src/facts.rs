//! What a rule decides from, and what it decides. Pure data: a store loads the facts and appends the
//! decision's entries, and both happen under one lock.

use std::{collections::BTreeMap, time::SystemTime};

use orders::Item;

use crate::{
    entry::{Change, Entry},
    error::InventoryError,
    placement::Placement,
};

/// A rule for one change.
pub(crate) trait Rule: Send + Sync + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// The products whose stock the change would touch, each once. A store may lock just these.
    fn products(&self, _: &OrderPast<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Decides. The entries may name no other product than [`Rule::products`], except for entries that
    /// leave the stock alone.
    fn decide(&self, facts: &Facts<'_>) -> Result<Decision<Self::Answer>, InventoryError>;
}

/// The answer for the caller, and the entries to append: as a whole or not at all, and often none.
pub(crate) struct Decision<T> {
    pub answer: T,
    pub entries: Vec<Entry>,
}

impl<T> Decision<T> {
    /// Nothing is to be recorded.
    pub fn answer(answer: T) -> Self {
        Self {
            answer,
            entries: Vec::new(),
        }
    }

    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Decision<U> {
        Decision {
            answer: to(self.answer),
            entries: self.entries,
        }
    }
}

/// What happened for one order so far, seen from one submission of it.
pub(crate) struct OrderPast<'a> {
    pub placement: &'a Placement,
    /// Every entry of the order, of all its submissions, oldest first.
    pub entries: &'a [Entry],
}

impl<'a> OrderPast<'a> {
    /// The submission's own effect of a step. It is what a retry of the step finds.
    pub fn own(&self, step: &str) -> Option<&'a Entry> {
        let key = self.placement.key(step);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The submission's own entries of one kind.
    pub fn all_own(&self, change: Change) -> Vec<&'a Entry> {
        let prefix = self.placement.key("");
        let own = |entry: &&Entry| entry.change == change && entry.key.starts_with(&prefix);
        self.entries.iter().filter(own).collect()
    }

    /// What took back something of this submission first, if anything did. After that, the submission
    /// has no new effect: a late attempt must not take the money of an order that was refunded.
    pub fn undone_by(&self) -> Option<Change> {
        let prefix = self.placement.key("");
        let undoes = |entry: &&Entry| entry.change.undoes() && entry.key.starts_with(&prefix);
        self.entries.iter().find(undoes).map(|entry| entry.change)
    }

    /// The first entry of a reservation that is not released, whichever submission holds it.
    pub fn holder(&self) -> Option<&'a Entry> {
        let reserved = |entry: &&Entry| entry.change == Change::Reserved;
        self.entries.iter().filter(reserved).find(|entry| {
            let released = |other: &Entry| {
                other.change == Change::Released && other.submission() == entry.submission()
            };
            !self.entries.iter().any(released)
        })
    }

    /// What the submission of this entry reserved.
    pub fn reserved_with(&self, entry: &Entry) -> Vec<Item> {
        let reserved = self.entries.iter().filter(|other| {
            other.change == Change::Reserved && other.submission() == entry.submission()
        });
        reserved
            .map(|it| Item::new(&it.product_id, it.units()))
            .collect()
    }
}

/// Everything that a rule needs to know.
pub(crate) struct Facts<'a> {
    pub order: OrderPast<'a>,
    /// The stock of the products that the rule asked for, as far as they exist.
    pub stock: BTreeMap<String, u32>,
    /// The numbers of the entries that it may append: one for each product, and at least one.
    pub numbers: Vec<u64>,
    pub now: SystemTime,
}

/// What a rule says of a new entry. The rest follows from the facts.
pub(crate) struct Draft<'a> {
    pub change: Change,
    pub product: &'a str,
    pub units: u32,
    pub step: String,
    pub payment: Option<String>,
    pub address: Option<String>,
}

impl<'a> Draft<'a> {
    pub fn new(change: Change, product: &'a str, units: u32, step: impl Into<String>) -> Self {
        Self {
            change,
            product,
            units,
            step: step.into(),
            payment: None,
            address: None,
        }
    }
}

impl Facts<'_> {
    /// Units in stock of a product that must exist.
    pub fn stock(&self, product: &str) -> Result<u32, InventoryError> {
        let unknown = || InventoryError::UnknownProduct {
            product: product.to_owned(),
            known: Vec::new(),
        };
        self.stock.get(product).copied().ok_or_else(unknown)
    }

    /// The entries of one change, complete.
    pub fn entries(&self, drafts: Vec<Draft<'_>>) -> Vec<Entry> {
        let count = drafts.len();
        let numbered = drafts.into_iter().zip(&self.numbers).enumerate();
        let entry = |(index, (draft, &seq)): (usize, (Draft<'_>, &u64))| {
            let quantity = i64::from(draft.units);
            let before = self.stock.get(draft.product).copied().unwrap_or(0);
            let after = |effect: i64| u32::try_from(i64::from(before) + effect).unwrap_or(u32::MAX);
            Entry {
                seq,
                at: self.now,
                order_id: self.order.placement.order_id.clone(),
                product_id: draft.product.to_owned(),
                change: draft.change,
                quantity,
                in_stock: draft.change.effect_on_stock(quantity).map(after),
                key: self.order.placement.key(&draft.step),
                confirmation: draft
                    .change
                    .confirmation()
                    .map(|service| format!("{service}-{seq:06}")),
                payment: draft.payment,
                address: draft.address,
                more: index + 1 < count,
                removed: false,
            }
        };
        numbered.map(entry).collect()
    }
}
