//! The workflow `ProcessOrder`, and what belongs to it: deterministic code only.
//!
//! | module | what lives there |
//! |---|---|
//! | [`process_order`] | the workflow: its body is the order's process, a line for each step |
//! | [`ship_item`] | the shipment of one item as a workflow of its own |
//! | `steps` | the steps, as the process names them |
//! | `waits` | where an order waits: for time to pass, or for a person |
//! | `undo` | the saga: what undoes each step, and in which order |
//! | `context` | one order under way, and the one way in which its steps are run |
//! | `stopped` | why an order stopped before its end |
//! | [`requests`] | what people ask of an order under way, and whether it may still be asked |
//! | [`status`] | how an order stands, as it answers when it is asked |
//! | [`policies`] | every timeout and retry policy, with the reason for each figure |
//! | [`patches`] | changes that orders under way must not meet halfway |
//! | [`input`] | an order as it arrives: decoded, or the reason why not |
//! | [`outcome`] | what became of an order |
//!
//! Workflow code runs again, from the top, whenever a worker picks up an order that another one
//! began. What it did before is in the order's history on the server, so the code must ask for the
//! same things in the same order: no clock, no randomness, no files. Those are the activities'.

mod context;
pub mod input;
pub mod outcome;
pub mod patches;
pub mod policies;
pub mod process_order;
pub mod requests;
pub mod ship_item;
pub mod status;
mod steps;
mod stopped;
mod undo;
mod waits;

pub use input::OrderInput;
pub use outcome::{OrderOutcome, OrderResult, Shipment};
pub use process_order::ProcessOrder;
pub use ship_item::ShipItem;
pub use status::{ORDER_STATUS, OrderProgress, OrderStatus};

/// The task queue of workers and starters that are told no other.
pub const TASK_QUEUE: &str = "OrderManagement";
