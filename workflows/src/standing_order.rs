//! An order that is placed again and again, for years: a workflow that renews itself.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orders::{Order, limits::MAX_INTERVAL};
use serde::{Deserialize, Serialize};
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, ChildWorkflowOptions, ChildWorkflowStartError, ContinueAsNewOptions,
    ContinueAsNewVersioningBehavior, ParentClosePolicy, StartChildWorkflowExecutionFailedCause,
    SyncWorkflowContext, TimerOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowIdReusePolicy, WorkflowResult, WorkflowTermination,
    workflows::select,
};

use crate::{Lenient, ORDER_STATUS, OrderInput, OrderStatus, ProcessOrder, policies};

/// After how many orders a standing order continues as new, if it is told nothing else. Each adds about a
/// dozen events to the history; the server would have it continue after some 4,000.
pub const RENEW_AFTER: u32 = 100;

/// The latest time at which an order may be due, in seconds since 1970: a later one cannot be a part of its name.
const LAST_DUE: u64 = 250_000_000_000;

/// What is ordered again and again, and how far it is: the input of each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The order, without an ID: each that is placed gets one of its own.
    pub order: Order,
    /// The seconds from one order to the next.
    pub every_seconds: u64,
    /// Whether the orders carry the search attribute for their status, which the namespace must know.
    pub listed: bool,
    /// After how many orders the workflow continues as new.
    pub renew_after: u32,
    /// How many orders were placed, in all runs.
    #[serde(default)]
    pub placed: u64,
    /// When the next order is due, in seconds since 1970. The first is due at once.
    #[serde(default)]
    pub due: Option<u64>,
    /// Whether no orders are placed until somebody resumes it.
    #[serde(default)]
    pub paused: bool,
    /// Whether somebody ended it. It then places no more orders.
    #[serde(default)]
    pub ended: bool,
}

impl Standing {
    /// A standing order of which nothing was placed yet.
    pub fn new(order: Order, every: Duration, listed: bool) -> Self {
        Self {
            order,
            every_seconds: every.as_secs(),
            listed,
            renew_after: RENEW_AFTER,
            placed: 0,
            due: None,
            paused: false,
            ended: false,
        }
    }

    /// The order that is due now, named after the standing order and the time.
    pub fn order_due(&self, name: &str) -> Order {
        let due = UNIX_EPOCH + Duration::from_secs(self.due.unwrap_or_default());
        let due = humantime::format_rfc3339_seconds(due);
        self.order.clone().named(&format!("{name}-{due}"))
    }

    /// Checks that each order could be placed.
    ///
    /// # Errors
    /// Returns what is wrong.
    pub fn check(&self, name: &str) -> Result<(), String> {
        if !(1..=MAX_INTERVAL.as_secs()).contains(&self.every_seconds) {
            return Err(format!(
                "everySeconds is {}, and must be from 1 to {}",
                self.every_seconds,
                MAX_INTERVAL.as_secs()
            ));
        }
        if let Some(due) = self.due.filter(|due| *due > LAST_DUE) {
            return Err(format!("due is {due}, and must be at most {LAST_DUE}"));
        }
        let order = self.order_due(name);
        order.validate().map_err(|error| error.to_string())
    }

    /// Moves on to the first time after `now` that is a whole number of intervals away. So a pause, or a time
    /// without a worker, is not followed by all the orders that it left out.
    fn move_on(&mut self, now: u64) {
        let due = self.due.unwrap_or(now);
        let intervals = now.saturating_sub(due) / self.every_seconds + 1;
        self.due = Some(due + intervals * self.every_seconds);
    }
}

/// Places an order, waits, and places the next. After some orders it *continues as new*: it ends, and the
/// server starts it again under the same ID, with an empty history and what this run hands on. So no history
/// grows for ever, and code that only old histories need can go one day.
#[workflow]
pub struct StandingOrder {
    standing: Result<Standing, String>,
}

/// The methods a client names.
#[workflow_methods]
impl StandingOrder {
    #[init]
    fn new(ctx: &WorkflowContextView, input: Lenient<Standing>) -> Self {
        let standing = input.read().map_err(|error| error.to_string());
        Self {
            standing: standing.and_then(|it| it.check(ctx.workflow_id()).map(|()| it)),
        }
    }

    /// Places orders until it is ended, and returns how many.
    #[run(name = "StandingOrder")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u64> {
        let mut in_this_run = 0;
        let mut standing = look(ctx)?;
        if standing.due.is_none() {
            change(ctx, |standing, now| standing.due = Some(now));
        }
        while until_due(ctx).await? {
            place(ctx).await?;
            change(ctx, |standing, now| {
                standing.placed += 1;
                standing.move_on(now);
            });
            in_this_run += 1;
            standing = look(ctx)?;
            let renew = in_this_run >= standing.renew_after
                || ctx.continue_as_new_suggested()
                || ctx.target_worker_deployment_version_changed();
            if renew && !standing.ended {
                let options = ContinueAsNewOptions::builder()
                    // With worker versioning, a run stays on its build. Here it moves to the current one.
                    .initial_versioning_behavior(ContinueAsNewVersioningBehavior::AutoUpgrade)
                    .build();
                ctx.continue_as_new(standing.into(), options)?;
            }
        }
        Ok(look(ctx)?.placed)
    }

    /// Returns what is ordered, and how far it is.
    #[query(name = "standing")]
    pub fn standing(&self, _: &WorkflowContextView, _nothing: Lenient<()>) -> Option<Standing> {
        self.standing.as_ref().ok().cloned()
    }

    /// Places no orders until it is resumed.
    #[signal(name = "pause")]
    pub fn pause(&mut self, _: &mut SyncWorkflowContext<Self>, _nothing: Lenient<()>) {
        self.tell(|standing| standing.paused = true);
    }

    /// Places orders again.
    #[signal(name = "resume")]
    pub fn resume(&mut self, _: &mut SyncWorkflowContext<Self>, _nothing: Lenient<()>) {
        self.tell(|standing| standing.paused = false);
    }

    /// Places no more orders. Those that were placed go on.
    #[signal(name = "end")]
    pub fn end(&mut self, _: &mut SyncWorkflowContext<Self>, _nothing: Lenient<()>) {
        self.tell(|standing| standing.ended = true);
    }
}

