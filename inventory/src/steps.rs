//! What each step of an order does to the stock and the ledger.
//!
//! Every step looks for its own effect first, so a retry changes nothing and
//! gets what the first attempt got.

use orders::{InvalidOrder, Item};

use crate::{
    CAPACITY, MINIMUM_STOCK,
    batch::{Batch, Draft},
    entry::{Change, Entry},
    error::InventoryError,
    placement::{Confirmation, Delivery, Placement, Released, Reservation, Stock},
};

const CHARGE: &str = "charge";
const REFUND: &str = "refund";

fn reserve_step(product: &str) -> String {
    format!("reserve/{product}")
}

fn release_step(product: &str) -> String {
    format!("release/{product}")
}

fn ship_step(product: &str) -> String {
    format!("ship/{product}")
}

fn recall_step(product: &str) -> String {
    format!("recall/{product}")
}

fn restock_step(round: u32, product: &str) -> String {
    format!("restock-{round}/{product}")
}

pub(crate) fn reserve(
    batch: &mut Batch<'_>,
    placement: &Placement,
    items: &[Item],
) -> Result<Reservation, InventoryError> {
    let items = merged(placement, items)?;
    if let Some(own) = own_reservation(batch, placement, &items)? {
        return Ok(Reservation::Reserved {
            items: own.iter().map(stock).collect(),
            already: true,
        });
    }
    for item in &items {
        batch.stock(&item.product)?;
        within_capacity(&item.product, item.quantity.into())?;
    }
    let latest = batch.latest_reservation(&placement.order_id)?;
    if let Some(first) = latest.first()
        && !is_released(batch, first)?
    {
        return Ok(Reservation::Duplicate {
            placed_at: first.at,
            submission: first.submission().unwrap_or_default(),
        });
    }
    for item in &items {
        let in_stock = batch.stock(&item.product)?;
        if in_stock < item.quantity {
            return Ok(Reservation::Short {
                product: item.product.clone(),
                needed: item.quantity,
                in_stock,
            });
        }
    }
    let drafts = items
        .iter()
        .map(|item| Draft::new(Change::Reserved, item, reserve_step(&item.product)))
        .collect();
    let recorded = batch.record(placement, drafts)?;
    Ok(Reservation::Reserved {
        items: recorded.iter().map(stock).collect(),
        already: false,
    })
}

/// What this placement reserved before, if it did.
fn own_reservation(
    batch: &Batch<'_>,
    placement: &Placement,
    items: &[Item],
) -> Result<Option<Vec<Entry>>, InventoryError> {
    let mut own = Vec::with_capacity(items.len());
    for item in items {
        own.extend(batch.own(placement, &reserve_step(&item.product))?);
    }
    let latest = batch.latest_reservation(&placement.order_id)?;
    let is_own = |entry: &Entry| entry.key == placement.key(&reserve_step(&entry.product_id));
    let other_items = latest.first().is_some_and(is_own) && latest.len() != items.len();
    if own.is_empty() && !other_items {
        return Ok(None);
    }
    let same = own.len() == items.len()
        && own
            .iter()
            .zip(items)
            .all(|(entry, item)| entry.quantity == i64::from(item.quantity));
    if !same || other_items {
        return Err(InventoryError::Changed {
            order_id: placement.order_id.clone(),
        });
    }
    Ok(Some(own))
}

pub(crate) fn release(
    batch: &mut Batch<'_>,
    placement: &Placement,
) -> Result<Released, InventoryError> {
    let reserved = own_latest(batch, placement)?;
    let mut released = Vec::new();
    for entry in &reserved {
        released.extend(batch.own(placement, &release_step(&entry.product_id))?);
    }
    let already = !released.is_empty();
    if !already {
        let items: Vec<Item> = reserved.iter().map(item).collect();
        let drafts = items
            .iter()
            .map(|item| Draft::new(Change::Released, item, release_step(&item.product)))
            .collect();
        released = batch.record(placement, drafts)?;
    }
    Ok(Released {
        items: released.iter().map(stock).collect(),
        already,
    })
}

pub(crate) fn charge(
    batch: &mut Batch<'_>,
    placement: &Placement,
    payment: &str,
) -> Result<Confirmation, InventoryError> {
    if let Some(own) = batch.own(placement, CHARGE)? {
        return Ok(confirmation(&own, true));
    }
    let held = held(batch, placement, "charged")?;
    let units = held.iter().map(|entry| units(entry.quantity)).sum();
    let whole = Item::new(&held[0].product_id, units);
    let mut draft = Draft::new(Change::Charged, &whole, CHARGE.to_owned());
    draft.payment = Some(payment);
    record_one(batch, placement, draft)
}

pub(crate) fn refund(
    batch: &mut Batch<'_>,
    placement: &Placement,
) -> Result<Option<Confirmation>, InventoryError> {
    if let Some(own) = batch.own(placement, REFUND)? {
        return Ok(Some(confirmation(&own, true)));
    }
    let Some(charge) = batch.own(placement, CHARGE)? else {
        return Ok(None);
    };
    let whole = item(&charge);
    let mut draft = Draft::new(Change::Refunded, &whole, REFUND.to_owned());
    draft.payment = charge.payment.as_deref();
    record_one(batch, placement, draft).map(Some)
}

