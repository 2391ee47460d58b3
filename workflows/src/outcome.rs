//! The result of an order.

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

/// The result of `ProcessOrder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResult {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// How it ended.
    pub outcome: OrderOutcome,
    /// The outcome in a sentence.
    pub message: String,
    /// The payment service's confirmation, if it was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// One shipment for each item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// The delivery address, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl OrderResult {
    pub(crate) fn managed(
        order_id: &str,
        charge: String,
        shipments: Vec<Shipment>,
        address: Option<String>,
    ) -> Self {
        let to = address
            .as_ref()
            .map(|address| format!(" to {address}"))
            .unwrap_or_default();
        Self {
            charge: Some(charge),
            shipments,
            address,
            ..Self::of(
                order_id,
                OrderOutcome::Managed,
                format!("{order_id} was charged and shipped{to}"),
            )
        }
    }

    pub(crate) fn duplicate(order_id: &str, placed_at: &str) -> Self {
        let message = format!("{order_id} was placed before, at {placed_at}; nothing was changed");
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
