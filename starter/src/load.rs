//! Many orders at once, and how they fare: orders per second, latency, and what they cost the workers
//! on this machine.

mod figures;
mod workers;

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use inventory::{DEFAULT_PRODUCT, Inventory, InventoryError, Location, Standing};
use orders::Order;
use temporalio_client::{Client, WorkflowFetchHistoryOptions, WorkflowGetResultOptions};

use self::{
    figures::{Cost, Figures, Latency},
    workers::Workers,
};
use crate::{
    args::{DEFAULT_PAYMENT_INFO, LoadArgs},
    connect::connect,
    follow::OrderHandle,
    submit::submit,
};

/// The most warm-up orders that run before the load. They open connections and fill caches, and
/// their histories name the workers.
const WARM_UP: u32 = 20;

/// How long the first orders may take. It ends a load that no worker takes up.
const WARM_UP_WITHIN: Duration = Duration::from_secs(60);

/// Places many orders, waits for them, and prints how they fared. The exit status is 1 if the
/// ledger does not add up.
///
/// # Errors
/// Returns an error if an order fails, or no worker takes one up.
pub async fn load(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args.common.connect).await?;
    let run = format!("order-load-{:08x}", rand::random::<u32>());
    let loading = Loading {
        client: &client,
        task_queue: &args.common.task_queue,
        concurrency: args.concurrency as usize,
    };
    let warm_up: Vec<_> = (1..=args.concurrency.min(WARM_UP))
        .map(|number| order(args, &format!("{run}-warm-up"), number))
        .collect();
    let unseen = ProgressBar::hidden();
    eprintln!("warm-up orders that run first: {}", warm_up.len());
    let warmed = tokio::time::timeout(WARM_UP_WITHIN, loading.run(&warm_up, &unseen));
    let Ok(warmed) = warmed.await else {
        bail!(
            "no worker completed the first orders within {} seconds: start one with cargo run --release \
             -p worker -- --fault-rate 0, and mind its --task-queue",
            WARM_UP_WITHIN.as_secs()
        );
    };
    let mut workers = Workers::default();
    for (handle, _) in warmed? {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        workers.seen_in(&history.into_events().await?);
    }

    let orders: Vec<_> = (1..=args.orders)
        .map(|number| order(args, &run, number))
        .collect();
    let bar = progress_bar(args)?;
    let before = workers.measure();
    let begun = Instant::now();
    let done = loading.run(&orders, &bar).await?;
    let took = begun.elapsed();
    let after = workers.measure();
    bar.finish_and_clear();

    let ledger = check(&args.database, &orders).await?;
    let figures = Figures {
        orders: args.orders,
        concurrency: args.concurrency,
        took,
        orders_per_second: f64::from(args.orders) / took.as_secs_f64(),
        latency: Latency::of(done.into_iter().map(|(_, latency)| latency).collect()),
        workers: before
            .zip(after)
            .map(|(before, after)| Cost::of(&before, &after, args.orders)),
        ledger_adds_up: ledger,
    };
    let text = if args.common.output.json {
        serde_json::to_string(&figures)? + "\n"
    } else {
        figures.to_string()
    };
    // A pipe that nobody reads any more is no reason to fail.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(match ledger {
        Some(false) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// One unit each, so that the supplier is asked as seldom as may be.
fn order(args: &LoadArgs, run: &str, number: u32) -> Order {
    let order_id = format!("{run}-{number}");
    Order {
        local_check: args.local_check,
        ..Order::new(order_id, DEFAULT_PRODUCT, 1, DEFAULT_PAYMENT_INFO)
    }
}

fn progress_bar(args: &LoadArgs) -> anyhow::Result<ProgressBar> {
    if args.common.output.json {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(args.orders.into());
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos} of {len} orders, {per_sec}",
    )?);
    Ok(bar)
}

struct Loading<'a> {
    client: &'a Client,
    task_queue: &'a str,
    concurrency: usize,
}

impl Loading<'_> {
    /// Processes the orders. Returns them with the time from placing each to its result.
    async fn run(
        &self,
        orders: &[Order],
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<(OrderHandle, Duration)>> {
        stream::iter(orders)
            .map(async |order| {
                let begun = Instant::now();
                let submitted = submit(self.client, self.task_queue, order).await?;
                let handle = submitted.into_handle();
                handle
                    .get_result(WorkflowGetResultOptions::default())
                    .await
                    .with_context(|| format!("{} did not complete", order.order_id))?;
                bar.inc(1);
                anyhow::Ok((handle, begun.elapsed()))
            })
            .buffer_unordered(self.concurrency)
            .try_collect()
            .await
    }
}

/// Whether the ledger adds up and every order is in it; `None` if there is no ledger here.
async fn check(database: &Location, orders: &[Order]) -> anyhow::Result<Option<bool>> {
    let inventory = Inventory::at(database, SystemTime::now)?;
    let audit = match inventory.audit().await {
        Ok(audit) => audit,
        Err(InventoryError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let completed: std::collections::HashSet<_> = audit
        .orders
        .iter()
        .filter(|order| order.standing() == Standing::Completed)
        .map(|order| order.order_id.as_str())
        .collect();
    let all = orders
        .iter()
        .all(|order| completed.contains(order.order_id.as_str()));
    Ok(Some(audit.is_clean() && all))
}
