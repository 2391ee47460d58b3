//! One order under way, and the one way in which its steps are run.

use std::{cell::RefCell, rc::Rc, time::Duration};

use activities::{Activity, Shipping, StepAnswer};
use inventory::{Identity, Placement};
use orders::Order;
use temporalio_common::ActivityDefinition;
use temporalio_sdk::{
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    workflows::select,
};

use crate::{
    ProcessOrder, policies,
    status::{ORDER_STATUS, OrderStatus, Waiting},
    stopped::Stopped,
};

/// Records the order's status for the query `status` and the current details and, if the order was
/// started with it, in the search attribute.
pub(crate) fn enter(ctx: &WorkflowContext<ProcessOrder>, status: OrderStatus) {
    ctx.state_mut(|workflow| workflow.progress.status = status);
    ctx.set_current_details(ctx.state(|workflow| workflow.progress.details()));
    if ctx.search_attributes().get(&ORDER_STATUS).is_some() {
        let update = ORDER_STATUS.value_set(status.to_string());
        ctx.upsert_search_attributes([update]);
    }
}

/// A step of an order: which activity it is, and which of several products it is about.
pub(crate) struct Step {
    activity: Activity,
    product: Option<String>,
    /// The text that the Web UI shows beside it.
    summary: Option<String>,
}

impl From<Activity> for Step {
    fn from(activity: Activity) -> Self {
        Self {
            activity,
            product: None,
            summary: None,
        }
    }
}

/// The compensation of a step that has an effect outside; `undo.rs` has the pairs.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    /// Put the stock back.
    Release,
    /// Give the payment back.
    Refund,
    /// Call the item back.
    Recall(Box<Shipping>),
}

/// One running order, with what its steps need.
#[derive(Clone)]
pub(crate) struct OrderRun {
    pub(crate) ctx: WorkflowContext<ProcessOrder>,
    pub(crate) order: Order,
    pub(crate) placement: Rc<RefCell<Placement>>,
    /// Cancelled when the order is to stop. It is not the workflow's own token, because nothing may
    /// cancel an order once all of it has shipped.
    pub(crate) stop: WorkflowCancellationToken,
    /// What to undo if the order stops, in the order in which the steps started.
    pub(crate) to_undo: Rc<RefCell<Vec<Undo>>>,
}

impl OrderRun {
    pub(crate) fn new(ctx: &WorkflowContext<ProcessOrder>, order: Order) -> Self {
        Self {
            ctx: ctx.clone(),
            placement: Rc::new(RefCell::new(Placement::new(
                &order.order_id,
                ctx.info().first_execution_run_id(),
            ))),
            order,
            stop: WorkflowCancellationToken::new(),
            to_undo: Rc::default(),
        }
    }

    /// Which submission of the order this is: its number is the ID of the workflow's first run. That
    /// stays the same when the workflow is reset, so a reset order is not charged again.
    pub(crate) fn placement(&self) -> Placement {
        self.placement.borrow().clone()
    }

    /// From here on, the order belongs to this inventory: each step names it, and a worker that uses
    /// another one leaves the step to the others.
    pub(crate) fn belongs_to(&self, inventory: Identity) {
        self.placement.borrow_mut().inventory = Some(inventory);
    }

    pub(crate) fn has_several_items(&self) -> bool {
        !self.order.more_items.is_empty()
    }

    pub(crate) fn enter(&self, status: OrderStatus) {
        enter(&self.ctx, status);
    }

    /// A step for one of the order's items. If the order has several, the step names the product.
    pub(crate) fn step_about(&self, activity: Activity, product: &str, summary: String) -> Step {
        let several = self.has_several_items();
        Step {
            activity,
            product: several.then(|| product.to_owned()),
            summary: several.then_some(summary),
        }
    }

    /// Runs a step's activity, unless the order is to stop.
    pub(crate) async fn run<A>(
        &self,
        step: impl Into<Step>,
        activity: A,
        input: A::Input,
    ) -> Result<A::Output, Stopped>
    where
        A: ActivityDefinition<Output: StepAnswer>,
    {
        let step = step.into();
        let options = policies::activity_options(&self.stop, step.summary.clone());
        self.noted(step, async {
            self.ctx.execute_activity(activity, input, options).await
        })
        .await
    }

    /// Runs a step's activity within the workflow's own task, unless the order is to stop. This is
    /// for a step without an effect outside: a worker that dies in that task leaves no trace of it.
    pub(crate) async fn run_locally<A>(
        &self,
        step: impl Into<Step>,
        activity: A,
        input: A::Input,
    ) -> Result<A::Output, Stopped>
    where
        A: ActivityDefinition<Output: StepAnswer>,
    {
        let options = policies::local_activity_options(&self.stop);
        self.noted(step.into(), async {
            self.ctx
                .execute_local_activity(activity, input, options)
                .await
        })
        .await
    }

    /// Does the work of a step: records that it began and how it ended, and turns its error into a
    /// reason to stop. Nothing is done if the order is to stop already.
    pub(crate) async fn noted<T: StepAnswer, E: Into<Stopped>>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stopped> {
        self.go_on()?;
        let Step {
            activity, product, ..
        } = step;
        let place = self
            .ctx
            .state_mut(|workflow| workflow.progress.begin(activity, product));
        let ended = work.await;
        self.ctx.state_mut(|workflow| match &ended {
            Ok(answer) => workflow.progress.done(place, answer),
            Err(_) => workflow.progress.failed(place),
        });
        // A step that ended because the order is to stop says so in several ways: it was cancelled,
        // or it is not tried again.
        ended.map_err(|error| self.go_on().err().unwrap_or_else(|| error.into()))
    }

    /// Records that a step is not needed, because so many units are in stock. Returns their number.
    pub(crate) fn skip(&self, step: Step, in_stock: u32) -> u32 {
        let Step {
            activity, product, ..
        } = step;
        self.ctx.state_mut(|workflow| {
            workflow.progress.skip(activity, product, in_stock);
        });
        in_stock
    }

    /// Waits this long. The timer runs on the server, even while no worker does.
    pub(crate) async fn sleep(&self, time: Duration, summary: &str) -> Result<(), Stopped> {
        self.go_on()?;
        self.waiting(summary, time);
        self.ctx.timer(self.timer(time, summary, &self.stop)).await;
        self.waits_no_more();
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
        self.waiting(summary, at_most);
        select! {
            _ = met => {}
            _ = timer => {}
        }
        self.waits_no_more();
        // A timer that nobody waits for would be left to run.
        over.cancel();
        self.go_on()
    }

    /// Records what the order waits for, and for how long at most.
    fn waiting(&self, what: &str, at_most: Duration) {
        let until = self.ctx.workflow_time();
        let until = until.and_then(|now| now.checked_add(at_most));
        self.set_waiting(until.map(|until| Waiting {
            what: what.to_owned(),
            until,
        }));
    }

    fn waits_no_more(&self) {
        self.set_waiting(None);
    }

    fn set_waiting(&self, waiting: Option<Waiting>) {
        let details = self.ctx.state_mut(|workflow| {
            workflow.progress.waiting = waiting;
            workflow.progress.details()
        });
        self.ctx.set_current_details(details);
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

    /// Returns an error if the order is to stop.
    pub(crate) fn go_on(&self) -> Result<(), Stopped> {
        if self.stop.is_cancelled() {
            Err(Stopped::Cancelled)
        } else {
            Ok(())
        }
    }
}
