//! What the steps of an order share: how an activity is run, noted and stopped.

use std::{cell::RefCell, fmt::Display, rc::Rc, time::Duration};

use activities::OrderTask;
use orders::Order;
use temporalio_common::{
    ActivityDefinition, error::IncomingError, protos::temporal::api::failure::v1::Failure,
};
use temporalio_sdk::{
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    workflows::select,
};

use crate::{
    ProcessOrder, policies,
    status::{ORDER_STATUS, OrderStatus},
    stopped::{Stopped, failed},
    undo::Undo,
};

/// Notes how an order stands, for whoever asks and, where the order was given the search attribute,
/// for whoever searches.
pub(crate) fn enter(ctx: &WorkflowContext<ProcessOrder>, status: OrderStatus) {
    ctx.state_mut(|workflow| workflow.progress.status = status);
    if ctx.search_attributes().get(&ORDER_STATUS).is_some() {
        let update = ORDER_STATUS.value_set(status.to_string());
        ctx.upsert_search_attributes([update]);
    }
}

/// One order under way.
#[derive(Clone)]
pub(crate) struct Steps {
    pub(crate) ctx: WorkflowContext<ProcessOrder>,
    pub(crate) task: OrderTask,
    /// Cancelled when the order is to stop. It is not the workflow's own: once all of an order has
    /// shipped, nothing cancels it any more.
    pub(crate) stop: WorkflowCancellationToken,
    /// What is to be undone if the order stops, in the order in which it was begun.
    pub(crate) to_undo: Rc<RefCell<Vec<Undo>>>,
}

impl Steps {
    pub(crate) fn new(ctx: &WorkflowContext<ProcessOrder>, order: Order) -> Self {
        Self {
            ctx: ctx.clone(),
            task: OrderTask {
                order,
                submission: ctx.info().first_execution_run_id().to_owned(),
            },
            stop: ctx.state(|workflow| workflow.stop.clone()),
            to_undo: Rc::default(),
        }
    }

    pub(crate) fn has_several_items(&self) -> bool {
        !self.task.order.more_items.is_empty()
    }

    pub(crate) fn enter(&self, status: OrderStatus) {
        enter(&self.ctx, status);
    }

    /// Runs an activity, unless the order is to stop.
    pub(crate) async fn run<A: ActivityDefinition>(
        &self,
        activity: A,
        input: A::Input,
        summary: Option<String>,
    ) -> Result<A::Output, Stopped> {
        self.go_on()?;
        let options = policies::activity_options(&self.stop, summary);
        self.ctx
            .execute_activity(activity, input, options)
            .await
            .map_err(|error| self.stopped(error.failure(), error.cause(), &error))
    }

    /// Runs an activity within the workflow's own task, unless the order is to stop. For a step
    /// without an effect outside: a worker that dies in that task leaves no trace of it.
    pub(crate) async fn run_locally<A: ActivityDefinition>(
        &self,
        activity: A,
        input: A::Input,
    ) -> Result<A::Output, Stopped> {
        self.go_on()?;
        let options = policies::local_activity_options(&self.stop);
        self.ctx
            .execute_local_activity(activity, input, options)
            .await
            .map_err(|error| self.stopped(error.failure(), error.cause(), &error))
    }

    /// Notes that a step is begun. Returns its place.
    pub(crate) fn begin(&self, step: &str, product: Option<&str>) -> usize {
        self.ctx
            .state_mut(|workflow| workflow.progress.begin(step, product))
    }

    /// Notes how the step at `place` ended. `told` gives its attempts and its confirmation.
    pub(crate) fn end<T>(
        &self,
        place: usize,
        ended: Result<T, Stopped>,
        told: impl FnOnce(&T) -> (u32, Option<String>),
    ) -> Result<T, Stopped> {
        self.ctx.state_mut(|workflow| match &ended {
            Ok(answer) => {
                let (attempts, confirmation) = told(answer);
                workflow.progress.done(place, attempts, confirmation);
            }
            Err(_) => workflow.progress.failed(place),
        });
        ended
    }

    /// Waits this long. The timer is the server's: it runs while no worker does.
    pub(crate) async fn sleep(&self, time: Duration, summary: &str) -> Result<(), Stopped> {
        self.go_on()?;
        self.ctx.timer(self.timer(time, summary, &self.stop)).await;
        self.go_on()
    }

    /// Waits until `met` says so, and at most this long.
    pub(crate) async fn wait_for(
        &self,
        at_most: Duration,
        summary: &str,
        met: impl FnMut(&ProcessOrder) -> bool,
    ) -> Result<(), Stopped> {
        self.go_on()?;
        let over = self.stop.child_token();
        let stopping = WaitConditionOptions::builder()
            .cancellation_token(self.stop.clone())
            .build();
        let mut met = Box::pin(self.ctx.wait_condition_with_options(met, stopping));
        let mut timer = Box::pin(self.ctx.timer(self.timer(at_most, summary, &over)));
        select! {
            _ = met => {}
            _ = timer => {}
        }
        // A timer that nobody waits for would be left to run.
        over.cancel();
        self.go_on()
    }

    fn timer(
        &self,
        time: Duration,
        summary: &str,
        stop: &WorkflowCancellationToken,
    ) -> TimerOptions {
        TimerOptions::builder(time)
            .cancellation_token(stop.clone())
            .summary(summary.to_owned())
            .build()
    }

    /// Whether the order may go on.
    pub(crate) fn go_on(&self) -> Result<(), Stopped> {
        if self.stop.is_cancelled() {
            Err(Stopped::Cancelled)
        } else {
            Ok(())
        }
    }

    /// What the failure of a step means. One that ended because the order is to stop says so in
    /// several ways: cancelled, or not tried again.
    pub(crate) fn stopped(
        &self,
        failure: Option<&Failure>,
        cause: Option<&IncomingError>,
        error: &impl Display,
    ) -> Stopped {
        if self.stop.is_cancelled() {
            Stopped::Cancelled
        } else {
            failed(failure, cause, error)
        }
    }
}
