//! What can go wrong, said so that a reader knows what to do next.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use orders::InvalidOrder;
use thiserror::Error;

/// Why the inventory did not do what it was asked for.
///
/// Nothing was changed in any of these cases. Cheap to clone, since several
/// callers may have waited for the one write that failed.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// A file could not be read or written: disk full, folder read-only.
    #[error(
        "cannot {action} {}: {reason}; nothing was changed, make the path accessible and try again",
        path.display()
    )]
    Io {
        /// What was attempted, as in "cannot ...".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: Arc<io::Error>,
    },
    /// A file is not what this program or a careful hand would have written.
    #[error(
        "{}{}: {problem}; nothing was changed, {remedy} and try again",
        path.display(),
        position(*line, *column)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where it can be told.
        line: Option<u64>,
        /// The column, counted from 1, where it can be told.
        column: Option<usize>,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The inventory has no such product.
    #[error("unknown product {product:?}; known products: {}", known.join(", "))]
    UnknownProduct {
        /// What was asked for.
        product: String,
        /// The products that the inventory has.
        known: Vec<String>,
    },
    /// More units than the warehouse can ever hold of one product.
    #[error(
        "{quantity} units of product {product} are more than the capacity of {capacity}; \
         order {capacity} or fewer"
    )]
    OverCapacity {
        /// The product's ID.
        product: String,
        /// Units asked for.
        quantity: u64,
        /// [`CAPACITY`](crate::CAPACITY).
        capacity: u32,
    },
    /// The order breaks a rule.
    #[error("order {order_id}: {source}")]
    InvalidOrder {
        /// The order's ID.
        order_id: String,
        /// Which rule.
        source: InvalidOrder,
    },
    /// A step came again with other content than the first time.
    #[error(
        "order {order_id}: this submission was reserved before with other items; \
         submit the changed order as a new one"
    )]
    Changed {
        /// The order's ID.
        order_id: String,
    },
    /// A charge or shipment of what this placement does not hold.
    #[error("order {order_id} cannot be {effect}: {problem}; reserve its items first")]
    NotReserved {
        /// The order's ID.
        order_id: String,
        /// "charged" or "shipped".
        effect: &'static str,
        /// What is missing.
        problem: String,
    },
    /// A stock that does not fit the file's number.
    #[error(
        "product {product}: {quantity} units more than the {in_stock} in stock are too many to record; \
         lower inStock in the inventory file"
    )]
    Overfull {
        /// The product's ID.
        product: String,
        /// Units in stock.
        in_stock: u32,
        /// Units to be added.
        quantity: u32,
    },
    /// The thread that wrote on behalf of others panicked.
    #[error("the thread that writes to the inventory stopped unexpectedly; try again")]
    Interrupted,
}

impl InventoryError {
    /// Whether trying the same again cannot help: the order itself is at
    /// fault. Files can be repaired, so trouble with them is never permanent.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::UnknownProduct { .. }
            | Self::OverCapacity { .. }
            | Self::InvalidOrder { .. }
            | Self::Changed { .. }
            | Self::NotReserved { .. } => true,
            Self::Io { .. } | Self::Damaged { .. } | Self::Overfull { .. } | Self::Interrupted => {
                false
            }
        }
    }

    /// For `map_err`: the action that failed on the path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            reason: Arc::new(source),
        }
    }
}

fn position(line: Option<u64>, column: Option<usize>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(", line {line}, column {column}"),
        (Some(line), None) => format!(", line {line}"),
        _ => String::new(),
    }
}

/// serde_json puts the position at the end of its message, where ours stands in
/// front.
pub(crate) fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}
