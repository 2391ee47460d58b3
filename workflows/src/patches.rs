//! Changes of the workflow that orders under way must not meet halfway, each behind a patch.
//!
//! A worker with new code goes on with orders that an older one began. Where the new code would ask
//! for something that the order's history does not hold, it asks first whether the order was begun
//! with the change: [`patched`](temporalio_sdk::WorkflowContext::patched) says no for a history
//! from before, and marks a new one. When no order from before is left, the patch is deprecated, and
//! a release later it is gone.
//!
//! `tests/replay.rs` replays orders from both sides of each.

/// An order that ends without being shipped undoes what it did. Before, an order that was refused
/// ended as it was.
pub const UNDO: &str = "undo-what-was-done";