impl StandingOrder {
    fn tell(&mut self, change: impl FnOnce(&mut Standing)) {
        if let Ok(standing) = &mut self.standing {
            change(standing);
        }
    }

    fn is(&self, what: impl FnOnce(&Standing) -> bool) -> bool {
        self.standing.as_ref().is_ok_and(what)
    }
}

/// How it stands. What is handed on is read here each time, because a signal may have changed it.
fn look(ctx: &WorkflowContext<StandingOrder>) -> Result<Standing, WorkflowTermination> {
    let standing = ctx.state(|workflow| workflow.standing.clone());
    standing.map_err(|reason| {
        let failure = ApplicationFailure::builder(format!("invalid standing order: {reason}"))
            .type_name("InvalidStandingOrder".to_owned())
            .non_retryable(true)
            .build();
        failure.into()
    })
}

fn change(ctx: &WorkflowContext<StandingOrder>, change: impl FnOnce(&mut Standing, u64)) {
    let now = seconds(ctx.workflow_time());
    ctx.state_mut(|workflow| workflow.tell(|standing| change(standing, now)));
}

fn seconds(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs()
}

/// Waits until an order is due. Returns false if it was ended first.
async fn until_due(ctx: &WorkflowContext<StandingOrder>) -> Result<bool, WorkflowTermination> {
    loop {
        let standing = look(ctx)?;
        let due = UNIX_EPOCH + Duration::from_secs(standing.due.unwrap_or_default());
        let left = due.duration_since(ctx.workflow_time().unwrap_or(due));
        let left = left.unwrap_or_default();
        if ctx.cancellation_token().is_cancelled() {
            return Err(WorkflowTermination::cancelled());
        }
        if standing.ended {
            return Ok(false);
        }
        if !left.is_zero() {
            sleep(ctx, left).await;
        } else if standing.paused {
            let told = |workflow: &StandingOrder| workflow.is(|it| !it.paused || it.ended);
            // The loop sees it if the workflow is cancelled.
            let _ = ctx.wait_condition(told).await;
            change(ctx, Standing::move_on);
        } else {
            return Ok(true);
        }
    }
}

/// Waits this long, or until the standing order is ended.
async fn sleep(ctx: &WorkflowContext<StandingOrder>, time: Duration) {
    let over = ctx.cancellation_token().child_token();
    let timer = TimerOptions::builder(time)
        .cancellation_token(over.clone())
        .build();
    let mut timer = Box::pin(ctx.timer(timer));
    let mut ended = Box::pin(ctx.wait_condition(|workflow| workflow.is(|it| it.ended)));
    select! {
        _ = ended => {}
        _ = timer => {}
    }
    // A timer that nobody waits for would be left to run.
    over.cancel();
}

/// Places the order that is due, as a child workflow that outlives this one. It waits for the start only: the
/// child must be started before this run may end.
async fn place(ctx: &WorkflowContext<StandingOrder>) -> Result<(), WorkflowTermination> {
    let standing = look(ctx)?;
    let order = standing.order_due(ctx.workflow_id());
    let received = ORDER_STATUS.value_set(OrderStatus::Received.to_string());
    let listed = standing.listed;
    let options = ChildWorkflowOptions::builder()
        .workflow_id(order.order_id.clone())
        .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancellation_token(WorkflowCancellationToken::new())
        .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
        .static_summary(order.to_string())
        .maybe_search_attributes(listed.then(|| SearchAttributes::new([received])))
        .build();
    let started = ctx.start_child_workflow(ProcessOrder::run, OrderInput::from(order), options);
    match started.await {
        // An order of this time exists if somebody reset the workflow to a point before it was placed.
        Ok(_)
        | Err(ChildWorkflowStartError::StartFailed {
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
            ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monthly(due: u64) -> Standing {
        let order = Order::new("", "123456", 1, "VISA-1");
        Standing {
            due: Some(due),
            ..Standing::new(order, Duration::from_secs(100), true)
        }
    }

    #[test]
    fn the_next_order_is_a_whole_number_of_intervals_later() {
        for (now, next) in [
            (1_000, 1_100),
            (1_099, 1_100),
            (1_100, 1_200),
            (1_250, 1_300),
            (900, 1_100),
        ] {
            let mut standing = monthly(1_000);
            standing.move_on(now);
            assert_eq!(standing.due, Some(next), "{now}");
        }
    }

    #[test]
    fn each_order_is_named_after_its_time() {
        let order = monthly(1_000).order_due("monthly");
        assert_eq!(order.order_id, "monthly-1970-01-01T00:16:40Z");
    }

    #[test]
    fn what_can_never_be_placed_is_refused() {
        assert_eq!(monthly(0).check("monthly"), Ok(()));
        for every_seconds in [0, u64::MAX] {
            let standing = Standing {
                every_seconds,
                ..monthly(0)
            };
            assert!(standing.check("monthly").is_err());
        }
        assert!(monthly(u64::MAX).check("monthly").is_err());
        assert!(monthly(0).check(&"a".repeat(100)).is_err());
    }
}
