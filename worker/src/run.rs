//! Connects, registers, runs, and stops in order.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use activities::{Faults, OrderActivities, Services};
use anyhow::Context;
use futures::{FutureExt, future::LocalBoxFuture};
use inventory::Inventory;
use temporal::{
    Renewals,
    renewals::Reason,
    telemetry::{Metrics, Traces, replay},
};
use temporalio_client::Client;
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions, WorkerOptionsBuilder, WorkflowRegistrationError,
};
use tokio::signal::unix::{SignalKind, signal};
use workflows::{InventoryTask, ORDER_STATUS, ProcessOrder, ShipItem, StandingOrder, UndoOrder};

use crate::{
    args::Args,
    health::Health,
    order_events,
    order_metrics::OrderMetrics,
    outages,
    shifts::{Shift, Shifts, Tally},
};

/// How long an order that this worker knew may wait for it before another worker gets it. It is
/// how long an order stands still when its worker is killed between two steps; the SDK's own
/// figure is 10 s.
pub(crate) const STICKY_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest pause between two heartbeats that are sent on. The SDK's own figure, 4/5 of the
/// heartbeat timeout, leaves a busy machine too little time.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// How often an inventory that cannot be used is tried again.
const INVENTORY_PAUSE: Duration = Duration::from_secs(1);

/// What a worker is called on the server, where its identity begins so.
pub const CLIENT_NAME: &str = "order-management-worker";

/// What the log says when the worker takes orders.
pub const READY: &str = "worker ready";

/// What the log says when a fresh worker takes over within the process.
pub const FRESH: &str = "a fresh worker takes over in this process";

/// Runs a worker until Ctrl-C or SIGTERM. It then takes no new tasks and finishes the
/// running ones, within the shutdown limit. A second signal ends it at once.
///
/// # Errors
/// Returns an error if a setting is wrong, an address to serve at is in use, or the Temporal server
/// refuses the worker.
pub fn run(args: Args) -> LocalBoxFuture<'static, anyhow::Result<()>> {
    run_code(args, register)
}

/// Registers the workflows and activities that a worker runs.
pub type Register = fn(
    WorkerOptionsBuilder,
    OrderActivities,
) -> Result<WorkerOptionsBuilder, WorkflowRegistrationError>;

/// Registers the code of this release: the workflows and the activities.
///
/// # Errors
/// Returns the SDK's error if a workflow is registered twice.
pub fn register(
    options: WorkerOptionsBuilder,
    activities: OrderActivities,
) -> Result<WorkerOptionsBuilder, WorkflowRegistrationError> {
    options
        .register_activities(activities)
        .register_workflow::<ShipItem>()?
        .register_workflow::<InventoryTask>()?
        .register_workflow::<UndoOrder>()?
        .register_workflow::<StandingOrder>()?
        .register_workflow::<ProcessOrder>()
}

/// Runs a worker like [`run`], with other code than this release's: another version of the workflow,
/// say.
///
/// # Errors
/// As [`run`].
pub fn run_code(args: Args, register: Register) -> LocalBoxFuture<'static, anyhow::Result<()>> {
    // Boxed, so that the SDK's worker is compiled here and not once more in each program.
    async move {
        let mut stop = Stop::listen()?;
        let traces = Traces::from_env(CLIENT_NAME)?;
        let ended = run_until(&mut stop, &args, register).await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        ended?.exit();
        Ok(())
    }
    .boxed_local()
}

/// How a worker came to its end.
#[derive(Clone, Copy)]
pub(crate) enum Ended {
    InOrder,
    CutOff,
}

impl Ended {
    /// Ends the process if what was cut off would hold up an orderly end.
    pub(crate) fn exit(self) {
        if let Self::CutOff = self {
            std::process::exit(1);
        }
    }
}

async fn run_until(stop: &mut Stop, args: &Args, register: Register) -> anyhow::Result<Ended> {
    let metrics = metrics(args).await?;
    let health = Health::new(metrics.polls().clone());
    if let Some(address) = args.health_address {
        let address = health.serve(address).await?;
        tracing::info!("health: http://{address}/ready and http://{address}/live");
        warn_if_exposed(address, "--health-address");
    }
    let connecting =
        args.connect
            .connect_renewably(CLIENT_NAME, metrics.client_meter(), stop.asked());
    let Some(renewals) = connecting.await? else {
        return Ok(Ended::InOrder);
    };
    if let Err(error) = temporal::ensure_keyword(renewals.client(), ORDER_STATUS.name()).await {
        tracing::warn!("orders can be listed, but not by status: {error}");
    }
    let inventory = Inventory::at(&args.database, SystemTime::now)?;
    health.connected(renewals.client().clone());
    health.uses(inventory.clone());
    if !usable(&inventory, stop).await {
        return Ok(Ended::InOrder);
    }
    let figures = OrderMetrics::new(&metrics);
    let runtime = metrics.runtime()?;
    let shift = |client: Client| {
        health.connected(client.clone());
        let connection = client.connection().clone();
        let tally = Tally::up_to(args.tuning.shift);
        let inventory = inventory.clone();
        let worker = build(
            &runtime, client, inventory, &figures, &tally, args, register,
        )?;
        Ok(Shift::of(worker, &connection, tally))
    };
    let shifts = Shifts::begun_by(shift(renewals.client().clone())?);
    if metrics.address().is_some() {
        let (figures, inventory) = (figures.clone(), inventory.clone());
        tokio::spawn(async move { figures.follow_stock(inventory).await });
    }
    tracing::info!(
        pid = std::process::id(),
        server = renewals.address(),
        namespace = renewals.client().options().namespace,
        task_queue = args.task_queue,
        database = %inventory.location(),
        fault_rate = %args.fault_rate,
        build_id = args.version.build_id,
        "{READY}"
    );
    tokio::spawn(outages::watch(health.clone()));
    let limit = args.shutdown_limit;
    until_stopped(stop, renewals, shifts, limit, shift, || health.stopping()).await
}

