//! What the activities are given, and what they answer.

use inventory::{Order, Placement};
use serde::{Deserialize, Serialize};

/// One order, as one submission of it: what an activity needs to find its own effect again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderTask {
    /// The order as it was placed.
    #[serde(flatten)]
    pub order: Order,
    /// Which submission of the order this is: the ID of the workflow's first run. It stays the
    /// same when the workflow is reset, so a reset order is not charged again.
    pub submission: String,
}

impl OrderTask {
    /// The key under which the order's effects are recorded.
    pub fn placement(&self) -> Placement {
        Placement::new(&self.order.order_id, &self.submission)
    }
}

/// What the supplier is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restocking {
    /// The order on whose account the supplier is asked.
    #[serde(flatten)]
    pub task: OrderTask,
    /// Which request of this order it is, counted from 1.
    pub round: u32,
    /// Units that must be on the shelf, 0 where only the minimum counts.
    pub needed: u32,
}

/// What an activity is run for, whatever its input is.
pub trait ForOrder {
    /// The order's ID.
    fn order_id(&self) -> &str;
}

impl ForOrder for OrderTask {
    fn order_id(&self) -> &str {
        &self.order.order_id
    }
}

impl ForOrder for Restocking {
    fn order_id(&self) -> &str {
        self.task.order_id()
    }
}

/// What became of the attempt to reserve an order's stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Preparation {
    /// The units are set aside for this order.
    Reserved {
        /// Units set aside.
        reserved: u32,
        /// Units left after the reservation.
        in_stock: u32,
    },
    /// An order of this ID was placed before; nothing was changed.
    Duplicate {
        /// When it was placed, RFC 3339.
        placed_at: String,
    },
    /// There are too few units; nothing was changed.
    OutOfStock {
        /// Units there are.
        in_stock: u32,
    },
}

/// A service's word that it did what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// The service's number for it, the same however often it is asked.
    pub confirmation: String,
}

/// What the supplier delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupplierDelivery {
    /// Units delivered, 0 where there was enough.
    pub delivered: u32,
    /// Units in stock afterwards.
    pub in_stock: u32,
}
