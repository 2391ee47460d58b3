//! Stock and ledger: the rules, two stores, and an audit.
//!
//! [`Inventory`] has an operation for each thing that an order needs: reserve, release, restock, and record
//! a charge, a shipment and what undoes them. Each takes a [`Placement`], one submission of one order, and
//! has its effect once for it, however often it is tried. A retry finds the effect of the first attempt and
//! returns that. Nothing here knows of workflows.
//!
//! | module | what lives there |
//! |---|---|
//! | `placement` | what operations take and return |
//! | `entry` | [`Entry`], a line of the ledger |
//! | `error` | [`InventoryError`] |
//! | `facts` | what a rule decides from, and what it decides |
//! | `rules` | the rules: pure functions from facts to a decision |
//! | `audit`, `audit_report` | the ledger checked by itself |
//! | `files` | the store for one machine: three files in a folder |
//! | `postgres` | the store for many machines: a PostgreSQL database |
//! | `location` | [`Location`]: a path or a database's address |
//! | `inventory` | [`Inventory`], the handle |
//!
//! # A pure core with thin shells
//!
//! Every rule is a pure function:
//!
//! ```text
//! facts    = every entry of the order + the stock of the products that the change touches
//! decision = the answer for the caller + the entries to append (often none)
//! ```
//!
//! A store does two things: it loads the facts and appends the decision, and both happen under one lock.
//! So each rule is written and tested once, whichever store it runs on.
//!
//! # What always holds
//!
//! - No two entries have the same key, so no effect happens twice.
//! - An order has at most one reservation that is not released.
//! - A submission that was undone, in whole or in part, has no new effect.
//! - Stock = opening + delivered - reserved + released + adjusted, and is never below zero.
//! - A change of several entries counts as a whole or not at all.
//! - An order's steps happen in the inventory in which it was begun.
//! - Damage is never silent: it is repaired with nothing lost, or everything is refused until a person has
//!   repaired it.

mod audit;
mod audit_report;
mod entry;
mod error;
mod facts;
mod files;
mod inventory;
mod location;
mod placement;
mod postgres;
mod rules;

pub use audit_report::{
    Audit, Finding, OrderAudit, Pending, ProductAudit, Standing, SubmissionAudit,
};
pub use entry::{Change, Entry};
pub use error::InventoryError;
pub use inventory::{Clock, Inventory};
pub use location::Location;
pub use placement::{
    Confirmation, Delivery, Identity, Placement, Product, Released, Reservation, Stock,
};
pub use postgres::Address;

/// Stock below this makes the supplier deliver: the Go demo's figure.
pub const MINIMUM_STOCK: u32 = 5_000;

/// The most that the warehouse holds of one product, and so the most that one
/// order can ask for: the Go demo's figure.
pub const CAPACITY: u32 = 10_000;

/// The inventory of a program that is told no other.
pub const DEFAULT_PATH: &str = "database/inventory.json";

/// The product that a new inventory holds.
pub const DEFAULT_PRODUCT: &str = "123456";

/// How much a new inventory holds of it, and the order that it names.
const FIRST_STOCK: u32 = 1_000;
const FIRST_ORDER: &str = "000";
