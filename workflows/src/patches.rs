//! Changes to the workflow's code, each behind a patch, so that running orders are not affected.
//!
//! A worker with new code continues orders that older code started. Where the new code would issue a
//! command that such an order's history does not contain, it first asks
//! [`patched`](temporalio_sdk::WorkflowContext::patched), which returns false for a history from
//! before the change and marks every new one. Once no order from before the change is left, the patch
//! is deprecated, and one release later it is removed.
//!
//! `tests/replay.rs` replays orders from before and after each patch.

/// An order that stops before it has shipped undoes its steps. Without this patch, an order that was
/// refused kept what it had reserved.
pub const UNDO: &str = "undo-what-was-done";
