//! An order as it is submitted, how it is read from JSON, and what makes it valid.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use thiserror::Error;

use crate::{
    address::{ADDRESS_RULE, is_address},
    approval::ApprovalRule,
    item::{Item, merged},
    json::{DecodeError, from_json},
    limits::{MAX_ADDRESS, MAX_ITEMS, MAX_ORDER_ID, MAX_PAYMENT_INFO, MAX_PRODUCT, MAX_WAIT},
};

/// The number of the one order that pauses without being asked to.
///
/// The Go demo pauses this order between two steps, so that a presenter has time to kill the worker.
pub const PAUSING_ORDER: &str = "37005";

/// How long [`PAUSING_ORDER`] pauses unless the order itself says otherwise.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(15);

/// An order as a customer submits it. It is the input of the workflow.
///
/// What may be said of an order in logs, traces and errors is decided here: what it is paid with and
/// where it goes may not. `Debug` hides both, `Display` names the items only, and no error quotes a
/// value. Types that take these fields over hide them too.
///
/// [`Order::new`] builds an order that asks for nothing special; every other field is set afterwards:
///
/// ```
/// use orders::{Item, Order};
///
/// let mut order = Order::new("order-11235", "123456", 2, "VISA-12345");
/// order.more_items = vec![Item::new("234567", 1)];
/// order.address = Some("12 Main Street".to_owned());
/// assert_eq!(order.validate(), Ok(()));
/// assert_eq!(order.to_string(), "2 units of product 123456, 1 unit of product 234567");
///
/// order.quantity = 0;
/// let error = order.validate().unwrap_err();
/// assert_eq!(error.to_string(), "quantity: must be at least 1");
/// ```
///
/// In JSON the fields are called `orderID`, `item`, `quantity`, `paymentInfo` and so on. The first
/// four and `pauseSeconds` may also be spelled as the Go demo spells them (`OrderID`, `Item`, ...), so
/// that its starter can drive this worker:
///
/// ```
/// use orders::Order;
///
/// let ours = r#"{"orderID":"order-1","item":"123456","quantity":2,"paymentInfo":"VISA-12345"}"#;
/// let gos = r#"{"OrderID":"order-1","Item":"123456","Quantity":2,"PaymentInfo":"VISA-12345"}"#;
/// let order = Order::from_json(ours.as_bytes())?;
/// assert_eq!(order, Order::from_json(gos.as_bytes())?);
/// assert_eq!(order, Order::new("order-1", "123456", 2, "VISA-12345"));
///
/// // An error names the field.
/// let error = Order::from_json(ours.replace("2,", "-2,").as_bytes()).unwrap_err();
/// assert!(error.to_string().starts_with("quantity: invalid value"));
/// # Ok::<(), orders::InvalidOrder>(())
/// ```
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Identifies the order, for example `order-11235`. Two orders with the same ID are the same order.
    ///
    /// It may be empty until [`Order::named`] fills it in: each run of a recurring order is an order of
    /// its own and gets its ID when it starts.
    #[serde(
        rename = "orderID",
        alias = "OrderID",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub order_id: String,
    /// The ID of the product that is ordered, for example `123456`.
    #[serde(alias = "Item")]
    pub item: String,
    /// How many units of it are ordered; at least 1.
    #[serde(alias = "Quantity")]
    pub quantity: u32,
    /// What the order is paid with, for example `VISA-12345`.
    #[serde(rename = "paymentInfo", alias = "PaymentInfo")]
    #[debug("***")]
    pub payment_info: String,
    /// How many seconds to pause before the shipment is prepared. With `None`, [`Order::pause`]
    /// decides.
    #[serde(
        rename = "pauseSeconds",
        alias = "PauseSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pause_seconds: Option<u64>,
    /// Further items of the same order. All items are reserved together or none is.
    #[serde(rename = "moreItems", default, skip_serializing_if = "Vec::is_empty")]
    pub more_items: Vec<Item>,
    /// Whether the items ship apart, each in a child workflow of its own.
    #[serde(
        rename = "shipApart",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub ship_apart: bool,
    /// Who ships the order. With `None`, the worker's own activities do.
    #[serde(rename = "shipBy", default, skip_serializing_if = "Option::is_none")]
    pub ship_by: Option<ShipBy>,
    /// Whether the fraud check runs as a local activity, within the workflow task. This is faster, but
    /// the order's history shows less of the check.
    #[serde(
        rename = "localCheck",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub local_check: bool,
    /// The delivery address, for example `12 Main Street`. With `None`, the warehouse decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[debug("***")]
    pub address: Option<String>,
    /// How many seconds to wait, at most, for a new delivery address before the order ships.
    #[serde(
        rename = "awaitAddressSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub await_address_seconds: Option<u64>,
    /// When the order needs a person's approval. With `None`, it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRule>,
}

