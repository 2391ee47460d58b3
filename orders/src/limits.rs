//! The upper limit of everything that an order can say.
//!
//! Lengths are counted in characters. One character takes up to four bytes in UTF-8, which is what
//! Temporal's own limits count.

use std::time::Duration;

/// The longest order ID, in characters.
///
/// The ID is also the workflow's, and a part of the IDs of its child workflows. Temporal accepts
/// workflow IDs of 1,000 bytes, so an order ID and a product of this length still fit into one.
pub const MAX_ORDER_ID: usize = 100;

/// The longest product ID, in characters. See [`MAX_ORDER_ID`].
pub const MAX_PRODUCT: usize = 100;

/// The longest payment info, in characters. An IBAN has at most 34, and the tokens of payment
/// services stay below this length.
pub const MAX_PAYMENT_INFO: usize = 100;

/// The longest delivery address, in characters: more than a parcel's label holds.
pub const MAX_ADDRESS: usize = 200;

/// The longest reason for a rejection or a cancellation, in characters: a few sentences.
pub const MAX_REASON: usize = 300;

/// How many items an order may have.
///
/// All items ship side by side, each as an activity or a child workflow, of which Temporal allows a
/// workflow 2,000 at a time. Each item adds about ten events to the order's history, and Temporal
/// warns at 10,240.
pub const MAX_ITEMS: usize = 100;

/// The longest pause, and the longest wait for a person: four weeks.
///
/// An order that waits holds its stock, and every worker release has to replay it. A wait that a
/// timer cannot express at all would stop the workflow task for ever.
pub const MAX_WAIT: Duration = Duration::from_hours(4 * 7 * 24);

/// The longest time from one order of a standing order to the next: a leap year. While it waits, a standing order
/// holds nothing.
pub const MAX_INTERVAL: Duration = Duration::from_hours(366 * 24);
