//! The workflow `ProcessOrder`: deterministic code only.
//!
//! | module | what lives there |
//! |---|---|
//! | [`process_order`] | the workflow: its body is the order's process, a line for each step |
//! | [`steps`] | how each step calls its activity |
//! | [`policies`] | every timeout and retry policy, with the reason for each figure |
//! | [`input`] | an order as it arrives: decoded, or the reason why not |
//! | [`with_bug`] | the workflow with a bug, for the demo that mends it |
//! | [`outcome`] | what became of an order |
//!
//! Workflow code runs again, from the top, whenever a worker picks up an order that another one
//! began. What it did before is in the order's history on the server, so the code must ask for the
//! same things in the same order: no clock, no randomness, no files. Those are the activities'.

pub mod input;
pub mod outcome;
pub mod policies;
pub mod process_order;
pub mod steps;
pub mod with_bug;

pub use input::OrderInput;
pub use outcome::{OrderOutcome, OrderResult};
pub use process_order::ProcessOrder;
pub use with_bug::ProcessOrderWithBug;

/// The task queue of workers and starters that are told no other.
pub const TASK_QUEUE: &str = "OrderManagement";
