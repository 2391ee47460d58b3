//! The result of an order.

use std::fmt;

use orders::Item;
use serde::{Deserialize, Serialize};

use crate::status::OrderStatus;

/// How an order that completed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderOutcome {
    /// Charged and shipped.
    Managed,
    /// An order with this ID was placed before; this submission changed nothing.
    Duplicate,
    /// The order needed approval and did not get it; nothing was changed.
    Rejected,
}

impl From<OrderOutcome> for OrderStatus {
    fn from(outcome: OrderOutcome) -> Self {
        match outcome {
            OrderOutcome::Managed => Self::Completed,
            OrderOutcome::Duplicate => Self::Duplicate,
            OrderOutcome::Rejected => Self::Rejected,
        }
    }
}

/// One item of an order that has shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// The product's ID.
    pub product: String,
    /// How many units.
    pub quantity: u32,
    /// The courier's confirmation.
    pub confirmation: String,
    /// Units of the product in stock after the order's last step.
    pub in_stock: u32,
}

/// The result of `ProcessOrder`. `Debug` and `Display` leave the delivery address out.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResult {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// How it ended.
    pub outcome: OrderOutcome,
    /// The outcome in a sentence, with the delivery address.
    #[debug("***")]
    pub message: String,
    /// The payment service's confirmation, if it was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// One shipment for each item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// The delivery address, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[debug("***")]
    pub address: Option<String>,
}

/// What `ProcessOrder` returns. The Go demo's starter expects one of two texts, so an order in its
/// spelling gets one, if there is one for how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// All that there is to say.
    InFull(OrderResult),
    /// What the Go demo says.
    InGo(GoAnswer),
}

/// The Go demo's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GoAnswer {
    /// The order was charged and shipped.
    #[serde(rename = "Order Managed")]
    Managed,
    /// An order with this ID was placed before.
    #[serde(rename = "Duplicate order")]
    Duplicate,
}

impl Answer {
    pub(crate) fn to(in_go: bool, result: OrderResult) -> Self {
        match result.outcome {
            OrderOutcome::Managed if in_go => Self::InGo(GoAnswer::Managed),
            OrderOutcome::Duplicate if in_go => Self::InGo(GoAnswer::Duplicate),
            _ => Self::InFull(result),
        }
    }

    /// Returns how the order ended.
    pub fn outcome(&self) -> OrderOutcome {
        match self {
            Self::InFull(result) => result.outcome,
            Self::InGo(GoAnswer::Managed) => OrderOutcome::Managed,
            Self::InGo(GoAnswer::Duplicate) => OrderOutcome::Duplicate,
        }
    }

    /// Returns the result of the order with this ID. In the Go demo's answer there is nothing but how it
    /// ended.
    pub fn into_result(self, order_id: &str) -> OrderResult {
        let outcome = self.outcome();
        match self {
            Self::InFull(result) => result,
            Self::InGo(_) => {
                let ended = match outcome {
                    OrderOutcome::Duplicate => "was placed before; nothing was changed",
                    _ => "was charged and shipped",
                };
                OrderResult::of(order_id, outcome, format!("{order_id} {ended}"))
            }
        }
    }
}

impl fmt::Display for OrderResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            OrderOutcome::Managed => write!(f, "{} was charged and shipped", self.order_id),
            OrderOutcome::Duplicate | OrderOutcome::Rejected => f.write_str(&self.message),
        }
    }
}

impl OrderResult {
    pub(crate) fn managed(
        order_id: &str,
        charge: String,
        shipments: Vec<Shipment>,
        address: Option<String>,
    ) -> Self {
        let mut result = Self {
            charge: Some(charge),
            shipments,
            ..Self::of(order_id, OrderOutcome::Managed, String::new())
        };
        result.message = match &address {
            Some(address) => format!("{result} to {address}"),
            None => result.to_string(),
        };
        result.address = address;
        result
    }

    /// `others` are the items of the first order, if they are not those of this one.
    pub(crate) fn duplicate(order_id: &str, placed_at: &str, others: &[Item]) -> Self {
        let mut message =
            format!("{order_id} was placed before, at {placed_at}; nothing was changed");
        if !others.is_empty() {
            let others: Vec<_> = others.iter().map(Item::to_string).collect();
            message += &format!(". It was for {}, and that counts", others.join(", "));
        }
        Self::of(order_id, OrderOutcome::Duplicate, message)
    }

    pub(crate) fn rejected(order_id: &str, reason: &str) -> Self {
        let message = format!("{order_id} was not approved: {reason}; nothing was changed");
        Self::of(order_id, OrderOutcome::Rejected, message)
    }

    fn of(order_id: &str, outcome: OrderOutcome, message: String) -> Self {
        Self {
            order_id: order_id.to_owned(),
            outcome,
            message,
            charge: None,
            shipments: Vec::new(),
            address: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_in_gos_spelling_gets_gos_answer_if_there_is_one() {
        let said = |result| serde_json::to_string(&Answer::to(true, result)).unwrap();
        let managed = OrderResult::managed("order-1", "charge-1".to_owned(), Vec::new(), None);
        assert_eq!(said(managed.clone()), r#""Order Managed""#);
        let duplicate = OrderResult::duplicate("order-1", "noon", &[]);
        assert_eq!(said(duplicate), r#""Duplicate order""#);
        let rejected = OrderResult::rejected("order-1", "too much");
        assert!(said(rejected).contains("not approved"));

        for in_go in [false, true] {
            let json = serde_json::to_string(&Answer::to(in_go, managed.clone())).unwrap();
            let answer: Answer = serde_json::from_str(&json).unwrap();
            assert_eq!(answer, Answer::to(in_go, managed.clone()));
            assert_eq!(answer.into_result("order-1").message, managed.message);
        }
    }

    #[test]
    fn a_duplicate_tells_what_the_first_order_was_for_if_that_differs() {
        let said = |others: &[Item]| OrderResult::duplicate("order-1", "noon", others).message;
        let same = "order-1 was placed before, at noon; nothing was changed";
        assert_eq!(said(&[]), same);
        let others = [Item::new("123456", 1), Item::new("234567", 20)];
        assert_eq!(
            said(&others),
            format!(
                "{same}. It was for 1 unit of product 123456, 20 units of product 234567, and that counts"
            )
        );
    }

    #[test]
    fn the_address_is_in_the_message_and_nowhere_else() {
        let address = Some("12 Main Street".to_owned());
        let result = OrderResult::managed("order-1", "charge-1".to_owned(), Vec::new(), address);
        assert_eq!(
            result.message,
            "order-1 was charged and shipped to 12 Main Street"
        );
        assert_eq!(result.to_string(), "order-1 was charged and shipped");
        assert!(!format!("{result:?}").contains("Main Street"), "{result:?}");
    }
}
