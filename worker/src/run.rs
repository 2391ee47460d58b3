//! Connects, registers, runs, and stops in order.

use std::time::{Duration, SystemTime};

use activities::{Activity, Faults, OrderActivities, Services};
use anyhow::Context;
use inventory::Inventory;
use temporalio_client::Client;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use workflows::{ORDER_STATUS, ProcessOrder, ProcessOrderWithBug, ShipItem};

use crate::{
    args::{Args, Bug},
    shifts::Shifts,
};

/// How long an order that this worker knew may wait for it before another worker gets it. It is
/// how long an order stands still when its worker is killed between two steps; the SDK's own
/// figure is 10 s.
const STICKY_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest pause between two heartbeats that are sent on. The SDK's own figure, 4/5 of the
/// heartbeat timeout, leaves a busy machine too little time.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// How long activities may go on after the worker was asked to stop. They take milliseconds; what
/// is cut off is done again by another worker.
const GRACE: Duration = Duration::from_secs(10);

/// What the log says when the worker takes orders.
pub const READY: &str = "worker ready";

/// Runs a worker until Ctrl-C or SIGTERM. It stops in order: no new tasks are taken, those under
/// way are ended. A second signal ends it at once.
///
/// # Errors
/// Where the settings are wrong, or the server refuses the worker.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let connecting = args
        .connect
        .connect_renewably("order-management-worker", stop.asked());
    let Some(mut renewals) = connecting.await? else {
        return Ok(());
    };
    if let Err(error) = temporal::ensure_keyword(&client, ORDER_STATUS.name()).await {
        tracing::warn!("orders can be listed, but not by their status: {error}");
    }
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let mut shifts = Shifts::default();
    shifts.begin(build(&runtime, renewals.client().clone(), &args)?);
    tracing::info!(
        pid = std::process::id(),
        task_queue = args.task_queue,
        database = %args.database.display(),
        fault_rate = %args.fault_rate,
        "{READY}"
    );
    loop {
        tokio::select! {
            ended = shifts.ended() => {
                let Err(error) = ended else { break };
                // The SDK gives up on a server that refuses an API key for a minute.
                let Some(refusal) = renewals.refusal().await else {
                    return Err(error);
                };
                tracing::warn!("no orders are taken: {refusal}");
                let Some(client) = renewals.reconnect(stop.asked()).await? else {
                    break;
                };
                shifts.begin(build(&runtime, client, &args)?);
                tracing::info!("orders are taken again");
            }
            client = renewals.next() => {
                shifts.begin(build(&runtime, client, &args)?);
                tracing::info!("certificates or encryption keys were renewed");
            }
            () = stop.asked() => {
                tracing::info!("stopping: what is under way is ended first; again to stop at once");
                shifts.stop();
                tokio::select! {
                    ended = shifts.ended() => ended?,
                    () = stop.asked() => std::process::exit(130),
                }
                break;
            }
        }
    }
    tracing::info!("worker stopped");
    Ok(())
}

fn build(runtime: &Runtime, client: Client, args: &Args) -> anyhow::Result<Worker> {
    let inventory = Inventory::at(&args.database, SystemTime::now);
    let seed = args.fault_seed.unwrap_or_else(rand::random);
    tracing::debug!(seed, "faults");
    let mut activities = OrderActivities::new(
        Services::new(inventory),
        Faults::new(args.fault_rate, seed),
        args.hold.clone(),
    );
    if args.bug == Some(Bug::Activity) {
        activities = activities.with_bug(Activity::Ship);
    }
    let options = WorkerOptions::new(&args.task_queue)
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .max_heartbeat_throttle_interval(HEARTBEAT_INTERVAL)
        .graceful_shutdown_period(GRACE)
        .register_activities(activities)
        .register_workflow::<ShipItem>()?;
    let options = match args.bug {
        Some(Bug::Workflow) => options.register_workflow::<ProcessOrderWithBug>()?,
        _ => options.register_workflow::<ProcessOrder>()?,
    };
    let options = options.build();
    Ok(Worker::new(runtime, client, options)?)
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
