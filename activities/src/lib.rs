//! The activities of `ProcessOrder`, and the simulated services they call.
//!
//! A charge makes three stops: the activity, the payment service, the inventory. Each module below
//! uses only those above it.
//!
//! | module | what lives there |
//! |---|---|
//! | [`activity`] | the activities by name, and how each fails at random |
//! | [`task`] | what the activities are given, and what they answer |
//! | `earlier` | the same as earlier versions wrote it |
//! | [`error`] | why an attempt failed, and whether another one can help |
//! | [`services`] | the outside world, simulated: fraud detection, payments, warehouse, supplier. Each that changes something keeps a record and takes an idempotency key |
//! | [`faults`] | the simulated faults, repeatable from a seed |
//! | [`hold`] | stops an activity at a named point, so that a test can kill the worker there |
//! | [`controls`] | what a person changes while workers run |
//! | [`attempt`] | what every attempt has in common: heartbeats, simulated faults, places to hold at |
//! | [`order_activities`] | the activities as Temporal knows them |
//!
//! Temporal runs an activity *at least* once: if a worker dies after the effect and before its
//! report, the effect stays, and the activity is run again. Each effect is therefore keyed by the
//! order's submission and the step, and a service that is asked twice answers twice from the same
//! record.

pub mod activity;
pub mod attempt;
pub mod controls;
mod earlier;
pub mod error;
pub mod faults;
pub mod hold;
pub mod order_activities;
pub mod services;
pub mod task;

pub use activity::Activity;
pub use controls::Controls;
pub use faults::Faults;
pub use hold::Hold;
pub use order_activities::OrderActivities;
pub use services::Services;
pub use task::{
    Attempted, Checked, Effect, Payment, Preparation, Reserved, Reserving, Restocking, Shelf,
    Shipping, StepAnswer, Undone,
};
