//! An order's steps as plain function calls: a program without Temporal.
//!
//! The services and the faults are the same as the activities'. What is missing is what Temporal
//! adds: a fault ends the order, and what a killed process was doing is forgotten.

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use activities::{
    Activity, Faults, Payment, Preparation, Reserving, Restocking, Services, Shipping,
    error::StepError, faults::FaultPoint,
};
use anyhow::bail;
use inventory::{Inventory, Placement};
use orders::{Item, Order};

use crate::{args::PlainArgs, sample::numbered_order};

/// How long a service takes to answer: about what a Temporal activity takes here from end to end,
/// so that kills hit both sides alike.
const ANSWER_TIME: Duration = Duration::from_millis(15);

/// Units that each order asks for.
pub const QUANTITY: u32 = 100;

/// Processes the orders one after the other, and says of each when it begins and how it ends.
///
/// # Errors
/// Returns an error if its output cannot be written.
pub async fn run(args: &PlainArgs) -> anyhow::Result<()> {
    let services = Services::new(Inventory::at(&args.database, SystemTime::now)?);
    let faults = Faults::new(args.fault_rate, args.seed);
    let mut out = std::io::stdout();
    for number in args.from..=args.to {
        let order = numbered_order(number, QUANTITY);
        writeln!(out, "begin {number}")?;
        match process(&services, &faults, &order).await {
            Ok(()) => writeln!(out, "end {number} completed")?,
            Err(error) => writeln!(out, "end {number} failed: {error}")?,
        }
    }
    Ok(())
}

/// The picture's lines, and nothing else.
async fn process(services: &Services, faults: &Faults, order: &Order) -> anyhow::Result<()> {
    let placement = Placement::new(&order.order_id, "plain");
    let payment = Payment {
        placement: placement.clone(),
        payment_info: order.payment_info.clone(),
    };
    let reserving = Reserving {
        placement: placement.clone(),
        items: order.items(),
    };
    let shipping = Shipping {
        placement: placement.clone(),
        parcel: Item::new(&order.item, order.quantity),
        deliver_to: None,
    };
    let restocking = Restocking {
        placement,
        product: order.item.clone(),
        round: 0,
        needed: 0,
    };
    let call = Call {
        faults,
        order_id: &order.order_id,
    };
    call.to(Activity::CheckFraud, async || {
        services.fraud_detection.check(&payment)
    })
    .await?;
    let prepared = call
        .to(Activity::PrepareShipment, async || {
            services.warehouse.reserve(&reserving).await
        })
        .await?;
    if !matches!(prepared, Preparation::Reserved(_)) {
        bail!("not reserved: {prepared:?}");
    }
    call.to(Activity::Charge, async || {
        services.payments.charge(&payment, 1).await
    })
    .await?;
    call.to(Activity::Ship, async || {
        services.warehouse.ship(&shipping).await
    })
    .await?;
    call.to(Activity::SupplierOrder, async || {
        services.supplier.deliver(&restocking).await
    })
    .await?;
    Ok(())
}

/// How an order calls the services.
struct Call<'a> {
    faults: &'a Faults,
    order_id: &'a str,
}

impl Call<'_> {
    /// One step: the service's time to answer, and the fault that the first attempt is due.
    async fn to<T>(
        &self,
        activity: Activity,
        work: impl AsyncFnOnce() -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let fault = self.faults.draw(self.order_id, activity, 1);
        if fault == Some(FaultPoint::Before) {
            return Err(StepError::Fault(activity.fault_messages().before));
        }
        tokio::time::sleep(ANSWER_TIME / 2).await;
        let answer = work().await?;
        tokio::time::sleep(ANSWER_TIME / 2).await;
        if fault == Some(FaultPoint::After) {
            return Err(StepError::Fault(activity.fault_messages().after));
        }
        Ok(answer)
    }
}
