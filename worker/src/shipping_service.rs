//! The shipping service of another team: two Nexus operations, each backed by a workflow.
//!
//! It stands for a team with a namespace, a task queue and workers of its own. An order's worker knows its
//! endpoint and the names in [`workflows::shipping_service`], and nothing else. As the courier is simulated, both keep
//! their records in the same inventory, which is what makes it visible that nothing ships twice.

use std::time::SystemTime;

use activities::{Faults, OrderActivities, Services, Shipping};
use inventory::Inventory;
use temporal::{
    ConnectArgs,
    nexus::{NexusServer, OperationError, Service, ensure_endpoint},
    telemetry::Metrics,
};
use temporalio_client::Client;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use workflows::{
    Lenient, RecallItem, ShipItem,
    shipping_service::{ENDPOINT, RECALL, SERVICE, SHIP},
};

use crate::{
    args::ShippingServiceArgs,
    run::{Ended, HEARTBEAT_INTERVAL, STICKY_TIMEOUT, Stop, until_stopped, usable},
    shifts::{Shift, Shifts, Tally},
};

/// What the service is called on the server.
const CLIENT_NAME: &str = "shipping-service";

/// The log line that says that the service takes calls.
pub const READY: &str = "shipping service ready";

/// Runs the service until Ctrl-C or SIGTERM.
///
/// # Errors
/// Returns an error if a setting is wrong, or the Temporal server refuses the service.
pub async fn run(args: &ShippingServiceArgs) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    run_until(&mut stop, args).await?.exit();
    Ok(())
}

async fn run_until(stop: &mut Stop, args: &ShippingServiceArgs) -> anyhow::Result<Ended> {
    let connect = ConnectArgs {
        create_namespace: true,
        ..args.connect.clone()
    };
    let connecting = connect.connect_renewably(CLIENT_NAME, None, stop.asked());
    let Some(renewals) = connecting.await? else {
        return Ok(Ended::InOrder);
    };
    if let Err(error) = ensure_endpoint(renewals.client(), ENDPOINT, &args.task_queue).await {
        tracing::warn!("{error}");
    }
    let inventory = Inventory::at(&args.database, SystemTime::now)?;
    if !usable(&inventory, stop).await {
        return Ok(Ended::InOrder);
    }
    let runtime = Metrics::unserved().runtime()?;
    let shift = |client: Client| {
        let nexus = NexusServer::new(&client, &args.task_queue, service())?;
        let connection = client.connection().clone();
        let worker = worker(&runtime, client, inventory.clone(), args)?;
        Ok(Shift::of(worker, &connection, Tally::up_to(u64::MAX)).and(nexus))
    };
    let shifts = Shifts::begun_by(shift(renewals.client().clone())?);
    tracing::info!(
        pid = std::process::id(),
        server = renewals.address(),
        namespace = renewals.client().options().namespace,
        task_queue = args.task_queue,
        endpoint = ENDPOINT,
        database = %inventory.location(),
        "{READY}"
    );
    let limit = args.shutdown_limit;
    until_stopped(stop, renewals, shifts, limit, shift, || ()).await
}

/// The operations. A shipment and its recall have one workflow each however often they are called.
fn service() -> Service {
    Service::new(SERVICE)
        .workflow(SHIP, ShipItem::run, |shipping| workflow_id(shipping, SHIP))
        .workflow(RECALL, RecallItem::run, |shipping| {
            workflow_id(shipping, RECALL)
        })
}

fn workflow_id(shipping: &Lenient<Shipping>, operation: &str) -> Result<String, OperationError> {
    let bad = |error: &dyn std::fmt::Display| {
        OperationError::BadRequest(format!("invalid shipment: {error}"))
    };
    let shipping = shipping.get().map_err(|error| bad(&error))?;
    shipping.check_limits().map_err(|error| bad(&error))?;
    let product = &shipping.parcel.product;
    Ok(format!("{}/{product}", shipping.placement.key(operation)))
}

fn worker(
    runtime: &Runtime,
    client: Client,
    inventory: Inventory,
    args: &ShippingServiceArgs,
) -> anyhow::Result<Worker> {
    let activities = OrderActivities::new(
        Services::new(inventory),
        Faults::new(args.fault_rate, rand::random()),
        args.hold.clone(),
    );
    let options = WorkerOptions::new(&args.task_queue)
        .register_activities(activities)
        .register_workflow::<ShipItem>()?
        .register_workflow::<RecallItem>()?
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .max_heartbeat_throttle_interval(HEARTBEAT_INTERVAL)
        .graceful_shutdown_period(args.shutdown_limit)
        .build();
    Ok(Worker::new(runtime, client, options)?)
}
