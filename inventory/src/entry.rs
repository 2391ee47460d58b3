//! A line of the ledger.

use std::{borrow::Cow, fmt, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::placement::unescape;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Taken out of stock for an order.
    Reserved,
    /// Paid for; leaves the stock as it is.
    Charged,
    /// Sent to the customer; leaves the stock as it is, which the reservation
    /// had lowered already.
    Shipped,
    /// Delivered by the supplier.
    Restocked,
    /// A reservation given back.
    Released,
    /// A charge given back; leaves the stock as it is.
    Refunded,
    /// A shipment called back; leaves the stock as it is, which the release
    /// raises.
    Recalled,
    /// Somebody edited the inventory file.
    Adjusted,
}

impl Change {
    /// As it is written in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Charged => "charged",
            Self::Shipped => "shipped",
            Self::Restocked => "restocked",
            Self::Released => "released",
            Self::Refunded => "refunded",
            Self::Recalled => "recalled",
            Self::Adjusted => "adjusted",
        }
    }

    /// What a line of this kind and `quantity` adds to the stock.
    pub(crate) fn effect_on_stock(self, quantity: i64) -> i64 {
        match self {
            Self::Reserved => -quantity,
            Self::Restocked | Self::Released | Self::Adjusted => quantity,
            Self::Charged | Self::Shipped | Self::Refunded | Self::Recalled => 0,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One effect on the outside world: one line of `ledger.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts the lines from 1, without gaps.
    pub seq: u64,
    /// When it was recorded; whole seconds, UTC.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// The order it was done for; for an edit by hand, the one the edited file
    /// names.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// The product; for a charge of several, the first of them.
    #[serde(rename = "productID")]
    pub product_id: String,
    /// What happened.
    pub change: Change,
    /// Units, without sign but for an edit by hand; a charge's are those of the
    /// whole order.
    pub quantity: i64,
    /// Units of the product in stock afterwards.
    #[serde(rename = "inStock")]
    pub in_stock: u32,
    /// The idempotency key: no two lines have the same.
    pub key: String,
    /// What the service calls it, e.g. `charge-000002`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// What was charged, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Where a shipment went, if the order named a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether the next line belongs to the same change, which counts as a
    /// whole or not at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether an edit by hand took the product out of the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Entry {
    /// Which submission of the order it was done for; `None` for an edit by
    /// hand.
    pub fn submission(&self) -> Option<String> {
        submission_of(&self.key)
    }

    pub(crate) fn as_line(&self) -> Line<'_> {
        Line {
            seq: self.seq,
            order_id: Cow::Borrowed(&self.order_id),
            product_id: Cow::Borrowed(&self.product_id),
            change: self.change,
            quantity: self.quantity,
            in_stock: self.in_stock,
            key: Cow::Borrowed(&self.key),
            more: self.more,
            removed: self.removed,
        }
    }
}

/// The submission in an idempotency key.
pub(crate) fn submission_of(key: &str) -> Option<String> {
    placement_of(key).map(|(_, submission)| submission.into_owned())
}

/// The order's ID and the submission in an idempotency key; an edit by hand has
/// none.
pub(crate) fn placement_of(key: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let mut parts = key.splitn(3, '/');
    let (order_id, submission) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some((unescape(order_id), unescape(submission)))
}

/// What reading a whole ledger needs of a line, borrowed from its text: a
/// million lines are read without a million allocations.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line<'a> {
    pub seq: u64,
    #[serde(rename = "orderID", borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(rename = "productID", borrow)]
    pub product_id: Cow<'a, str>,
    pub change: Change,
    pub quantity: i64,
    #[serde(rename = "inStock")]
    pub in_stock: u32,
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    #[serde(default)]
    pub more: bool,
    #[serde(default)]
    pub removed: bool,
}

mod rfc3339 {
    use std::{borrow::Cow, time::SystemTime};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        // A clock set before 1970 must not cost an order.
        let at = (*at).max(SystemTime::UNIX_EPOCH);
        serializer.collect_str(&humantime::format_rfc3339_seconds(at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_reads_as_specified() {
        let entry = Entry {
            seq: 1,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_330_800),
            order_id: "order-11235".into(),
            product_id: "123456".into(),
            change: Change::Reserved,
            quantity: 999,
            in_stock: 1,
            key: "order-11235/run/reserve/123456".into(),
            confirmation: None,
            payment: None,
            address: None,
            more: false,
            removed: false,
        };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            text,
            r#"{"seq":1,"at":"2026-11-22T07:00:00Z","orderID":"order-11235","productID":"123456","change":"reserved","quantity":999,"inStock":1,"key":"order-11235/run/reserve/123456"}"#
        );
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        assert_eq!(entry.submission().as_deref(), Some("run"));
        assert_eq!(submission_of("adjusted/7"), None);
    }
}
