//! The rules: what each step of an order does to the stock and the ledger.
//!
//! Each is a pure function from facts to a decision. The facts are everything that the ledger says
//! about the order, and the stock of its products. The decision is an answer and the entries to
//! append. A rule looks for its own effect before it changes anything, so a retry appends nothing and
//! gets what the first attempt got.

use std::time::SystemTime;

use orders::{InvalidOrder, Item};

use crate::{
    CAPACITY, MINIMUM_STOCK,
    entry::{Change, Entry},
    error::InventoryError,
    facts::{Decision, Draft, Facts, OrderPast, Rule},
    placement::{Confirmation, Delivery, Identity, Placement, Released, Reservation, Stock},
};

type Decided<T> = Result<Decision<T>, InventoryError>;

const CHARGE: &str = "charge";
const REFUND: &str = "refund";
const CLOSE: &str = "close";

/// Refuses an order that was begun in another inventory than `ours`.
pub(crate) fn refuse_other_inventory(
    placement: &Placement,
    ours: &Identity,
) -> Result<(), InventoryError> {
    match &placement.inventory {
        Some(theirs) if theirs != ours => Err(InventoryError::OtherInventory {
            order_id: placement.order_id.clone(),
            theirs: theirs.location.clone(),
            ours: ours.location.clone(),
        }),
        _ => Ok(()),
    }
}

/// Takes an order's items out of stock, all of them or none.
pub(crate) struct Reserve {
    pub items: Vec<Item>,
}

impl Rule for Reserve {
    type Answer = Reservation;

    fn products(&self, order: &OrderPast<'_>) -> Vec<String> {
        if order.all_own(Change::Reserved).is_empty() {
            let items = orders::merged(&self.items).into_iter();
            items.map(|item| item.product).collect()
        } else {
            Vec::new()
        }
    }

    fn decide(&self, facts: &Facts<'_>) -> Decided<Reservation> {
        let order = &facts.order;
        let items = merged(order.placement, &self.items)?;
        refuse_if_undone(order, "reserved")?;
        let own = order.all_own(Change::Reserved);
        if !own.is_empty() {
            return Ok(Decision::answer(reserved_before(order, &own, &items)?));
        }
        for item in &items {
            facts.stock(&item.product)?;
            within_capacity(&item.product, item.quantity)?;
        }
        if let Some(first) = order.holder() {
            return Ok(Decision::answer(Reservation::Duplicate {
                placed_at: first.at,
                submission: first.submission().unwrap_or_default().into_owned(),
                items: order.reserved_with(first),
            }));
        }
        for Item { product, quantity } in &items {
            let in_stock = facts.stock(product)?;
            if in_stock < *quantity {
                return Ok(Decision::answer(Reservation::Short {
                    product: product.clone(),
                    needed: *quantity,
                    in_stock,
                }));
            }
        }
        let draft = |item| draft(Change::Reserved, item, "reserve");
        let entries = facts.entries(items.iter().map(draft).collect());
        let answer = Reservation::Reserved {
            items: entries.iter().map(stock).collect(),
            already: false,
        };
        Ok(Decision { answer, entries })
    }
}

/// The answer to a retry, which must ask for the same items.
fn reserved_before(
    order: &OrderPast<'_>,
    own: &[&Entry],
    items: &[Item],
) -> Result<Reservation, InventoryError> {
    let same = |(entry, item): (&&Entry, &Item)| {
        entry.product_id == item.product && entry.units() == item.quantity
    };
    if own.len() != items.len() || !own.iter().zip(items).all(same) {
        return Err(InventoryError::Changed {
            order_id: order.placement.order_id.clone(),
        });
    }
    Ok(Reservation::Reserved {
        items: own.iter().copied().map(stock).collect(),
        already: true,
    })
}

/// Charges the order, once.
pub(crate) struct Charge {
    pub payment: String,
}

impl Rule for Charge {
    type Answer = Confirmation;

    fn decide(&self, facts: &Facts<'_>) -> Decided<Confirmation> {
        let order = &facts.order;
        refuse_if_undone(order, "charged")?;
        if let Some(own) = order.own(CHARGE) {
            return Ok(Decision::answer(confirmation(own, true)));
        }
        let held = held(order, "charged")?;
        let units = held.iter().map(|entry| entry.units()).sum();
        let mut draft = Draft::new(Change::Charged, &held[0].product_id, units, CHARGE);
        draft.payment = Some(self.payment.clone());
        Ok(confirmed(facts, draft))
    }
}

/// Gives the charge back, once.
pub(crate) struct Refund;

impl Rule for Refund {
    type Answer = Option<Confirmation>;

    fn decide(&self, facts: &Facts<'_>) -> Decided<Self::Answer> {
        if let Some(own) = facts.order.own(REFUND) {
            return Ok(Decision::answer(Some(confirmation(own, true))));
        }
        let Some(charge) = facts.order.own(CHARGE) else {
            return Ok(closed(facts, None));
        };
        let units = charge.units();
        let mut draft = Draft::new(Change::Refunded, &charge.product_id, units, REFUND);
        draft.payment.clone_from(&charge.payment);
        Ok(confirmed(facts, draft).map(Some))
    }
}

