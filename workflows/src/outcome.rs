//! What became of an order.

use activities::Confirmation;
use serde::{Deserialize, Serialize};

/// Whether the order was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderOutcome {
    /// Charged and shipped.
    Managed,
    /// An order of this ID was placed before; this submission changed nothing.
    Duplicate,
}

/// The result of `ProcessOrder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResult {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// What became of it.
    pub outcome: OrderOutcome,
    /// The outcome in a sentence.
    pub message: String,
    /// The payment service's confirmation; none for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The warehouse's confirmation; none for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<String>,
    /// Units in stock when the order was done with it; none for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<u32>,
}

impl OrderResult {
    pub(crate) fn managed(
        order_id: &str,
        charge: Confirmation,
        shipment: Confirmation,
        in_stock: u32,
    ) -> Self {
        Self {
            order_id: order_id.to_owned(),
            outcome: OrderOutcome::Managed,
            message: format!("{order_id} was charged and shipped"),
            charge: Some(charge.confirmation),
            shipment: Some(shipment.confirmation),
            in_stock: Some(in_stock),
        }
    }

    pub(crate) fn duplicate(order_id: &str, placed_at: &str) -> Self {
        Self {
            order_id: order_id.to_owned(),
            outcome: OrderOutcome::Duplicate,
            message: format!("{order_id} was placed before, at {placed_at}; nothing was changed"),
            charge: None,
            shipment: None,
            in_stock: None,
        }
    }
}
