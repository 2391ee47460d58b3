//! An order's steps as plain function calls: what a program does that nobody helps.
//!
//! The services and the faults are the same as the activities'. What is missing is what Temporal
//! adds: a fault ends the order, and what a killed process was doing is forgotten.

use std::{
    io::Write,
    thread,
    time::{Duration, SystemTime},
};

use activities::{
    Activity, Faults, OrderTask, Preparation, Restocking, Services, Shipping, charge, check_fraud,
    error::StepError, faults::FaultPoint, prepare_shipment, ship, supplier_order,
};
use anyhow::bail;
use inventory::Inventory;

use crate::{args::PlainArgs, demos::numbered_order};

/// How long a service takes to answer: about what a Temporal activity takes here from end to end,
/// so that kills hit both sides alike.
const ANSWER_TIME: Duration = Duration::from_millis(15);

/// Units that each order asks for.
pub const QUANTITY: u32 = 100;

/// Processes the orders one after the other, and says of each when it begins and how it ends.
///
/// # Errors
/// Where nobody reads what it says.
pub fn run(args: &PlainArgs) -> anyhow::Result<()> {
    let services = Services::new(Inventory::at(&args.database, SystemTime::now));
    let faults = Faults::new(args.fault_rate, args.seed);
    let mut out = std::io::stdout();
    for number in args.from..=args.to {
        let task = OrderTask {
            order: numbered_order(number, QUANTITY),
            submission: "plain".to_owned(),
        };
        writeln!(out, "begin {number}")?;
        match process(&services, &faults, &task) {
            Ok(()) => writeln!(out, "end {number} completed")?,
            Err(error) => writeln!(out, "end {number} failed: {error}")?,
        }
    }
    Ok(())
}

/// The picture's lines, and nothing else.
fn process(services: &Services, faults: &Faults, task: &OrderTask) -> anyhow::Result<()> {
    call(faults, Activity::CheckFraud, task, || {
        check_fraud::check_fraud(services, task.clone())
    })?;
    let prepared = call(faults, Activity::PrepareShipment, task, || {
        prepare_shipment::prepare_shipment(services, task.clone())
    })?;
    if !matches!(prepared, Preparation::Reserved { .. }) {
        bail!("not reserved: {prepared:?}");
    }
    call(faults, Activity::Charge, task, || {
        charge::charge(services, task.clone(), 1)
    })?;
    call(faults, Activity::Ship, task, || {
        let shipping = Shipping {
            task: task.clone(),
            parcel: None,
            deliver_to: None,
        };
        ship::ship(services, shipping)
    })?;
    call(faults, Activity::SupplierOrder, task, || {
        let restocking = Restocking {
            task: task.clone(),
            round: 0,
            needed: 0,
            product: None,
        };
        supplier_order::supplier_order(services, restocking)
    })?;
    Ok(())
}

/// One step: the service's time to answer, and the fault that the first attempt is due.
fn call<T>(
    faults: &Faults,
    activity: Activity,
    task: &OrderTask,
    work: impl FnOnce() -> Result<T, StepError>,
) -> Result<T, StepError> {
    let fault = faults.draw(&task.order.order_id, activity, 1);
    if fault == Some(FaultPoint::Before) {
        return Err(StepError::Fault(activity.fault_messages().before));
    }
    thread::sleep(ANSWER_TIME / 2);
    let answer = work()?;
    thread::sleep(ANSWER_TIME / 2);
    if fault == Some(FaultPoint::After) {
        return Err(StepError::Fault(activity.fault_messages().after));
    }
    Ok(answer)
}
