//! Orders that hold stock or money, and that nobody will finish.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt, stream};
use inventory::{Audit, Change, Entry, Inventory, OrderAudit, Placement, Standing};
use orders::Item;
use serde::Serialize;
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowExecutionDescription, WorkflowExecutionStatus,
    WorkflowListOptions, errors::WorkflowInteractionError,
};
use workflows::undo_order::ToUndo;

use crate::follow::OrderHandle;

/// How many orders the server is asked about at a time.
pub(crate) const AT_A_TIME: usize = 16;

/// How long the server may take to list a workflow that was just started. The list is only asked if
/// there is no workflow of the order's own name.
const LISTED_WITHIN: Duration = Duration::from_mins(1);

/// A submission of an order that holds something, and whose workflow has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Abandoned {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// Which submission of it.
    pub submission: String,
    /// What became of its workflow.
    pub workflow: End,
    /// What it holds.
    pub holds: Holding,
    /// Every product that it reserved, released or not.
    #[serde(skip)]
    reserved: Vec<Item>,
}

impl Abandoned {
    /// What undoes it, in the inventory that it was found in.
    ///
    /// # Errors
    /// Returns an error if the inventory cannot be used.
    pub async fn to_undo(&self, inventory: &Inventory) -> anyhow::Result<ToUndo> {
        let mut placement = Placement::new(&self.order_id, &self.submission);
        placement.inventory = Some(inventory.identity().await?);
        Ok(ToUndo {
            placement,
            items: self.reserved.clone(),
        })
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            order_id,
            workflow,
            holds,
            ..
        } = self;
        write!(f, "{order_id} holds {holds}, and its workflow {workflow}")
    }
}

/// What became of an order's workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// It completed, although the ledger says that something is left to do.
    Completed,
    /// It failed, for instance because an undoing was refused.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It was terminated.
    Terminated,
    /// It timed out.
    TimedOut,
    /// The server does not know it, or not any more.
    Gone,
}

impl End {
    /// `None` if the workflow is running, or if this program does not know what its status means.
    fn of(status: WorkflowExecutionStatus) -> Option<Self> {
        match status {
            WorkflowExecutionStatus::Completed => Some(Self::Completed),
            WorkflowExecutionStatus::Failed => Some(Self::Failed),
            WorkflowExecutionStatus::Canceled => Some(Self::Cancelled),
            WorkflowExecutionStatus::Terminated => Some(Self::Terminated),
            WorkflowExecutionStatus::TimedOut => Some(Self::TimedOut),
            _ => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "was cancelled",
            Self::Terminated => "was terminated",
            Self::TimedOut => "timed out",
            Self::Gone => "is gone: the server does not know it",
        })
    }
}

/// What a submission of an order holds: what was done for it and is not undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Units taken out of stock.
    pub reserved: Vec<Item>,
    /// Whether it was charged.
    pub charged: bool,
    /// What has shipped.
    pub shipped: Vec<Item>,
}

impl Holding {
    fn of(entries: &[&Entry]) -> Self {
        let not_undone = |change, by| {
            let undone = move |it: &&&Entry| {
                let mut all = entries.iter();
                !all.any(|other| other.change == by && other.product_id == it.product_id)
            };
            let of_kind = entries.iter().filter(move |it| it.change == change);
            of_kind.filter(undone).map(|it| item(it))
        };
        Self {
            reserved: not_undone(Change::Reserved, Change::Released).collect(),
            charged: not_undone(Change::Charged, Change::Refunded)
                .next()
                .is_some(),
            shipped: not_undone(Change::Shipped, Change::Recalled).collect(),
        }
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[Item]| {
            let items: Vec<_> = items.iter().map(Item::to_string).collect();
            items.join(" and ")
        };
        let mut holds = Vec::new();
        if !self.reserved.is_empty() {
            holds.push(list(&self.reserved));
        }
        if self.charged {
            holds.push("a charge".to_owned());
        }
        if !self.shipped.is_empty() {
            holds.push(format!("a shipment of {}", list(&self.shipped)));
        }
        f.write_str(&holds.join(", "))
    }
}

fn item(entry: &Entry) -> Item {
    let units = u32::try_from(entry.quantity).unwrap_or_default();
    Item::new(&entry.product_id, units)
}

