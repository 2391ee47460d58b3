//! What the API tells, as JSON has it.
//!
//! Times are RFC 3339 in UTC, with milliseconds.

use std::time::SystemTime;

use inventory::{Audit, Entry, Standing};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// The order's own word for how it stands, such as `Charging`; or the server's, if the order has none.
    pub status: String,
    /// The server's word for it, such as `Running` or `Completed`.
    pub execution: String,
    /// Which run of the order's workflow it is.
    #[serde(rename = "runID")]
    pub run_id: String,
    /// When it was placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How far it has come, in percent, if its status says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The build of the worker that is at it, if workers have versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

/// An order with all that is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    /// What a list says of it, too.
    #[serde(flatten)]
    pub summary: OrderSummary,
    /// Its page in Temporal's Web UI.
    pub link: String,
    /// What was ordered.
    pub items: Vec<ItemView>,
    /// The delivery address, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it waits for, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// Why it was stopped, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepView>,
    /// What people asked of it: the names of the messages.
    pub asked: Vec<String>,
    /// What is worth a sentence, such as that no worker serves it.
    pub notices: Vec<String>,
    /// Its lines in the ledger, of all its submissions.
    pub ledger: Vec<Line>,
    /// How often each effect happened for the newest submission, or, of a duplicate, for the one that has the
    /// effects. More than 1 would be a doubling.
    pub proof: Proof,
    /// Of a duplicate: what the submission had ordered that has the effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Vec<ItemView>>,
}

/// An item of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemView {
    /// The product's ID.
    #[serde(rename = "productID")]
    pub product_id: String,
    /// Units of it.
    pub quantity: u32,
}

/// What an order waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitingView {
    /// In a few words.
    pub what: String,
    /// When it goes on at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A step of an order.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Which step of the order it is, counted from 1.
    pub number: usize,
    /// The activity's type, or `Pause`.
    pub step: String,
    /// What it is about, where the order has more than one such step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Whether it takes back an earlier step.
    pub undo: bool,
    /// What it is now.
    pub state: StateView,
    /// Why the last attempt failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Attempts begun so far.
    pub attempts: u32,
    /// When it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// How long it took, in milliseconds, where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// When it ends at the latest, where it is a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// When it is to be tried again, where it failed and waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// The worker that is at it, or was last, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Whether that worker is known to have ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub worker_gone: bool,
    /// The name of the last worker that is known to have died during an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub died: Option<String>,
    /// A service's confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Whether an earlier attempt had the step's effect, and this one only found it.
    pub found: bool,
    /// What it did to the stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<StockChange>,
    /// Anything else worth a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What a step is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StateView {
    /// Asked for; a worker is to take it, or has.
    Running,
    /// Failed, and to be tried again.
    Retrying,
    /// Done.
    Completed,
    /// Failed for good.
    Failed,
    /// Not needed, and so not run.
    Skipped,
}

/// Units in stock before and after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockChange {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
}

/// How often each effect happened for one submission of an order. Of an order with several items, each is
/// reserved and shipped by itself; then it is the figure of the item with the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Proof {
    /// Reservations.
    pub reserved: usize,
    /// Charges.
    pub charged: usize,
    /// Shipments.
    pub shipped: usize,
    /// Releases, refunds and recalls, whichever are the most.
    pub undone: usize,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Counts the lines from 1.
    pub seq: u64,
    /// When it was recorded.
    pub at: String,
    /// The order it was done for, or what a person wrote who set the stock.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// The product.
    #[serde(rename = "productID")]
    pub product_id: String,
    /// What happened: `reserved`, `charged`, `shipped`, `restocked`, `released`, `refunded`, `recalled`,
    /// `closed` or `adjusted`.
    pub change: &'static str,
    /// Units; with a sign where a person set the stock.
    pub quantity: i64,
    /// Units in stock afterwards, if the change is one of the stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<u32>,
    /// The idempotency key: no two lines have the same.
    pub key: String,
    /// What the service calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// What was charged, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Where a shipment went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            at: rfc3339(entry.at),
            order_id: entry.order_id.clone(),
            product_id: entry.product_id.clone(),
            change: entry.change.name(),
            quantity: entry.quantity,
            in_stock: entry.in_stock,
            key: entry.key.clone(),
            confirmation: entry.confirmation.clone(),
            payment: entry.payment.clone(),
            address: entry.address.clone(),
        }
    }
}

/// The stock of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// The product's ID.
    #[serde(rename = "productID")]
    pub product_id: String,
    /// Units in stock.
    pub in_stock: u32,
}

/// The stock of a product, and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockHistory {
    /// The stock now.
    #[serde(flatten)]
    pub now: StockView,
    /// The last changes, oldest first.
    pub history: Vec<StockPoint>,
}

/// The stock of a product after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockPoint {
    /// When.
    pub at: String,
    /// Units in stock.
    pub in_stock: u32,
}

/// Whether everything adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// Orders of which the ledger tells.
    pub orders: usize,
    /// Reserved, charged once, shipped as a whole.
    pub completed: usize,
    /// With something left to do, or to undo.
    pub under_way: usize,
    /// Taken back.
    pub undone: usize,
    /// Of which an effect happened more than once.
    pub doubled: usize,
    /// Under way by the ledger, while no workflow of theirs runs; absent if no server could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<usize>,
    /// What does not add up.
    pub findings: Vec<String>,
    /// Whether nothing was found.
    pub clean: bool,
}

/// The most findings that are told.
const MAX_FINDINGS: usize = 20;

impl From<&Audit> for AuditView {
    /// What an audit found. Of orders that were left behind, the ledger alone knows nothing.
    fn from(audit: &Audit) -> Self {
        let doubled = audit.orders.iter().filter(|order| {
            let mut submissions = order.submissions.iter();
            submissions.any(|it| it.charged > 1 || it.shipped > it.reserved)
        });
        Self {
            orders: audit.orders.len(),
            completed: audit.count(Standing::Completed),
            under_way: audit.count(Standing::UnderWay),
            undone: audit.count(Standing::Undone),
            doubled: doubled.count(),
            lost: None,
            findings: audit
                .findings
                .iter()
                .take(MAX_FINDINGS)
                .map(ToString::to_string)
                .collect(),
            clean: audit.is_clean(),
        }
    }
}

/// The sums of everything, for the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// What an audit found.
    #[serde(flatten)]
    pub audit: AuditView,
    /// How many processes died, if there is a stage.
    pub deaths: u32,
    /// Attempts after the first, of the orders that were looked at.
    pub retries: u32,
    /// When the audit was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audited_at: Option<String>,
}

/// What is missing, each as a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reach {
    /// Why the Temporal server cannot be asked.
    pub temporal: Option<String>,
    /// Why the inventory cannot be read.
    pub inventory: Option<String>,
    /// That no worker takes tasks.
    pub workers: Option<String>,
}

/// A message's reason.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reason {
    /// Why; a sentence.
    #[schema(max_length = 300)]
    pub reason: Option<String>,
}

/// A time as JSON has it.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string()
}