/// Ships one of the order's items, once.
pub(crate) struct Ship {
    pub item: Item,
    pub address: Option<String>,
}

impl Rule for Ship {
    type Answer = Confirmation;

    fn decide(&self, facts: &Facts<'_>) -> Decided<Confirmation> {
        let (order, item) = (&facts.order, &self.item);
        refuse_if_undone(order, "shipped")?;
        if let Some(own) = order.own(&step("ship", &item.product)) {
            return Ok(Decision::answer(confirmation(own, true)));
        }
        at_least_one(order.placement, item)?;
        let held = held(order, "shipped")?;
        let of_it = held.iter().find(|entry| entry.product_id == item.product);
        let reserved = of_it.map_or(0, |entry| entry.units());
        if reserved < item.quantity {
            return Err(InventoryError::NotReserved {
                order_id: order.placement.order_id.clone(),
                effect: "shipped",
                problem: format!(
                    "{} units of product {} are to be shipped and {reserved} are reserved",
                    item.quantity, item.product
                ),
            });
        }
        let mut draft = draft(Change::Shipped, item, "ship");
        draft.address.clone_from(&self.address);
        Ok(confirmed(facts, draft))
    }
}

/// Calls the shipment of one product back, once.
pub(crate) struct Recall {
    pub product: String,
}

impl Rule for Recall {
    type Answer = Option<Confirmation>;

    fn decide(&self, facts: &Facts<'_>) -> Decided<Self::Answer> {
        if let Some(own) = facts.order.own(&step("recall", &self.product)) {
            return Ok(Decision::answer(Some(confirmation(own, true))));
        }
        let Some(shipment) = facts.order.own(&step("ship", &self.product)) else {
            return Ok(closed(facts, None));
        };
        let shipped = Item::new(&self.product, shipment.units());
        Ok(confirmed(facts, draft(Change::Recalled, &shipped, "recall")).map(Some))
    }
}

/// Gives back what the order reserved, once.
pub(crate) struct Release;

impl Rule for Release {
    type Answer = Released;

    fn products(&self, order: &OrderPast<'_>) -> Vec<String> {
        if order.all_own(Change::Released).is_empty() {
            let reserved = order.all_own(Change::Reserved).into_iter();
            reserved.map(|entry| entry.product_id.clone()).collect()
        } else {
            Vec::new()
        }
    }

    fn decide(&self, facts: &Facts<'_>) -> Decided<Released> {
        let released = facts.order.all_own(Change::Released);
        if !released.is_empty() {
            return Ok(Decision::answer(Released {
                items: released.into_iter().map(stock).collect(),
                already: true,
            }));
        }
        let reserved = facts.order.all_own(Change::Reserved).into_iter();
        let items: Vec<Item> = reserved
            .map(|entry| Item::new(&entry.product_id, entry.units()))
            .collect();
        if items.is_empty() {
            return Ok(closed(
                facts,
                Released {
                    items: Vec::new(),
                    already: false,
                },
            ));
        }
        let draft = |item| draft(Change::Released, item, "release");
        let entries = facts.entries(items.iter().map(draft).collect());
        let answer = Released {
            items: entries.iter().map(stock).collect(),
            already: false,
        };
        Ok(Decision { answer, entries })
    }
}

/// Has the supplier fill a shelf that is below the minimum, or below what is needed.
pub(crate) struct Restock {
    pub product: String,
    pub round: u32,
    pub needed: u32,
}

impl Rule for Restock {
    type Answer = Delivery;

    fn products(&self, order: &OrderPast<'_>) -> Vec<String> {
        match order.own(&self.step()) {
            Some(_) => Vec::new(),
            None => vec![self.product.clone()],
        }
    }

    fn decide(&self, facts: &Facts<'_>) -> Decided<Delivery> {
        if let Some(own) = facts.order.own(&self.step()) {
            return Ok(Decision::answer(delivery(own, true)));
        }
        let in_stock = facts.stock(&self.product)?;
        within_capacity(&self.product, self.needed)?;
        let wanted = in_stock < MINIMUM_STOCK || in_stock < self.needed;
        let room = CAPACITY.saturating_sub(in_stock);
        if !wanted || room == 0 {
            return Ok(Decision::answer(Delivery {
                quantity: 0,
                in_stock,
                confirmation: None,
            }));
        }
        let draft = Draft::new(Change::Restocked, &self.product, room, self.step());
        let entries = facts.entries(vec![draft]);
        Ok(Decision {
            answer: delivery(&entries[0], false),
            entries,
        })
    }
}

impl Restock {
    fn step(&self) -> String {
        step(&format!("restock-{}", self.round), &self.product)
    }
}

/// Sets the stock of a product, which need not exist yet.
pub(crate) struct SetStock {
    pub product: String,
    pub units: u32,
    pub by: String,
}

impl Rule for SetStock {
    type Answer = ();