/// Who ships an order other than the worker's own activities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShipBy {
    /// Another team's shipping service, which is called through Temporal Nexus.
    Nexus,
}

/// Why an order cannot be processed. Submitting the same order again fails in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidOrder {
    /// The content of a field breaks a rule.
    #[error("{field}: {problem}")]
    Field {
        /// The field's name in JSON.
        field: &'static str,
        /// What is wrong with the content, and what would be right.
        problem: &'static str,
    },
    /// A text is longer than its limit.
    #[error("{field}: longer than {most} characters")]
    TooLong {
        /// The field's name in JSON.
        field: &'static str,
        /// The limit, in characters.
        most: usize,
    },
    /// The order has more items than [`MAX_ITEMS`].
    #[error("moreItems: an order has at most {MAX_ITEMS} items, and this one has {items}")]
    TooManyItems {
        /// How many it has.
        items: usize,
    },
    /// A pause or a wait is longer than [`MAX_WAIT`].
    #[error("{field}: longer than {} seconds, which are four weeks", MAX_WAIT.as_secs())]
    TooLongAWait {
        /// The field's name in JSON.
        field: &'static str,
    },
    /// The text is not the JSON of an order. The message names the field at fault if there is one.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Order {
    /// Creates an order for `quantity` units of the product `item` that asks for nothing else.
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
            ship_by: None,
            local_check: false,
            address: None,
            await_address_seconds: None,
            approval: None,
        }
    }

    /// Reads an order from JSON.
    ///
    /// # Errors
    /// Returns [`InvalidOrder::Decode`] if a field is missing or of the wrong type, or if anything
    /// follows the order. The rules that [`Order::validate`] checks are not applied.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidOrder> {
        Ok(from_json(json)?)
    }

    /// Checks everything that can be checked without asking a service: [`Order::check_content`] and
    /// [`Order::check_limits`].
    ///
    /// Whether there is enough stock is left to the inventory, and whether the payment info is good to
    /// the fraud check.
    ///
    /// # Errors
    /// Returns an error for the first field that breaks a rule.
    pub fn validate(&self) -> Result<(), InvalidOrder> {
        self.check_content()?;
        self.check_limits()
    }

    /// Checks that the order says all that is needed to process it.
    ///
    /// # Errors
    /// Returns [`InvalidOrder::Field`] for the first field that breaks a rule: an empty order ID or
    /// product, a quantity of 0, an address that [`is_address`] rejects, or two ways to ship.
    pub fn check_content(&self) -> Result<(), InvalidOrder> {
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
        if self.ship_apart && self.ship_by.is_some() {
            return invalid(
                "shipBy",
                "the shipping service uses workflows of its own, so leave out shipApart",
            );
        }
        Ok(())
    }

    /// Checks that no field is longer than its limit, and that the payment info consists of
    /// characters that can be seen.
    ///
    /// A payment info is compared with those that are known to be bad. A letter of another alphabet
    /// that looks the same, or a space of no width, would let a bad one pass, so only the printable
    /// characters of ASCII are accepted. Card numbers, IBANs and tokens have no others.
    ///
    /// # Errors
    /// Returns an error for the first field that breaks a limit.
    pub fn check_limits(&self) -> Result<(), InvalidOrder> {
        within("orderID", &self.order_id, MAX_ORDER_ID)?;
        within("item", &self.item, MAX_PRODUCT)?;
        within("paymentInfo", &self.payment_info, MAX_PAYMENT_INFO)?;
        if !self
            .payment_info
            .chars()
            .all(|c| c.is_ascii_graphic() || c == ' ')
        {
            return Err(InvalidOrder::Field {
                field: "paymentInfo",
                problem: "contains a character that is not one of the printable ones of ASCII",
            });
        }
        let items = self.more_items.len() + 1;
        if items > MAX_ITEMS {
            return Err(InvalidOrder::TooManyItems { items });
        }
        for item in &self.more_items {
            within("moreItems", &item.product, MAX_PRODUCT)?;
        }
        if let Some(address) = &self.address {
            within("address", address, MAX_ADDRESS)?;
        }
        let approval = self.approval.map(|rule| rule.within_seconds);
        for (field, seconds) in [
            ("pauseSeconds", self.pause_seconds),
            ("awaitAddressSeconds", self.await_address_seconds),
            ("approval.withinSeconds", approval),
        ] {
            if seconds.is_some_and(|seconds| seconds > MAX_WAIT.as_secs()) {
                return Err(InvalidOrder::TooLongAWait { field });
            }
        }
        Ok(())
    }

    /// Returns the order with `order_id` as its ID, unless it already has one.
    pub fn named(mut self, order_id: &str) -> Self {
        if self.order_id.is_empty() {
            order_id.clone_into(&mut self.order_id);
        }
        self
    }

    /// Returns the number of units in the whole order.
    pub fn units(&self) -> u64 {
        self.items()
            .iter()
            .map(|item| u64::from(item.quantity))
            .sum()
    }

    /// Returns the approval rule if this order has one and is large enough to fall under it.
    pub fn needed_approval(&self) -> Option<ApprovalRule> {
        self.approval
            .filter(|rule| self.units() > rule.above_quantity.into())
    }

    /// Returns how long to wait for a new delivery address, if at all.
    pub fn await_address(&self) -> Option<Duration> {
        self.await_address_seconds.map(Duration::from_secs)
    }

    /// Returns how long to pause before the shipment is prepared, if at all.
    ///
    /// This is what the order asks for. If it says nothing, [`PAUSING_ORDER`] pauses for
    /// [`DEFAULT_PAUSE`] and every other order does not pause.
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

    /// Returns what the order takes out of stock, with one item for each product (see [`merged`]).
    pub fn items(&self) -> Vec<Item> {
        let first = Item::new(&self.item, self.quantity);
        let all: Vec<Item> = std::iter::once(first)
            .chain(self.more_items.iter().cloned())
            .collect();
        merged(&all)
    }
}

