//! The workflow `ProcessOrder`, its parts, and its undoing afterwards: deterministic code only.
//!
//! | module | what lives there |
//! |---|---|
//! | [`process_order`] | the workflow: its body is the order's process, a line for each step |
//! | [`ship_item`] | the shipment of one item as a workflow of its own, and its undoing |
//! | [`inventory_task`] | an order under the type name that the Go demo also knows |
//! | [`standing_order`] | an order that is placed again and again, for years |
//! | [`undo_order`] | the undoing of an order whose own workflow is no more |
//! | `steps` | the steps, as the process names them |
//! | `waits` | where an order waits: for time to pass, or for a person |
//! | [`shipping_service`] | another team's shipping service, which an order calls through Nexus |
//! | `undo` | the saga: what undoes each step, and in which order |
//! | `context` | one running order, and the one way in which its steps are run |
//! | `stopped` | why an order stopped before its end |
//! | [`requests`] | what people may ask of a running order, and why a request is refused |
//! | [`status`] | the status of an order: the answer to the query `status` |
//! | [`policies`] | every timeout and retry policy, with the reason for each figure |
//! | [`patches`] | changes to the code, each behind a patch, so that running orders are not affected |
//! | [`input`] | what comes from outside: a value, or the reason why it cannot be read |
//! | [`outcome`] | the result of an order |
//!
//! Workflow code runs again, from the top, whenever a worker takes over an order that another worker
//! started. The results of finished steps come from the order's history on the server, so the code must
//! issue the same commands in the same order. It therefore reads no clock, no random numbers and no
//! files; the activities do that.

mod context;
pub mod input;
pub mod inventory_task;
pub mod outcome;
pub mod patches;
pub mod policies;
pub mod process_order;
pub mod requests;
pub mod ship_item;
pub mod shipping_service;
pub mod standing_order;
pub mod status;
mod steps;
mod stopped;
mod undo;
pub mod undo_order;
mod waits;

pub use input::{Lenient, OrderInput};
pub use inventory_task::InventoryTask;
pub use outcome::{Answer, GoAnswer, OrderOutcome, OrderResult, Shipment};
pub use process_order::ProcessOrder;
pub use ship_item::{RecallItem, ShipItem};
pub use standing_order::{Standing, StandingOrder};
pub use status::{ORDER_STATUS, OrderProgress, OrderStatus};
pub use undo_order::UndoOrder;

/// The task queue of workers and starters that are told no other.
pub const TASK_QUEUE: &str = "OrderManagement";
