//! An order as it is submitted, and what makes one valid.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::placement::Item;

/// The order number that the Go demo pauses between two steps, so that a
/// presenter can kill the worker there.
pub const PAUSING_ORDER: &str = "37005";

/// How long [`PAUSING_ORDER`] pauses unless it says otherwise.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(15);

/// An order as a customer submits it: the input of the process.
///
/// Written as `orderID`, `item`, `quantity`, `paymentInfo`; the Go demo's
/// spelling (`OrderID`, `Item`, ...) is read as well, so that its starter can
/// drive this worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the order, e.g. `order-11235`; the same ID is the same order.
    #[serde(rename = "orderID", alias = "OrderID")]
    pub order_id: String,
    /// The product's ID, e.g. `123456`.
    #[serde(alias = "Item")]
    pub item: String,
    /// Units ordered, at least 1.
    #[serde(alias = "Quantity")]
    pub quantity: u32,
    /// What the order is paid with, e.g. `VISA-12345`.
    #[serde(rename = "paymentInfo", alias = "PaymentInfo")]
    pub payment_info: String,
    /// Seconds to wait before the shipment is prepared; `None` leaves it to
    /// [`Order::pause`].
    #[serde(
        rename = "pauseSeconds",
        alias = "PauseSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pause_seconds: Option<u64>,
}

/// Why an order cannot be processed. Sending the same one again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidOrder {
    /// A field's content breaks a rule.
    #[error("{field}: {problem}")]
    Field {
        /// The field as it is written in JSON.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The text is not an order; the message names the field where there is
    /// one.
    #[error("{0}")]
    Decode(String),
}

impl Order {
    /// Reads an order from JSON.
    ///
    /// # Errors
    /// [`InvalidOrder::Decode`] names the field that is of the wrong type or
    /// missing. The rules of [`Order::validate`] are not applied.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidOrder> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let order = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            InvalidOrder::Decode(match path.as_str() {
                "." => inner.to_string(),
                field => format!("{field}: {inner}"),
            })
        })?;
        deserializer
            .end()
            .map_err(|error| InvalidOrder::Decode(error.to_string()))?;
        Ok(order)
    }

    /// Checks what no service needs to be asked for.
    ///
    /// # Errors
    /// Names the first field that breaks a rule: an empty order ID or item, or
    /// a quantity of 0. Payment info is left to the fraud check.
    pub fn validate(&self) -> Result<(), InvalidOrder> {
        let invalid = |field, problem| Err(InvalidOrder::Field { field, problem });
        if self.order_id.trim().is_empty() {
            return invalid("orderID", "empty; give the order an ID such as order-11235");
        }
        if self.item.trim().is_empty() {
            return invalid("item", "empty; name a product such as 123456");
        }
        if self.quantity == 0 {
            return invalid("quantity", "must be at least 1");
        }
        Ok(())
    }

    /// How long to wait before the shipment is prepared: what the order asks
    /// for, else [`DEFAULT_PAUSE`] for [`PAUSING_ORDER`], else nothing.
    pub fn pause(&self) -> Option<Duration> {
        let number = self
            .order_id
            .strip_prefix("order-")
            .unwrap_or(&self.order_id);
        match self.pause_seconds {
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => (number == PAUSING_ORDER).then_some(DEFAULT_PAUSE),
        }
    }

    /// What the order takes out of stock.
    pub fn items(&self) -> Vec<Item> {
        vec![Item::new(&self.item, self.quantity)]
    }
}

impl fmt::Display for Order {
    /// What is ordered, in words: "999 units of product 123456".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = if self.quantity == 1 { "unit" } else { "units" };
        write!(f, "{} {units} of product {}", self.quantity, self.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str =
        r#"{"orderID":"order-1","item":"123456","quantity":999,"paymentInfo":"VISA-12345"}"#;

    #[test]
    fn reads_both_spellings_and_writes_its_own() {
        let order = Order::from_json(ORDER.as_bytes()).unwrap();
        let go =
            br#"{"OrderID":"order-1","Item":"123456","Quantity":999,"PaymentInfo":"VISA-12345"}"#;
        assert_eq!(order, Order::from_json(go).unwrap());
        assert_eq!(serde_json::to_string(&order).unwrap(), ORDER);
    }

    #[test]
    fn decoding_errors_name_the_field() {
        let error = |json: &str| Order::from_json(json.as_bytes()).unwrap_err().to_string();
        let wrong = error(&ORDER.replace("999", r#""abc""#));
        assert!(
            wrong.starts_with(r#"quantity: invalid type: string "abc", expected u32"#),
            "{wrong}"
        );
        let negative = error(&ORDER.replace("999", "-1"));
        assert!(
            negative.starts_with("quantity: invalid value"),
            "{negative}"
        );
        let missing = error(r#"{"item":"123456"}"#);
        assert!(missing.starts_with("missing field `orderID`"), "{missing}");
        assert!(!error("[]").is_empty());
        assert!(!error(&format!("{ORDER} x")).is_empty());
    }

    #[test]
    fn validation_names_the_field() {
        let order = Order::from_json(ORDER.as_bytes()).unwrap();
        assert_eq!(order.validate(), Ok(()));
        let mut wrong = order.clone();
        wrong.quantity = 0;
        assert_eq!(
            wrong.validate().unwrap_err().to_string(),
            "quantity: must be at least 1"
        );
        wrong.item = " ".into();
        assert!(
            wrong
                .validate()
                .unwrap_err()
                .to_string()
                .starts_with("item: empty")
        );
        wrong.order_id = String::new();
        assert!(
            wrong
                .validate()
                .unwrap_err()
                .to_string()
                .starts_with("orderID: empty")
        );
    }

    #[test]
    fn only_the_pausing_order_pauses_unasked() {
        let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
        assert_eq!(order.pause(), None);
        order.order_id = "order-37005".into();
        assert_eq!(order.pause(), Some(DEFAULT_PAUSE));
        order.order_id = "37005".into();
        assert_eq!(order.pause(), Some(DEFAULT_PAUSE));
        order.pause_seconds = Some(2);
        assert_eq!(order.pause(), Some(Duration::from_secs(2)));
        order.pause_seconds = Some(0);
        assert_eq!(order.pause(), None);
    }
}
