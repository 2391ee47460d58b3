//! Orders by their status.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use futures::{
    TryStreamExt,
    future::{join_all, try_join_all},
};
use serde_json::json;
use temporal::printable;
use temporalio_client::{
    Client, RpcOptions, WorkflowCountOptions, WorkflowExecution, WorkflowExecutionStatus,
    WorkflowListOptions, WorkflowQueryOptions, errors::ClientError,
};
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use workflows::{ORDER_STATUS, OrderStatus, ProcessOrder, status::Waiting};

use crate::{args::ListArgs, connect::connect, follow::OrderHandle, show::text::readable};

/// The query that finds orders: they are the workflows of this type; those of their parts are not.
pub const ORDERS: &str = "WorkflowType = 'ProcessOrder'";

/// The search attribute in which the server keeps the version that a workflow is on, as `DEPLOYMENT:BUILD`.
pub const VERSION: SearchAttributeKey<String> =
    SearchAttributeKey::keyword("TemporalWorkerDeploymentVersion");

/// How long a worker may take to say what an order waits for.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Lists the last orders, those under way first, and counts all by their status.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args.common.connect).await?;
    let query = match args.status {
        Some(status) => of_status(status),
        None => ORDERS.to_owned(),
    };
    let options = WorkflowListOptions::builder()
        .limit(args.limit as usize)
        .build();
    let listed: Vec<WorkflowExecution> = client
        .list_workflows(query, options)
        .try_collect()
        .await
        .context("cannot list the orders")?;
    let waiting = join_all(listed.iter().map(|order| waiting(&client, order))).await;
    let all = count(&client, ORDERS.to_owned()).await?;
    let counts = counts(&client).await;
    let mut out = anstream::stdout();
    // A pipe that nobody reads any more is no reason to fail.
    let _ = if args.common.output.json {
        let orders = listed.iter().zip(&waiting);
        let orders: Vec<_> = orders.map(|(order, it)| as_json(order, it)).collect();
        let counts: serde_json::Map<_, _> = counts
            .into_iter()
            .flatten()
            .map(|(status, count)| (status.to_string(), count.into()))
            .collect();
        writeln!(
            out,
            "{}",
            json!({"orders": orders, "counts": counts, "total": all})
        )
    } else {
        out.write_all(report(&listed, &waiting, all, counts.as_deref()).as_bytes())
    };
    Ok(ExitCode::SUCCESS)
}

/// The build that an order with these search attributes is on, or ended on, if its workers have versions.
pub fn build(attributes: &SearchAttributes) -> Option<String> {
    let version = attributes.get(&VERSION)?;
    let (_, build) = version.split_once(':')?;
    Some(build.to_owned())
}

/// The query that finds the orders of a status.
pub fn of_status(status: OrderStatus) -> String {
    // An order that was terminated keeps the status that it had.
    let running = if status.is_end() {
        ""
    } else {
        " AND ExecutionStatus = 'Running'"
    };
    format!("{ORDERS} AND {} = '{status}'{running}", ORDER_STATUS.name())
}

/// What an order waits for, if its status says that it waits and a worker answers for it soon.
async fn waiting(client: &Client, order: &WorkflowExecution) -> Option<Waiting> {
    let status = order.search_attributes().get(&ORDER_STATUS)?;
    let waits = OrderStatus::ALL
        .into_iter()
        .find(|it| it.to_string() == status)?;
    if order.status() != WorkflowExecutionStatus::Running || !waits.is_waiting() {
        return None;
    }
    let handle: OrderHandle = client.get_workflow_handle(order.id());
    let rpc = RpcOptions::builder().timeout(ANSWER_WITHIN).build();
    let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
    let progress = handle.query(ProcessOrder::status, ().into(), options).await;
    progress.ok()?.waiting
}

/// How many orders there are of each status; `None` where the namespace does not know the search
/// attribute. The server groups by its own attributes only, so each status is asked for.
pub async fn counts(client: &Client) -> Option<Vec<(OrderStatus, usize)>> {
    let counting = OrderStatus::ALL.map(async |status| {
        let count = count(client, of_status(status)).await?;
        Ok::<_, ClientError>((status, count))
    });
    try_join_all(counting).await.ok()
}

async fn count(client: &Client, query: String) -> Result<usize, ClientError> {
    let options = WorkflowCountOptions::default();
    Ok(client.count_workflows(query, options).await?.count())
}

/// The order's own word, or else the server's.
fn status(order: &WorkflowExecution) -> String {
    let own = order.search_attributes().get(&ORDER_STATUS);
    own.filter(|_| {
        !matches!(
            order.status(),
            WorkflowExecutionStatus::Terminated | WorkflowExecutionStatus::TimedOut
        )
    })
    .unwrap_or_else(|| format!("({:?})", order.status()))
}

fn as_json(order: &WorkflowExecution, waiting: &Option<Waiting>) -> serde_json::Value {
    json!({
        "orderID": order.id(),
        "status": order.search_attributes().get(&ORDER_STATUS),
        "execution": format!("{:?}", order.status()),
        "runID": order.run_id(),
        "placedAt": order.start_time().map(rfc3339),
        "endedAt": order.close_time().map(rfc3339),
        "waiting": waiting,
        "build": build(&order.search_attributes()),
    })
}

fn report(
    orders: &[WorkflowExecution],
    waiting: &[Option<Waiting>],
    all: usize,
    counts: Option<&[(OrderStatus, usize)]>,
) -> String {
    let mut text = String::new();
    let ids: Vec<_> = orders.iter().map(|order| printable(order.id())).collect();
    let width = ids.iter().map(|id| id.chars().count()).max();
    let width = width.unwrap_or_default().max(24);
    let words: Vec<_> = orders.iter().map(status).collect();
    let words: Vec<_> = words.iter().map(|word| printable(word)).collect();
    let status_width = words.iter().map(|word| word.chars().count()).max();
    let status_width = status_width.unwrap_or_default();
    for (((order, id), status), waiting) in orders.iter().zip(ids).zip(&words).zip(waiting) {
        let took = order.start_time().zip(order.close_time());
        let took = took.and_then(|(start, end)| end.duration_since(start).ok());
        let build = build(&order.search_attributes());
        let line = format!(
            "{id:<width$}  {status:<status_width$}  {:<20} {:>7}  {}",
            order.start_time().map(rfc3339).unwrap_or_default(),
            took.map(readable).unwrap_or_default(),
            build.map_or_else(String::new, |build| format!("build {}", printable(&build))),
        );
        text += line.trim_end();
        text += "\n";
        if let Some(waiting) = waiting {
            text += &format!("    {}\n", printable(&waiting.to_string()));
        }
    }
    let each = match counts {
        Some(counts) => {
            let counted = counts.iter().map(|(_, count)| count).sum();
            let others = all.saturating_sub(counted);
            let each = counts
                .iter()
                .map(|(status, count)| (*count, status.to_string()));
            each.chain([(others, "without a status".to_owned())])
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect::<Vec<_>>()
                .join(", ")
        }
        None => format!(
            "this namespace has no search attribute {}, so they are not counted by status",
            ORDER_STATUS.name()
        ),
    };
    let orders = if all == 1 { "order" } else { "orders" };
    text + &format!(
        "{all} {orders}{}{each}\n",
        if each.is_empty() { "" } else { ": " }
    )
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