pub(crate) fn ship(
    batch: &mut Batch<'_>,
    placement: &Placement,
    item: &Item,
    address: Option<&str>,
) -> Result<Confirmation, InventoryError> {
    let step = ship_step(&item.product);
    if let Some(own) = batch.own(placement, &step)? {
        return Ok(confirmation(&own, true));
    }
    at_least_one(placement, item)?;
    let held = held(batch, placement, "shipped")?;
    let reserved = held
        .iter()
        .find(|entry| entry.product_id == item.product)
        .map_or(0, |entry| units(entry.quantity));
    if reserved < item.quantity {
        return Err(InventoryError::NotReserved {
            order_id: placement.order_id.clone(),
            effect: "shipped",
            problem: format!(
                "{} units of product {} are to be shipped and {reserved} are reserved",
                item.quantity, item.product
            ),
        });
    }
    let mut draft = Draft::new(Change::Shipped, item, step);
    draft.address = address;
    record_one(batch, placement, draft)
}

pub(crate) fn recall(
    batch: &mut Batch<'_>,
    placement: &Placement,
    product: &str,
) -> Result<Option<Confirmation>, InventoryError> {
    let step = recall_step(product);
    if let Some(own) = batch.own(placement, &step)? {
        return Ok(Some(confirmation(&own, true)));
    }
    let Some(shipment) = batch.own(placement, &ship_step(product))? else {
        return Ok(None);
    };
    let shipped = item(&shipment);
    let draft = Draft::new(Change::Recalled, &shipped, step);
    record_one(batch, placement, draft).map(Some)
}

pub(crate) fn restock(
    batch: &mut Batch<'_>,
    placement: &Placement,
    product: &str,
    round: u32,
    needed: u32,
) -> Result<Delivery, InventoryError> {
    let step = restock_step(round, product);
    if let Some(own) = batch.own(placement, &step)? {
        return Ok(delivery(&own, true));
    }
    let in_stock = batch.stock(product)?;
    within_capacity(product, needed.into())?;
    let wanted = in_stock < MINIMUM_STOCK || in_stock < needed;
    let room = CAPACITY.saturating_sub(in_stock);
    if !wanted || room == 0 {
        return Ok(Delivery {
            quantity: 0,
            in_stock,
            confirmation: None,
        });
    }
    let delivered = Item::new(product, room);
    let draft = Draft::new(Change::Restocked, &delivered, step);
    let recorded = batch.record(placement, vec![draft])?;
    Ok(delivery(&recorded[0], false))
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

fn within_capacity(product: &str, quantity: u64) -> Result<(), InventoryError> {
    if quantity > CAPACITY.into() {
        return Err(over_capacity(product, quantity));
    }
    Ok(())
}

fn over_capacity(product: &str, quantity: u64) -> InventoryError {
    InventoryError::OverCapacity {
        product: product.to_owned(),
        quantity,
        capacity: CAPACITY,
    }
}

/// The order's latest reservation, if it is this placement's own.
fn own_latest(batch: &Batch<'_>, placement: &Placement) -> Result<Vec<Entry>, InventoryError> {
    let mut latest = batch.latest_reservation(&placement.order_id)?;
    latest.retain(|entry| entry.key == placement.key(&reserve_step(&entry.product_id)));
    Ok(latest)
}

/// What this placement holds now; an error if it holds nothing, so that a late
/// attempt of an order that was undone has no effect.
fn held(
    batch: &Batch<'_>,
    placement: &Placement,
    effect: &'static str,
) -> Result<Vec<Entry>, InventoryError> {
    let not_reserved = |problem: &str| InventoryError::NotReserved {
        order_id: placement.order_id.clone(),
        effect,
        problem: problem.to_owned(),
    };
    let own = own_latest(batch, placement)?;
    match own.first() {
        None => Err(not_reserved("this submission of it has nothing reserved")),
        Some(first) if is_released(batch, first)? => {
            Err(not_reserved("what was reserved for it has been released"))
        }
        Some(_) => Ok(own),
    }
}

/// Whether a reservation was given back. It is given back as a whole, so its
/// first entry stands for all.
fn is_released(batch: &Batch<'_>, reserved: &Entry) -> Result<bool, InventoryError> {
    let holder = Placement::new(
        &reserved.order_id,
        reserved.submission().unwrap_or_default(),
    );
    let release = batch.own(&holder, &release_step(&reserved.product_id))?;
    Ok(release.is_some())
}

fn record_one(
    batch: &mut Batch<'_>,
    placement: &Placement,
    draft: Draft<'_>,
) -> Result<Confirmation, InventoryError> {
    let recorded = batch.record(placement, vec![draft])?;
    Ok(confirmation(&recorded[0], false))
}

fn confirmation(entry: &Entry, already: bool) -> Confirmation {
    Confirmation {
        number: entry.confirmation.clone().unwrap_or_default(),
        already,
    }
}

fn delivery(entry: &Entry, already: bool) -> Delivery {
    Delivery {
        quantity: units(entry.quantity),
        in_stock: entry.in_stock,
        confirmation: Some(confirmation(entry, already)),
    }
}

fn stock(entry: &Entry) -> Stock {
    Stock {
        product: entry.product_id.clone(),
        quantity: units(entry.quantity),
        in_stock: entry.in_stock,
    }
}

fn item(entry: &Entry) -> Item {
    Item::new(&entry.product_id, units(entry.quantity))
}

/// Only an edit by hand has a signed quantity, and no order holds one.
fn units(quantity: i64) -> u32 {
    u32::try_from(quantity).unwrap_or(0)
}