    fn products(&self, _: &OrderPast<'_>) -> Vec<String> {
        vec![self.product.clone()]
    }

    fn decide(&self, facts: &Facts<'_>) -> Decided<()> {
        within_capacity(&self.product, self.units)?;
        let before = facts.stock.get(&self.product).copied();
        if before == Some(self.units) {
            return Ok(Decision::answer(()));
        }
        let after = Some(self.units);
        let entry = adjusted(
            facts.numbers[0],
            facts.now,
            &self.by,
            &self.product,
            before,
            after,
        );
        Ok(Decision {
            answer: (),
            entries: vec![entry],
        })
    }
}

/// The entry for a stock that a person set. `None` means that there is no such product.
pub(crate) fn adjusted(
    seq: u64,
    at: SystemTime,
    by: &str,
    product: &str,
    before: Option<u32>,
    after: Option<u32>,
) -> Entry {
    Entry {
        seq,
        at,
        order_id: by.to_owned(),
        product_id: product.to_owned(),
        change: Change::Adjusted,
        quantity: i64::from(after.unwrap_or(0)) - i64::from(before.unwrap_or(0)),
        in_stock: Some(after.unwrap_or(0)),
        // Two parts, where a placement's key has three or more.
        key: format!("adjusted/{seq}"),
        confirmation: None,
        payment: None,
        address: None,
        more: false,
        removed: after.is_none(),
    }
}

fn step(kind: &str, product: &str) -> String {
    format!("{kind}/{product}")
}

fn draft<'a>(change: Change, item: &'a Item, kind: &str) -> Draft<'a> {
    let step = step(kind, &item.product);
    Draft::new(change, &item.product, item.quantity, step)
}

/// One entry, which the service confirms.
fn confirmed(facts: &Facts<'_>, draft: Draft<'_>) -> Decision<Confirmation> {
    let entries = facts.entries(vec![draft]);
    Decision {
        answer: confirmation(&entries[0], false),
        entries,
    }
}

/// There is nothing to undo. An attempt that hangs may still be on its way to do it, so the submission
/// is closed: whatever comes late is refused.
fn closed<T>(facts: &Facts<'_>, answer: T) -> Decision<T> {
    let entries = if facts.order.undone_by().is_some() {
        Vec::new()
    } else {
        let reserved = facts.order.all_own(Change::Reserved);
        let product = reserved.first().map_or("", |entry| &entry.product_id);
        facts.entries(vec![Draft::new(Change::Closed, product, 0, CLOSE)])
    };
    Decision { answer, entries }
}

fn refuse_if_undone(order: &OrderPast<'_>, effect: &'static str) -> Result<(), InventoryError> {
    match order.undone_by() {
        None => Ok(()),
        Some(by) => Err(InventoryError::Undone {
            order_id: order.placement.order_id.clone(),
            effect,
            by,
        }),
    }
}

/// What this submission holds; an error if it holds nothing.
fn held<'a>(order: &OrderPast<'a>, effect: &'static str) -> Result<Vec<&'a Entry>, InventoryError> {
    let held = order.all_own(Change::Reserved);
    if held.is_empty() {
        return Err(InventoryError::NotReserved {
            order_id: order.placement.order_id.clone(),
            effect,
            problem: "this submission of it has nothing reserved".to_owned(),
        });
    }
    Ok(held)
}

/// One item for each product, in the order's order.
fn merged(placement: &Placement, items: &[Item]) -> Result<Vec<Item>, InventoryError> {
    for item in items {
        at_least_one(placement, item)?;
    }
    if items.is_empty() {
        return Err(invalid(placement, "item", "the order names none"));
    }
    Ok(orders::merged(items))
}

fn at_least_one(placement: &Placement, item: &Item) -> Result<(), InventoryError> {
    if item.quantity == 0 {
        return Err(invalid(placement, "quantity", "must be at least 1"));
    }
    Ok(())
}

fn invalid(placement: &Placement, field: &'static str, problem: &'static str) -> InventoryError {
    InventoryError::InvalidOrder {
        order_id: placement.order_id.clone(),
        source: InvalidOrder::Field { field, problem },
    }
}

fn within_capacity(product: &str, quantity: u32) -> Result<(), InventoryError> {
    if quantity > CAPACITY {
        return Err(InventoryError::OverCapacity {
            product: product.to_owned(),
            quantity,
            capacity: CAPACITY,
        });
    }
    Ok(())
}

fn confirmation(entry: &Entry, already: bool) -> Confirmation {
    Confirmation {
        number: entry.confirmation.clone().unwrap_or_default(),
        already,
    }
}

fn delivery(entry: &Entry, already: bool) -> Delivery {
    Delivery {
        quantity: entry.units(),
        in_stock: entry.in_stock.unwrap_or_default(),
        confirmation: Some(confirmation(entry, already)),
    }
}

fn stock(entry: &Entry) -> Stock {
    Stock {
        product: entry.product_id.clone(),
        quantity: entry.units(),
        in_stock: entry.in_stock.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
