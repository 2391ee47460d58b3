//! Stock, the JSON inventory file and its ledger.
//!
//! [`Inventory`] has an operation for each thing an order needs: reserve,
//! release, restock, record a charge, a shipment and what undoes them. Each
//! takes a [`Placement`], one submission of one order, and has its effect once
//! for it, however often it is tried: a retry finds the effect of the first
//! attempt and returns that. Nothing here knows of workflows or async code;
//! every operation blocks until it is on disk.
//!
//! # Layout
//!
//! What callers see:
//! - `placement`: what operations take and return.
//! - `inventory`: [`Inventory`], the handle.
//! - `entry`: a line of the ledger.
//! - `error`: [`InventoryError`].
//! - `audit`, `audit_report`: the ledger checked by itself.
//! - `clock`: where the time comes from.
//!
//! What a change goes through, in this order:
//! - `group_commit`: the queue; one caller writes for all who wait.
//! - `store`: catches up with the files, then writes a batch.
//! - `edits`: tells edits by hand from what this program wrote.
//! - `batch`, `steps`: work the changes out in memory.
//! - `state`, `levels`, `index`: what is known of the past.
//! - `ledger`, `stock_file`, `lock`: one for each file.
//! - `quick_read`, `quick_line`: a ledger read from its start, fast enough for
//!   a million orders; whatever is not plain is left to `state`.
//!
//! # Files
//!
//! - `inventory.json`: what a reader opens, and may edit. One record, or an
//!   array with a record for each product.
//! - `ledger.jsonl`: one line for every effect on the outside world. The truth:
//!   all else is derived from it. A product's opening stock is implied by its
//!   first line.
//! - `inventory.lock`: locked by whoever changes anything, so several processes
//!   share the files. It holds the text that this program last wrote to, or
//!   accepted in, `inventory.json`.
//!
//! # What always holds
//!
//! - No two lines of the ledger have the same key, so no effect happens twice.
//! - An order has at most one reservation that is not released.
//! - Stock = opening + delivered - reserved + released + adjusted, and is never
//!   below zero.
//! - A change of several lines (`"more": true` on all but the last) counts as a
//!   whole or not at all.
//! - Before a line is appended, the lock file's text is what `inventory.json`
//!   holds. So a file that equals it, and is not what the ledger adds up to, was
//!   left behind by a crash; one that differs from it was edited by hand.
//!
//! # The order of writes
//!
//! Under the lock, for all who wait at once:
//! 1. Catch up: read what other processes appended, take away a half-written
//!    end, enter an edit by hand as `adjusted`, bring up a file left behind.
//! 2. Work out every change in memory.
//! 3. Write `inventory.json.tmp` and flush it. Up to here a failure has no
//!    trace.
//! 4. Append all lines to the ledger in one write and flush it: **now it is
//!    done**. If it fails, the ledger is cut back to its old length.
//! 5. Rename `inventory.json.tmp` to `inventory.json`.
//! 6. Write its text into the lock file.
//!
//! Whatever stops between two of these, the next change or start puts right in
//! step 1. Anything else that is wrong with a file is an error that names the
//! line; nothing is overwritten.
//!
//! # Limits
//!
//! The files are on a local disk of a Unix system. An effect outlives a power
//! failure; but `inventory.json` and the lock file's text are not flushed
//! together, so a failure of power (not of a process) within seconds after a
//! change may leave a file that is taken for an edit, and entered as such.

mod audit;
mod audit_report;
mod batch;
mod clock;
mod edits;
mod entry;
mod error;
mod group_commit;
mod index;
mod inventory;
mod ledger;
mod levels;
mod lock;
mod placement;
mod quick_line;
mod quick_read;
mod state;
mod steps;
mod stock_file;
mod store;

pub use audit::audit;
pub use audit_report::{
    Audit, Finding, OrderAudit, Pending, ProductAudit, Standing, SubmissionAudit,
};
pub use clock::Clock;
pub use entry::{Change, Entry};
pub use error::InventoryError;
pub use inventory::Inventory;
pub use placement::{Confirmation, Delivery, Placement, Product, Released, Reservation, Stock};

/// Stock below this makes the supplier deliver: the Go demo's figure.
pub const MINIMUM_STOCK: u32 = 5_000;

/// The most that the warehouse holds of one product, and so the most that one
/// order can ask for: the Go demo's figure.
pub const CAPACITY: u32 = 10_000;

/// The inventory file of a program that is told no other.
pub const DEFAULT_PATH: &str = "database/inventory.json";

/// The product that a new inventory file holds.
pub const DEFAULT_PRODUCT: &str = "123456";