/// Returns whether the JSON of an order is spelled as the Go demo spells it.
///
/// ```
/// assert!(orders::is_spelled_as_in_go(br#"{"OrderID":"order-1","Item":"123456"}"#));
/// assert!(!orders::is_spelled_as_in_go(br#"{"orderID":"order-1","item":"123456"}"#));
/// ```
pub fn is_spelled_as_in_go(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct InGo {
        #[serde(rename = "Item")]
        _item: IgnoredAny,
    }
    from_json::<InGo>(json).is_ok()
}

/// Checks that a text is not longer than its limit, in characters.
///
/// # Errors
/// Returns [`InvalidOrder::TooLong`] with the field's name.
pub fn within(field: &'static str, text: &str, most: usize) -> Result<(), InvalidOrder> {
    if text.chars().count() > most {
        return Err(InvalidOrder::TooLong { field, most });
    }
    Ok(())
}

impl fmt::Display for Order {
    /// Writes what is ordered in words, as in "999 units of product 123456".
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
    fn neither_payment_nor_address_is_ever_printed() {
        let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
        order.address = Some("12 Main Street".to_owned());
        for text in [
            format!("{order:?}"),
            format!("{order:#?}"),
            order.to_string(),
        ] {
            assert!(!text.contains("VISA"), "{text}");
            assert!(!text.contains("Main Street"), "{text}");
        }
        let card = ORDER.replace("\"VISA-12345\"", "4111111111111111");
        let quoted = serde_json::to_string(ORDER).unwrap();
        let in_list = format!("[{ORDER}]");
        let misplaced = ORDER.replace("999", "\"VISA-12345\"");
        for json in [card, quoted, in_list, misplaced] {
            let error = Order::from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("4111"), "{error}");
            assert!(!error.contains("VISA"), "{error}");
        }
    }

    #[test]
    fn decoding_errors_name_the_field() {
        let error = |json: &str| Order::from_json(json.as_bytes()).unwrap_err().to_string();
        let wrong = error(&ORDER.replace("999", r#""abc""#));
        assert!(
            wrong.starts_with("quantity: invalid type: string, expected u32"),
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
        order.ship_by = Some(ShipBy::Nexus);
        assert_eq!(order.validate(), Ok(()));
        order.ship_apart = true;
        assert!(order.validate().unwrap_err().to_string().contains("shipBy"));
    }

    #[test]
    fn each_field_has_a_limit() {
        let text = |length| "1".repeat(length);
        let with = |change: &dyn Fn(&mut Order, usize)| {
            // At the limit, and one above it.
            [0, 1].map(|more| {
                let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
                change(&mut order, more);
                order.validate().map_err(|error| error.to_string())
            })
        };
        let wait = MAX_WAIT.as_secs();
        let seconds = |more: usize| wait + u64::try_from(more).unwrap();
        for (field, [at, above]) in [
            (
                "orderID",
                with(&|it, more| it.order_id = text(MAX_ORDER_ID + more)),
            ),
            ("item", with(&|it, more| it.item = text(MAX_PRODUCT + more))),
            (
                "paymentInfo",
                with(&|it, more| it.payment_info = text(MAX_PAYMENT_INFO + more)),
            ),
            (
                "address",
                with(&|it, more| it.address = Some(format!("1 {}", text(MAX_ADDRESS - 2 + more)))),
            ),
            (
                "moreItems",
                with(&|it, more| it.more_items = vec![Item::new(text(MAX_PRODUCT + more), 1)]),
            ),
            (
                "moreItems",
                with(&|it, more| it.more_items = vec![Item::new("1", 1); MAX_ITEMS - 1 + more]),
            ),
            (
                "pauseSeconds",
                with(&|it, more| it.pause_seconds = Some(seconds(more))),
            ),
            (
                "awaitAddressSeconds",
                with(&|it, more| it.await_address_seconds = Some(seconds(more))),
            ),
            (
                "approval.withinSeconds",
                with(&|it, more| {
                    it.approval = Some(ApprovalRule {
                        above_quantity: 1,
                        within_seconds: seconds(more),
                    });
                }),
            ),
        ] {
            assert_eq!(at, Ok(()), "{field}");
            let refused = above.expect_err(field);
            assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
        }
    }

    #[test]
    fn a_payment_info_with_characters_that_cannot_be_seen_is_refused() {
        for bad in [
            "VISA\u{200b}-000000",
            "VISA-000000\u{feff}",
            "VISA\t1",
            "VІSA-000000",
        ] {
            let mut order = Order::from_json(ORDER.as_bytes()).unwrap();
            order.payment_info = bad.into();
            let refused = order.validate().unwrap_err().to_string();
            assert!(refused.starts_with("paymentInfo: "), "{refused}");
            assert!(!refused.contains("000000"), "{refused}");
        }
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