/// Finds the orders that are under way by the ledger while no workflow of theirs runs. Only orders that
/// are under way are asked about, and a few at a time.
///
/// # Errors
/// Returns an error if the server does not answer, or the inventory cannot be read.
pub async fn find(
    client: &Client,
    inventory: &Inventory,
    audit: &Audit,
) -> anyhow::Result<Vec<Abandoned>> {
    let under_way = |order: &&OrderAudit| order.standing() == Standing::UnderWay;
    let orders = audit.orders.iter().filter(under_way);
    let asking: Vec<_> = orders
        .map(|order| of_order(client, inventory, order))
        .collect();
    let found: Vec<Vec<_>> = stream::iter(asking)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_order(
    client: &Client,
    inventory: &Inventory,
    order: &OrderAudit,
) -> anyhow::Result<Vec<Abandoned>> {
    let order_id = &order.order_id;
    let mut abandoned = Vec::new();
    for submission in under_way(order) {
        let Some(workflow) = end_of(client, order_id, submission).await? else {
            continue;
        };
        // The order may have gone on since the ledger was read. Now that its workflow has ended, it
        // does not any more.
        let entries = inventory.effects(order_id).await?;
        let now = OrderAudit::of(&entries).filter(|now| now.standing() == Standing::UnderWay);
        let now = now.as_ref().map(under_way).into_iter().flatten();
        if !now.into_iter().any(|it| it == submission) {
            continue;
        }
        let own = entries
            .iter()
            .filter(|entry| entry.submission().as_deref() == Some(submission));
        let own: Vec<_> = own.collect();
        let newest = own.iter().map(|entry| entry.at + LISTED_WITHIN).max();
        if workflow == End::Gone && newest > Some(SystemTime::now()) {
            continue;
        }
        let reserved = own.iter().filter(|entry| entry.change == Change::Reserved);
        abandoned.push(Abandoned {
            order_id: order_id.clone(),
            submission: submission.to_owned(),
            workflow,
            holds: Holding::of(&own),
            reserved: reserved.map(|entry| item(entry)).collect(),
        });
    }
    Ok(abandoned)
}

fn under_way(order: &OrderAudit) -> Vec<&str> {
    let submissions = order.submissions.iter();
    let under_way = submissions.filter(|it| it.standing == Standing::UnderWay);
    under_way.map(|it| it.submission.as_str()).collect()
}

/// How the workflow of a submission ended; `None` if it is running, or another submission of the same
/// order is.
async fn end_of(client: &Client, order_id: &str, submission: &str) -> anyhow::Result<Option<End>> {
    if let Some(newest) = newest_run(client, order_id).await? {
        let end = End::of(newest.status());
        if end.is_none() || first_run(&newest) == submission {
            return Ok(end);
        }
    }
    // The order was placed again since, or its workflow has another ID than the order.
    let Some(run) = find_run(client, submission).await? else {
        return Ok(Some(End::Gone));
    };
    let (workflow_id, status) = run;
    if workflow_id == order_id {
        return Ok(End::of(status));
    }
    let newest = newest_run(client, &workflow_id).await?;
    Ok(End::of(newest.map_or(status, |it| it.status())))
}

async fn newest_run(
    client: &Client,
    workflow_id: &str,
) -> anyhow::Result<Option<WorkflowExecutionDescription>> {
    let handle: OrderHandle = client.get_workflow_handle(workflow_id);
    match handle.describe(WorkflowDescribeOptions::default()).await {
        Ok(description) => Ok(Some(description)),
        Err(WorkflowInteractionError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A submission is named after the first run of its workflow; a reset keeps that name.
fn first_run(newest: &WorkflowExecutionDescription) -> &str {
    let info = newest.raw().workflow_execution_info.as_ref();
    info.map_or("", |info| &info.first_run_id)
}

async fn find_run(
    client: &Client,
    run_id: &str,
) -> anyhow::Result<Option<(String, WorkflowExecutionStatus)>> {
    let is_run_id = run_id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !is_run_id {
        return Ok(None);
    }
    let options = WorkflowListOptions::builder().limit(1).build();
    let mut found = client.list_workflows(format!("RunId = '{run_id}'"), options);
    let run = found.try_next().await?;
    Ok(run.map(|run| (run.id().to_owned(), run.status())))
}
