//! Releases with a bug, for the demo that fixes it under running orders.
#![allow(
    dead_code,
    reason = "the macros write constants that only a caller would use"
)]

use std::sync::Arc;

use activities::{Attempted, OrderActivities, Payment, Shipping};
use clap::ValueEnum;
use inventory::{Confirmation, Placement};
use orders::Order;
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, WorkerOptionsBuilder, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowRegistrationError, WorkflowResult,
    activities::{ActivityContext, ActivityError},
};
use worker::Register;
use workflows::{ORDER_STATUS, OrderInput, OrderResult, OrderStatus, ShipItem, policies};

/// Where a release has its bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The activity Ship panics.
    Activity,
    /// The workflow panics after the fraud check.
    Workflow,
}

impl Bug {
    /// The code of a release with this bug.
    pub fn code(self) -> Register {
        match self {
            Self::Activity => with_bug_in_an_activity,
            Self::Workflow => with_bug_in_the_workflow,
        }
    }
}

fn with_bug_in_an_activity(
    options: WorkerOptionsBuilder,
    activities: OrderActivities,
) -> Result<WorkerOptionsBuilder, WorkflowRegistrationError> {
    // Registered last, it takes the place of the activity of the same name.
    Ok(worker::register(options, activities)?.register_activities(ShipWithBug))
}

fn with_bug_in_the_workflow(
    options: WorkerOptionsBuilder,
    activities: OrderActivities,
) -> Result<WorkerOptionsBuilder, WorkflowRegistrationError> {
    options
        .register_activities(activities)
        .register_workflow::<ShipItem>()?
        .register_workflow::<ProcessOrderWithBug>()
}

struct ShipWithBug;

#[activities]
impl ShipWithBug {
    #[activity(name = "Ship")]
    async fn ship(
        self: Arc<Self>,
        _: ActivityContext,
        _: Shipping,
    ) -> Result<Attempted<Confirmation>, ActivityError> {
        panic!("index out of bounds: the len is 0 but the index is 0")
    }
}

/// `ProcessOrder` as a release with a bug would have it: it panics after the fraud check. The
/// history stays valid, because the fixed code issues the same commands up to there.
#[workflow]
struct ProcessOrderWithBug {
    order: Result<Order, String>,
}

#[workflow_methods]
impl ProcessOrderWithBug {
    #[init]
    fn new(ctx: &WorkflowContextView, input: OrderInput) -> Self {
        Self {
            order: input.order(ctx.workflow_id()),
        }
    }

    #[run(name = "ProcessOrder")]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderResult> {
        let order = ctx.state(|workflow| workflow.order.clone());
        let order = order.map_err(|reason| ApplicationFailure::builder(reason).build())?;
        let payment = Payment {
            placement: Placement::new(&order.order_id, ctx.info().first_execution_run_id()),
            payment_info: order.payment_info,
        };
        if ctx.search_attributes().get(&ORDER_STATUS).is_some() {
            let status = OrderStatus::CheckingFraud.to_string();
            ctx.upsert_search_attributes([ORDER_STATUS.value_set(status)]);
        }
        let options = policies::activity_options(&WorkflowCancellationToken::new(), None);
        ctx.execute_activity(OrderActivities::check_fraud, payment, options)
            .await?;
        panic!("called `Option::unwrap()` on a `None` value")
    }
}
