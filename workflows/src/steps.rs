//! How each step calls its activity.

use activities::{Confirmation, OrderActivities, OrderTask, Preparation, Restocking};
use inventory::Order;
use temporalio_common::ActivityDefinition;
use temporalio_sdk::{
    ActivityExecutionError, ApplicationFailure, TimerOptions, WorkflowContext, WorkflowTermination,
};

use crate::{ProcessOrder, policies};

/// The steps of one order.
pub(crate) struct Steps {
    ctx: WorkflowContext<ProcessOrder>,
    task: OrderTask,
}

impl Steps {
    pub(crate) fn new(ctx: &WorkflowContext<ProcessOrder>, order: &Order) -> Self {
        Self {
            ctx: ctx.clone(),
            task: OrderTask {
                order: order.clone(),
                submission: ctx.info().first_execution_run_id().to_owned(),
            },
        }
    }

    pub(crate) async fn check_fraud(&self) -> Result<(), WorkflowTermination> {
        self.run(OrderActivities::check_fraud, self.task.clone())
            .await
    }

    /// Waits, if the order asks for it. The timer is the server's: it runs while no worker does.
    pub(crate) async fn pause(&self) {
        if let Some(pause) = self.task.order.pause() {
            self.ctx
                .timer(
                    TimerOptions::builder(pause)
                        .summary("the order asked for a pause".to_owned())
                        .build(),
                )
                .await;
        }
    }

    /// Reserves the stock. Where it is short, the supplier comes first; and as another order may
    /// take what was delivered, as often as it takes.
    pub(crate) async fn prepare_shipment(&self) -> Result<Preparation, WorkflowTermination> {
        for round in 1.. {
            let preparation = self
                .run(OrderActivities::prepare_shipment, self.task.clone())
                .await?;
            if !matches!(preparation, Preparation::OutOfStock { .. }) {
                return Ok(preparation);
            }
            if round > 1 {
                self.ctx.timer(policies::OUT_OF_STOCK_PAUSE).await;
            }
            self.restock(round, self.task.order.quantity).await?;
        }
        unreachable!("the rounds do not end")
    }

    pub(crate) async fn charge(&self) -> Result<Confirmation, WorkflowTermination> {
        self.run(OrderActivities::charge, self.task.clone()).await
    }

    pub(crate) async fn ship(&self) -> Result<Confirmation, WorkflowTermination> {
        self.run(OrderActivities::ship, self.task.clone()).await
    }

    /// Fills the shelf where stock fell below the minimum. Returns the units in stock.
    pub(crate) async fn supplier_order(&self) -> Result<u32, WorkflowTermination> {
        self.restock(0, 0).await
    }

    async fn restock(&self, round: u32, needed: u32) -> Result<u32, WorkflowTermination> {
        let restocking = Restocking {
            task: self.task.clone(),
            round,
            needed,
        };
        let delivery = self
            .run(OrderActivities::supplier_order, restocking)
            .await?;
        Ok(delivery.in_stock)
    }

    async fn run<A: ActivityDefinition>(
        &self,
        activity: A,
        input: A::Input,
    ) -> Result<A::Output, WorkflowTermination> {
        self.ctx
            .execute_activity(activity, input, policies::activity_options())
            .await
            .map_err(failed)
    }
}

/// The order's failure, in the activity's own words: whoever reads it has the order before them,
/// not the activity.
fn failed(error: ActivityExecutionError) -> WorkflowTermination {
    let failure = match &error {
        ActivityExecutionError::Failed(failed) => failed.cause().map(|cause| cause.failure()),
        _ => None,
    };
    let Some(failure) = failure else {
        return error.into();
    };
    let type_name = failure
        .maybe_application_failure()
        .map(|info| info.r#type.clone())
        .unwrap_or_default();
    ApplicationFailure::builder(failure.message.clone())
        .type_name(type_name)
        .non_retryable(true)
        .build()
        .into()
}