/// Runs the shift that has begun, and those that take over from it, until the program is asked to stop. They
/// then have `limit` to end what is under way.
pub(crate) async fn until_stopped(
    stop: &mut Stop,
    mut renewals: Renewals,
    mut shifts: Shifts,
    limit: Duration,
    shift: impl Fn(Client) -> anyhow::Result<Shift>,
    stopping: impl FnOnce(),
) -> anyhow::Result<Ended> {
    loop {
        let tally = shifts.tally();
        tokio::select! {
            ended = shifts.ended() => {
                let Err(error) = ended else { break };
                // The SDK gives up on a server that is away when a worker begins, or that refuses
                // an API key for a minute.
                let Some(refusal) = renewals.refusal().await else {
                    return Err(error);
                };
                tracing::warn!("the worker accepts no orders: {refusal}");
                let Some(client) = renewals.reconnect(stop.asked()).await? else {
                    break;
                };
                shifts.begin(shift(client)?);
                tracing::info!("the worker accepts orders again");
            }
            (client, reason) = renewals.next_or(async || tally.is_full().await) => {
                shifts.begin(shift(client)?);
                match reason {
                    Reason::Renewed => tracing::info!("certificates or encryption keys were renewed"),
                    Reason::Asked => tracing::info!("{FRESH}"),
                }
            }
            () = stop.asked() => {
                tracing::info!("stopping: running tasks finish first; press Ctrl-C again to stop immediately");
                stopping();
                shifts.stop();
                tokio::select! {
                    ended = shifts.ended() => ended?,
                    () = tokio::time::sleep(limit) => return Ok(cut_off(limit)),
                    () = stop.asked() => std::process::exit(130),
                }
                break;
            }
        }
    }
    tracing::info!("worker stopped");
    Ok(Ended::InOrder)
}

/// Waits until the inventory can be used, or until the worker is asked to stop. A worker that took orders
/// before that could only fail them.
pub(crate) async fn usable(inventory: &Inventory, stop: &mut Stop) -> bool {
    let mut told = None;
    loop {
        match inventory.identity().await {
            Ok(identity) => {
                tracing::debug!(inventory = identity.id, "the inventory can be used");
                return true;
            }
            Err(error) => {
                let error = error.to_string();
                // Said once, and again when the reason is another one.
                if told.as_ref() != Some(&error) {
                    tracing::error!(
                        "the worker takes no orders, for its inventory cannot be used: {error}"
                    );
                    told = Some(error);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INVENTORY_PAUSE) => {}
            () = stop.asked() => return false,
        }
    }
}

fn cut_off(limit: Duration) -> Ended {
    let limit = humantime::format_duration(limit);
    tracing::warn!(
        "worker stopped after {limit} and cut off the tasks that were still running; another worker \
         repeats them. A larger --shutdown-limit gives them more time"
    );
    Ended::CutOff
}

async fn metrics(args: &Args) -> anyhow::Result<Metrics> {
    let Some(address) = args.metrics_address else {
        return Ok(Metrics::unserved());
    };
    let metrics = Metrics::serve(address).await?;
    let address = metrics.address().unwrap_or(address);
    tracing::info!("metrics: http://{address}/metrics");
    warn_if_exposed(address, "--metrics-address");
    Ok(metrics)
}

fn warn_if_exposed(address: SocketAddr, flag: &str) {
    if !address.ip().is_loopback() {
        tracing::warn!(
            "{address} ({flag}) can be reached from other machines, without authentication and TLS"
        );
    }
}

fn build(
    runtime: &Runtime,
    client: Client,
    inventory: Inventory,
    figures: &OrderMetrics,
    tally: &Tally,
    args: &Args,
    register: Register,
) -> anyhow::Result<Worker> {
    let seed = args.fault_seed.unwrap_or_else(rand::random);
    tracing::debug!(seed, "faults");
    let faults = figures.clone();
    let activities = OrderActivities::new(
        Services::new(inventory),
        Faults::new(args.fault_rate, seed),
        args.hold.clone(),
    )
    .with_controls(args.controls.clone())
    .with_on_fault(Arc::new(move |activity, point| {
        faults.fault(activity, point)
    }));
    let mut options = register(WorkerOptions::new(&args.task_queue), activities)?
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .max_heartbeat_throttle_interval(HEARTBEAT_INTERVAL)
        .graceful_shutdown_period(args.shutdown_limit)
        .build();
    args.tuning.apply(&mut options);
    args.version.apply(&mut options);
    observe(&mut options, figures);
    tally.watch(&mut options);
    Ok(Worker::new(runtime, client, options)?)
}

/// Makes a worker tell what it does.
fn observe(options: &mut WorkerOptions, figures: &OrderMetrics) {
    options.workflow_interceptor(replay::interceptor());
    figures.watch(options);
    let figures = figures.clone();
    order_events::watch(options, Arc::new(move |outcome| figures.ended(outcome)));
}

/// The signals that ask a program to stop.
pub(crate) struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
