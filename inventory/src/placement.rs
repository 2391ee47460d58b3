//! What callers hand in and get back: placements, items and results.

use std::{borrow::Cow, time::SystemTime};

use orders::Item;
use serde::{Deserialize, Serialize};

/// Which inventory it is: an order belongs to the one in which it was begun.
///
/// Two are the same if their `id` is. `location` is for people, and the same inventory may be reached
/// by several.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Chosen at random when the inventory was created.
    pub id: String,
    /// Where it is: a path with the name of its machine, or a database without its password.
    pub location: String,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Identity {
    /// An ID for a new inventory.
    pub(crate) fn new_id() -> String {
        format!("{:016x}", rand::random::<u64>())
    }
}

/// One submission of one order: what makes an effect this step's own.
///
/// A retry of a step comes with the same placement and finds its own effect. A second submission of the
/// same order comes with another `submission`, so that the two are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The order's ID, e.g. `order-11235`.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// What tells this submission from any other of the same order. It stays the same on every retry; a
    /// workflow's run ID is such a thing.
    pub submission: String,
    /// The inventory that the order belongs to, once that is known. Any other refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Identity>,
}

impl Placement {
    /// The submission `submission` of the order `order_id`, which belongs to no inventory yet.
    pub fn new(order_id: impl Into<String>, submission: impl Into<String>) -> Self {
        Self {
            order_id: order_id.into(),
            submission: submission.into(),
            inventory: None,
        }
    }

    /// The idempotency key of one step: `<order>/<submission>/<step>`.
    ///
    /// A `/` in the first two parts is escaped, so that no two placements share
    /// a key.
    pub fn key(&self, step: &str) -> String {
        format!(
            "{}/{}/{step}",
            escape(&self.order_id),
            escape(&self.submission)
        )
    }
}

fn escape(part: &str) -> Cow<'_, str> {
    if part.contains(['/', '%']) {
        part.replace('%', "%25").replace('/', "%2F").into()
    } else {
        part.into()
    }
}

/// The order's ID and the submission in an idempotency key; `None` for an entry that was not made for an
/// order.
pub(crate) fn placement_of(key: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let mut parts = key.splitn(3, '/');
    let (order_id, submission) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some((unescape(order_id), unescape(submission)))
}

/// Undoes [`escape`].
fn unescape(part: &str) -> Cow<'_, str> {
    if part.contains('%') {
        part.replace("%2F", "/").replace("%25", "%").into()
    } else {
        part.into()
    }
}

/// A product as it is in stock now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The product's ID.
    pub product: String,
    /// The last order that changed its stock.
    pub order_id: String,
    /// Units in stock.
    pub in_stock: u32,
}

/// Units of a product, and what is in stock of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// The product's ID.
    pub product: String,
    /// Units that were asked for, taken out or given back.
    pub quantity: u32,
    /// Units in stock, right after the change where there was one.
    pub in_stock: u32,
}

/// The stock that was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Each of the order's products; empty if the placement had nothing reserved.
    #[serde(rename = "released")]
    pub items: Vec<Stock>,
    /// True if an earlier attempt of this same placement had done it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
}

/// What became of a request to reserve an order's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// The whole order is reserved.
    Reserved {
        /// One for each product, in the order's order, with the figures of the
        /// time it was reserved.
        items: Vec<Stock>,
        /// True if an earlier attempt of this same placement had done it.
        already: bool,
    },
    /// Another submission of this order holds a reservation. Nothing changed.
    Duplicate {
        /// When that one was reserved.
        placed_at: SystemTime,
        /// Which submission it was.
        submission: String,
        /// What that one reserved.
        items: Vec<Item>,
    },
    /// There is less in stock than ordered. Nothing changed.
    Short {
        /// The first product that is short.
        product: String,
        /// Units ordered of it.
        needed: u32,
        /// Units in stock of it.
        in_stock: u32,
    },
}

/// Proof of a charge, refund, shipment or recall; a retry gets the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// What the service calls it, e.g. `charge-000002`: the kind of effect and
    /// its number in the ledger.
    #[serde(rename = "confirmation")]
    pub number: String,
    /// True if an earlier attempt of this same placement had done it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
}

/// What the supplier delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Units delivered; 0 if there was no need.
    #[serde(rename = "delivered")]
    pub quantity: u32,
    /// Units in stock afterwards.
    pub in_stock: u32,
    /// The supplier's number for it; `None` if nothing was delivered.
    #[serde(flatten)]
    pub confirmation: Option<Confirmation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_placements_share_a_key() {
        let one = Placement::new("a/b", "c").key("charge");
        let other = Placement::new("a", "b/c").key("charge");
        assert_ne!(one, other);
        assert_ne!(
            Placement::new("a%2Fb", "c").key("charge"),
            Placement::new("a/b", "c").key("charge")
        );
        assert_eq!(unescape(&escape("a%2F/b%25")), "a%2F/b%25");
        assert_eq!(Placement::new("a", "b").key("ship/1"), "a/b/ship/1");
        assert_eq!(placement_of("adjusted/7"), None);
    }
}
