//! When an order needs a person's approval.

use serde::{Deserialize, Serialize};

/// The rule that decides whether a person has to approve an order before it is processed.
///
/// The rule travels with the order rather than with the worker, so that every worker that picks the
/// order up decides the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// An order of more units than this needs approval.
    pub above_quantity: u32,
    /// How many seconds to wait for the approval. An order that is not approved in time is rejected.
    pub within_seconds: u64,
}
