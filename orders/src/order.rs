//! An order as it is submitted, and what makes one valid.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::item::{Item, merged};

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
    /// Names the order, e.g. `order-11235`; the same ID is the same order. Empty until
    /// [`Order::named`] names it, as in a recurring order, whose runs are orders of their own.
    #[serde(
        rename = "orderID",
        alias = "OrderID",
        default,
        skip_serializing_if = "String::is_empty"
    )]
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
    /// What else is ordered; the order is reserved as a whole or not at all.
    #[serde(rename = "moreItems", default, skip_serializing_if = "Vec::is_empty")]
    pub more_items: Vec<Item>,
    /// Whether each item's shipment is a workflow of its own.
    #[serde(
        rename = "shipApart",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub ship_apart: bool,
    /// Whether its fraud check is a part of the workflow's own task. That is faster, and what the
    /// server shows of the order has less of it.
    #[serde(
        rename = "localCheck",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub local_check: bool,
    /// Where it is delivered, e.g. `12 Main Street`; `None` leaves it to the warehouse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Seconds to wait, at most, for another delivery address before the order ships.
    #[serde(
        rename = "awaitAddressSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub await_address_seconds: Option<u64>,
    /// What a person has to approve of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRule>,
}

/// When an order needs a person's approval. It comes with the order, so that whoever runs it
/// decides the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// An order of more units than this needs it.
    pub above_quantity: u32,
    /// Seconds that the approval may take; then the order is rejected.
    pub within_seconds: u64,
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
    /// An order for `quantity` units of the product `item`, which asks for nothing else.
    pub fn new(
        order_id: impl Into<String>,
        item: impl Into<String>,
        quantity: u32,
        payment_info: impl Into<String>,
    ) -> Self {
        Self {
            order_id: order_id.into(),
            item: item.into(),
            quantity,
            payment_info: payment_info.into(),
            pause_seconds: None,
            more_items: Vec::new(),
            ship_apart: false,
            local_check: false,
            address: None,
            await_address_seconds: None,
            approval: None,
        }
    }

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
        if self
            .more_items
            .iter()
            .any(|it| it.product.trim().is_empty())
        {
            return invalid("moreItems", "an item names no product");
        }
        if self.more_items.iter().any(|it| it.quantity == 0) {
            return invalid("moreItems", "a quantity must be at least 1");
        }
        if self.address.as_deref().is_some_and(|it| !is_address(it)) {
            return invalid("address", ADDRESS_RULE);
        }
        Ok(())
    }

    /// The same order, under this ID where it has none of its own.
    pub fn named(mut self, order_id: &str) -> Self {
        if self.order_id.is_empty() {
            order_id.clone_into(&mut self.order_id);
        }
        self
    }

    /// Units of all items.
    pub fn units(&self) -> u64 {
        self.items()
            .iter()
            .map(|item| u64::from(item.quantity))
            .sum()
    }

    /// The approval that this order needs, if it needs one.
    pub fn needed_approval(&self) -> Option<ApprovalRule> {
        self.approval
            .filter(|rule| self.units() > rule.above_quantity.into())
    }

    /// How long to wait for another delivery address, if at all.
    pub fn await_address(&self) -> Option<Duration> {
        self.await_address_seconds.map(Duration::from_secs)
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

    /// What the order takes out of stock; one item for each product.
    pub fn items(&self) -> Vec<Item> {
        let first = Item::new(&self.item, self.quantity);
        let all: Vec<Item> = std::iter::once(first)
            .chain(self.more_items.iter().cloned())
            .collect();
        merged(&all)
    }
}

/// What [`is_address`] asks for, as a person is told.
pub const ADDRESS_RULE: &str = "an address starts with the house number, as in 12 Main Street";

/// Whether a text can be a delivery address: a house number, then the rest.
pub fn is_address(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let number = words
        .next()
        .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number && words.next().is_some()
}

impl fmt::Display for Order {
    /// What is ordered, in words: "999 units of product 123456".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.items().iter().map(ToString::to_string).collect();
        f.write_str(&items.join(", "))
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
        assert!(missing.starts_with("missing field `quantity`"), "{missing}");
        let nested = error(&ORDER.replace(
            '}',
            r#","moreItems":[{"product":"234567","quantity":"two"}]}"#,
        ));
        assert!(nested.starts_with("moreItems[0].quantity: "), "{nested}");
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
    fn what_else_is_ordered_is_checked_too() {
        let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
        order.more_items = vec![Item::new("234567", 0)];
        assert!(
            order
                .validate()
                .unwrap_err()
                .to_string()
                .contains("moreItems")
        );
        order.more_items = vec![Item::new("", 1)];
        assert!(
            order
                .validate()
                .unwrap_err()
                .to_string()
                .contains("moreItems")
        );
        order.more_items = vec![Item::new("234567", 1)];
        order.address = Some("Main Street".into());
        assert!(
            order
                .validate()
                .unwrap_err()
                .to_string()
                .contains("house number")
        );
        order.address = Some("12 Main Street".into());
        assert_eq!(order.validate(), Ok(()));
    }

    #[test]
    fn an_item_named_twice_is_one() {
        let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
        order.more_items = vec![Item::new("234567", 2), Item::new("123456", 1)];
        assert_eq!(
            order.items(),
            [Item::new("123456", 1000), Item::new("234567", 2)]
        );
        assert_eq!(order.units(), 1002);
        assert_eq!(
            order.to_string(),
            "1000 units of product 123456, 2 units of product 234567"
        );
    }

    #[test]
    fn an_address_starts_with_a_house_number() {
        for good in ["12 Main Street", "7b Low Road", " 1 A"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "12", "Main Street 12", "Main Street", "  "] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn approval_is_needed_above_the_quantity_that_the_order_gives() {
        let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
        assert_eq!(order.needed_approval(), None);
        let rule = |above_quantity| ApprovalRule {
            above_quantity,
            within_seconds: 60,
        };
        order.approval = Some(rule(999));
        assert_eq!(order.needed_approval(), None);
        order.approval = Some(rule(998));
        assert_eq!(order.needed_approval(), Some(rule(998)));
    }

    #[test]
    fn an_order_without_an_id_takes_the_one_it_is_given() {
        let nameless = ORDER.replace(r#""orderID":"order-1","#, "");
        let order = Order::from_json(nameless.as_bytes()).unwrap();
        assert!(order.validate().is_err());
        assert_eq!(order.named("order-9").order_id, "order-9");
        let order = Order::from_json(ORDER.as_bytes()).unwrap();
        assert_eq!(order.named("order-9").order_id, "order-1");
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
