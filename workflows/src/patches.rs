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

/// An order with a field above its limit is refused, and so is a signal with such an address.
/// Without this patch there were no limits. Only where a limit is broken is the patch asked for, so
/// that the history of every other order stays free of its mark.
pub const LIMITS: &str = "limits";

/// An order leaves the supplier alone where its reservation left enough in stock. Without this patch,
/// the supplier was asked for every item. An order that left too little of all its items asks for the
/// supplier either way, so its history stays free of the mark.
pub const SUPPLIER_WHEN_LOW: &str = "supplier-when-low";
