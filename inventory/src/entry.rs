//! A line of the ledger.

use std::{borrow::Cow, fmt, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::placement::placement_of;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Units were taken out of stock for an order.
    Reserved,
    /// The order was paid for. The stock stays as it is.
    Charged,
    /// An item was sent to the customer. The stock stays as it is, because the reservation lowered it
    /// already.
    Shipped,
    /// The supplier delivered.
    Restocked,
    /// A reservation was given back.
    Released,
    /// A charge was given back. The stock stays as it is.
    Refunded,
    /// A shipment was called back. The stock stays as it is until the release raises it.
    Recalled,
    /// An order was undone before it had an effect. From here on, it can have none.
    Closed,
    /// A person set the stock.
    Adjusted,
}

impl Change {
    /// Every kind of change.
    pub const ALL: [Self; 9] = [
        Self::Reserved,
        Self::Charged,
        Self::Shipped,
        Self::Restocked,
        Self::Released,
        Self::Refunded,
        Self::Recalled,
        Self::Closed,
        Self::Adjusted,
    ];

    /// Returns its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Charged => "charged",
            Self::Shipped => "shipped",
            Self::Restocked => "restocked",
            Self::Released => "released",
            Self::Refunded => "refunded",
            Self::Recalled => "recalled",
            Self::Closed => "closed",
            Self::Adjusted => "adjusted",
        }
    }

    /// Returns what a line of this kind adds to the stock, or `None` if it leaves the stock alone.
    pub(crate) fn effect_on_stock(self, quantity: i64) -> Option<i64> {
        match self {
            Self::Reserved => Some(-quantity),
            Self::Restocked | Self::Released | Self::Adjusted => Some(quantity),
            Self::Charged | Self::Shipped | Self::Refunded | Self::Recalled | Self::Closed => None,
        }
    }

    /// Whether it takes back what was done for an order.
    pub(crate) fn undoes(self) -> bool {
        matches!(
            self,
            Self::Released | Self::Refunded | Self::Recalled | Self::Closed
        )
    }

    /// The kind of confirmation that the service behind it gives.
    pub(crate) fn confirmation(self) -> Option<&'static str> {
        match self {
            Self::Charged => Some("charge"),
            Self::Shipped => Some("shipment"),
            Self::Restocked => Some("delivery"),
            Self::Refunded => Some("refund"),
            Self::Recalled => Some("recall"),
            Self::Reserved | Self::Released | Self::Closed | Self::Adjusted => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One effect on the outside world: one line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts the lines from 1. In files there are no gaps; in PostgreSQL there may be some.
    pub seq: u64,
    /// When it was recorded; whole seconds, UTC.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// The order it was done for. For a stock that a person set, it is what that person wrote.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// The product. For a charge of several products it is the first of them.
    #[serde(rename = "productID")]
    pub product_id: String,
    /// What happened.
    pub change: Change,
    /// Units, without a sign except where a person set the stock. A charge has those of the whole
    /// order.
    pub quantity: i64,
    /// Units of the product in stock afterwards, if the change is one of the stock.
    #[serde(rename = "inStock", default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<u32>,
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
    /// Whether the next line belongs to the same change, which counts as a whole or not at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether a person took the product out of the inventory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Entry {
    /// Returns the submission of the order that it was done for, or `None` if a person set the stock.
    pub fn submission(&self) -> Option<Cow<'_, str>> {
        placement_of(&self.key).map(|(_, submission)| submission)
    }

    /// Returns the units, 0 for a negative number. Only a stock that a person set has one.
    pub(crate) fn units(&self) -> u32 {
        u32::try_from(self.quantity).unwrap_or(0)
    }
}

mod rfc3339 {
    use std::{borrow::Cow, time::SystemTime};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        // A clock that is set before 1970 must not cost an order.
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
            in_stock: Some(1),
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
        for change in Change::ALL {
            let name = serde_json::to_string(&change).unwrap();
            assert_eq!(name, format!("\"{change}\""));
        }
    }
}
