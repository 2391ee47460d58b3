//! The activities of `ProcessOrder`, and the simulated services they call.
//!
//! | module | what lives there |
//! |---|---|
//! | [`check_fraud`], [`prepare_shipment`], [`charge`], [`ship`], [`supplier_order`] | one activity each, all of one shape: what it does, and the ways it fails at random |
//! | [`recall`], [`refund`], [`release`] | what undoes ship, charge and prepare shipment |
//! | [`look_up_items`] | what is in stock of an order's items; run within a workflow task |
//! | [`services`] | the outside world, simulated: payments, warehouse, supplier. Each keeps a record and takes an idempotency key |
//! | [`order_activities`] | all of them as Temporal knows them |
//! | [`task`] | what the activities are given, and what they answer |
//! | [`attempt`] | what every attempt has in common: heartbeats, simulated faults, places to hold at |
//! | [`faults`] | the simulated faults, repeatable from a seed |
//! | [`hold`] | stops an activity at a named point, so that a test can kill the worker there |
//! | [`error`] | why an attempt failed, and whether another one can help |
//!
//! Temporal runs an activity *at least* once: a worker that dies after the effect and before its
//! report leaves the effect behind, and the activity is run again. So each effect is keyed by the
//! order's submission and the step, and a service that is asked twice answers twice with the same
//! record.

pub mod attempt;
pub mod charge;
pub mod check_fraud;
pub mod error;
pub mod faults;
pub mod hold;
pub mod look_up_items;
pub mod order_activities;
pub mod prepare_shipment;
pub mod recall;
pub mod refund;
pub mod release;
pub mod services;
pub mod ship;
pub mod supplier_order;
pub mod task;

pub use attempt::Activity;
pub use faults::Faults;
pub use hold::Hold;
pub use order_activities::OrderActivities;
pub use services::Services;
pub use task::{
    Attempted, Checked, Confirmation, OrderTask, Preparation, Released, Restocking, Shelf,
    Shipping, Stock, SupplierDelivery, Undone,
};
