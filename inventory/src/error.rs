//! What can go wrong, said so that a reader knows what to do next.

use std::{
    io,
    path::{Path, PathBuf},
};

use orders::InvalidOrder;
use thiserror::Error;

use crate::entry::Change;

/// Why the inventory did not do what it was asked for.
///
/// The change may have been made all the same if a store failed halfway ([`Self::Io`],
/// [`Self::Database`]): the answer was lost, and a retry finds the effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// A file could not be read or written: disk full, folder read-only.
    #[error("cannot {action} {}: {source}; make the path accessible and try again", path.display())]
    Io {
        /// What was attempted, as in "cannot ...".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what this program or a careful hand would have written.
    #[error(
        "{}{}: {problem}; {remedy} and try again",
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
    #[error("unknown product {product:?}{}", listed(known))]
    UnknownProduct {
        /// What was asked for.
        product: String,
        /// Products that the inventory has, the first few.
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
        quantity: u32,
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
    /// An effect for a submission that has been undone.
    #[error(
        "order {order_id} cannot be {effect}: this submission of it has been undone ({by}); \
         place the order again"
    )]
    Undone {
        /// The order's ID.
        order_id: String,
        /// "reserved", "charged" or "shipped".
        effect: &'static str,
        /// The first entry that undid something.
        by: Change,
    },
    /// The order was begun in another inventory.
    #[error(
        "{order_id} belongs to the inventory of {theirs}; this worker uses {ours}, and leaves the step to \
         the others"
    )]
    OtherInventory {
        /// The order's ID.
        order_id: String,
        /// Where the order belongs.
        theirs: String,
        /// What was asked.
        ours: String,
    },
    /// There is no inventory at the location. It is created with its first change.
    #[error(
        "there is no inventory at {location} yet: a worker makes it once it has reached a server, and --database names \
         another"
    )]
    Missing {
        /// Where it would be.
        location: String,
    },
    /// The location is neither a path nor a database's address.
    #[error("{location}: {problem}")]
    Location {
        /// As it was given, without its password.
        location: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The database refused, or could not be reached.
    #[error("cannot {action} the inventory at {location}: {reason}")]
    Database {
        /// What was attempted, as in "cannot ...".
        action: &'static str,
        /// The database, without its password.
        location: String,
        /// The database's reason, without the user's data.
        reason: String,
    },
    /// The thread that made the change panicked, or the program is about to end.
    #[error("the thread that changes the inventory stopped unexpectedly; try again")]
    Interrupted,
}

impl InventoryError {
    /// Whether trying the same again cannot help, because the order itself is at fault. Files and
    /// databases can be repaired, so trouble with them is never permanent.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::UnknownProduct { .. }
            | Self::OverCapacity { .. }
            | Self::InvalidOrder { .. }
            | Self::Changed { .. }
            | Self::NotReserved { .. }
            | Self::Undone { .. } => true,
            Self::Io { .. }
            | Self::Damaged { .. }
            | Self::OtherInventory { .. }
            | Self::Missing { .. }
            | Self::Location { .. }
            | Self::Database { .. }
            | Self::Interrupted => false,
        }
    }

    /// For `map_err`: the action that failed on the path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        String::new()
    } else {
        format!("; known products: {}", known.join(", "))
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
