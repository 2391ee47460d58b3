//! What an audit found.

use serde::Serialize;
use thiserror::Error;

use crate::entry::Change;

/// What the ledger and the inventory file tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Lines in the ledger.
    pub lines: u64,
    /// Every order the ledger tells of, in the order of their first lines.
    pub orders: Vec<OrderAudit>,
    /// Every product, with its sums.
    pub products: Vec<ProductAudit>,
    /// What does not add up; empty if all is well.
    pub findings: Vec<Finding>,
    /// What the next change will put right by itself, as after a crash.
    pub pending: Option<Pending>,
}

impl Audit {
    /// Whether everything adds up.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many orders stand so.
    pub fn count(&self, standing: Standing) -> usize {
        let orders = self.orders.iter();
        orders.filter(|order| order.standing() == standing).count()
    }

    /// One order.
    pub fn order(&self, order_id: &str) -> Option<&OrderAudit> {
        self.orders.iter().find(|order| order.order_id == order_id)
    }
}

/// What happened for one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAudit {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// Every submission of it that had an effect.
    pub submissions: Vec<SubmissionAudit>,
}

impl OrderAudit {
    /// How the order stands: as the submission that got furthest.
    pub fn standing(&self) -> Standing {
        let standings = self.submissions.iter().map(|it| it.standing);
        standings.max().unwrap_or(Standing::Undone)
    }
}

/// How many lines of each kind there are for one submission of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmissionAudit {
    /// Which submission.
    pub submission: String,
    /// How it stands.
    pub standing: Standing,
    /// Units reserved, of all products.
    pub units: i64,
    /// Products reserved.
    pub reserved: u32,
    /// Charges.
    pub charged: u32,
    /// Shipments.
    pub shipped: u32,
    /// The supplier's deliveries.
    pub restocked: u32,
    /// Reservations given back.
    pub released: u32,
    /// Charges given back.
    pub refunded: u32,
    /// Shipments called back.
    pub recalled: u32,
    /// 1 if it was undone before something had happened, which cannot happen any more.
    pub closed: u32,
}

/// How an order stands, by its lines alone; from the least to the most done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// All that was done was undone, or nothing was done but a delivery.
    Undone,
    /// Something is left to do, or to undo.
    UnderWay,
    /// Reserved, charged once and shipped as a whole, and none of it undone.
    Completed,
}

impl Standing {
    pub(crate) fn of(audit: &SubmissionAudit) -> Self {
        let undone = audit.released == audit.reserved
            && audit.refunded == audit.charged
            && audit.recalled == audit.shipped;
        let begun_to_undo = audit.released + audit.refunded + audit.recalled > 0;
        if undone {
            Self::Undone
        } else if audit.charged == 1 && audit.shipped == audit.reserved && !begun_to_undo {
            Self::Completed
        } else {
            Self::UnderWay
        }
    }
}

/// The sums of one product, in units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProductAudit {
    /// The product's ID.
    pub product: String,
    /// In stock before the first line.
    pub opening: i64,
    /// Delivered by the supplier.
    pub delivered: i64,
    /// Taken out for orders.
    pub reserved: i64,
    /// Given back by orders.
    pub released: i64,
    /// Added, or taken away, by people who set the stock.
    pub adjusted: i64,
    /// Opening + delivered - reserved + released + adjusted.
    pub expected: i64,
    /// In stock by the inventory file or the table of stock; `None` if it does not list the product.
    pub found: Option<u32>,
    /// Whether the product was not taken out.
    #[serde(skip)]
    pub(crate) exists: bool,
}

/// Something unfinished that is no fault: the next change sees to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Pending {
    /// The ledger's last line was being written when a crash came.
    HalfLine,
    /// The inventory file lacks the ledger's last changes: a crash came
    /// between the two.
    FileBehind,
    /// Somebody edited the inventory file; the ledger has not been told yet.
    EditedByHand,
}

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Finding {
    /// An entry that does not follow from those before it.
    #[error("ledger, entry {seq}: {problem}")]
    WrongEntry {
        /// The entry's number.
        seq: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A file cannot be read, or has lost what it had.
    #[error("{problem}")]
    Damaged {
        /// Where, what, and what to do.
        problem: String,
    },
    /// Two entries for one effect.
    #[error("ledger, entry {seq}: key {key:?} has an entry already")]
    KeyTwice {
        /// The second of them.
        seq: u64,
        /// The idempotency key.
        key: String,
    },
    /// One order reserved by two submissions at once.
    #[error("order {order_id}: reserved by submission {second} while {first} held it")]
    ReservedTwice {
        /// The order's ID.
        order_id: String,
        /// Who held it.
        first: String,
        /// Who reserved it again.
        second: String,
    },
    /// More, or less, than the order's earlier steps account for.
    #[error(
        "order {order_id}, submission {submission}: {found} units {change}{}, expected {expected}",
        product.as_ref().map(|id| format!(" of product {id}")).unwrap_or_default()
    )]
    WrongUnits {
        /// The order's ID.
        order_id: String,
        /// Which submission of it.
        submission: String,
        /// Which step.
        change: Change,
        /// The product; `None` for what concerns the whole order.
        product: Option<String>,
        /// Units that the earlier steps account for.
        expected: i64,
        /// Units in the ledger.
        found: i64,
    },
    /// The inventory file does not hold what the ledger adds up to.
    #[error(
        "product {product}: expected {expected} in stock, found {}",
        found.map_or_else(|| "no record".to_owned(), |found| found.to_string())
    )]
    StockDiffers {
        /// The product's ID.
        product: String,
        /// By the ledger.
        expected: i64,
        /// By the inventory file.
        found: Option<u32>,
    },
}
