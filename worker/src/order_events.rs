//! What happens to orders, as the workflow sees it: a log line for each event, and a count of how
//! they ended.
//!
//! The lines of workflow code are written without a thought of replay: the log drops those
//! ([`temporal::telemetry::replay`]).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use temporalio_common::{
    WorkflowDefinition,
    protos::coresdk::workflow_activation::{
        WorkflowActivation, remove_from_cache::EvictionReason, workflow_activation_job::Variant,
    },
};
use temporalio_sdk::{
    ActivityExecutionError, WorkerOptions, WorkflowTermination,
    interceptors::WorkerInterceptor,
    workflow_interceptors::{
        CancellableWorkflowOutboundFuture, ExecuteWorkflowInput, ExecuteWorkflowResult,
        ScheduleActivityInput, ScheduleActivityResult, WorkflowInterceptor,
        WorkflowInterceptorConstructor, WorkflowInterceptorContext, WorkflowInterceptorFuture,
        WorkflowNext,
    },
};
use workflows::{Answer, ProcessOrder};

/// Called with an order's outcome, once for each run of the process that ended.
pub type OnEnd = Arc<dyn Fn(&str) + Send + Sync>;

/// Makes a worker tell what happens to its orders.
pub fn watch(options: &mut WorkerOptions, on_end: OnEnd) {
    let ended = Ended::default();
    let of_run = ended.clone();
    options
        .workflow_interceptor(WorkflowInterceptorConstructor::new(move |run| {
            // A part of an order is a workflow of its own, with an ID of its own. A whole order has a parent if
            // it is placed by another workflow.
            let is_order = run.workflow_type() == ProcessOrder::run.name();
            let whole = run.parent().filter(|_| !is_order);
            Events {
                order_id: whole.as_ref().map_or_else(
                    || run.workflow_id().to_owned(),
                    |it| it.workflow_id().to_owned(),
                ),
                is_part: whole.is_some(),
                ended: of_run.clone(),
            }
        }))
        .worker_interceptor(AcceptedEnds { ended, on_end });
}

/// Runs that asked the server to end them, by run ID.
#[derive(Clone, Default)]
struct Ended(Arc<Mutex<HashMap<String, End>>>);

struct End {
    what: &'static str,
    order_id: String,
    workflow: String,
    outcome: String,
    message: String,
}

impl Ended {
    fn asked(&self, run_id: &str, end: End) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert(run_id.to_owned(), end);
    }

    fn settled(&self, run_id: &str) -> Option<End> {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.remove(run_id)
    }
}

/// One run's events.
struct Events {
    order_id: String,
    is_part: bool,
    ended: Ended,
}

impl Events {
    fn what(&self) -> &'static str {
        if self.is_part { "part" } else { "order" }
    }
}

impl WorkflowInterceptor for Events {
    fn execute<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: ExecuteWorkflowInput,
        next: WorkflowNext<
            'a,
            ExecuteWorkflowInput,
            WorkflowInterceptorFuture<'a, ExecuteWorkflowResult>,
        >,
    ) -> WorkflowInterceptorFuture<'a, ExecuteWorkflowResult> {
        WorkflowInterceptorFuture::new(async move {
            let order_id = self.order_id.clone();
            let workflow = ctx.workflow_type().to_owned();
            tracing::info!(order_id, workflow, "{} started", self.what());
            let result = next.run(input).await;
            if !ctx.is_replaying_history_events()
                && let Some((outcome, message)) = outcome(&result)
            {
                let end = End {
                    what: self.what(),
                    order_id,
                    workflow,
                    outcome,
                    message,
                };
                self.ended.asked(ctx.run_id(), end);
            }
            result
        })
    }

    #[expect(clippy::result_large_err, reason = "the error is the SDK's")]
    fn schedule_activity(
        &self,
        _: WorkflowInterceptorContext,
        input: ScheduleActivityInput,
        next: WorkflowNext<
            'static,
            ScheduleActivityInput,
            CancellableWorkflowOutboundFuture<ScheduleActivityResult>,
        >,
    ) -> CancellableWorkflowOutboundFuture<ScheduleActivityResult> {
        let step = input.activity_type().to_owned();
        let order_id = self.order_id.clone();
        next.run(input).map(move |result| {
            match &result {
                Ok(_) => tracing::info!(order_id, step, "step done"),
                Err(error) => {
                    let error = reason(error);
                    tracing::warn!(order_id, step, error, "step failed permanently");
                }
            }
            result
        })
    }
}

/// In the activity's own words, where there are any.
fn reason(error: &ActivityExecutionError) -> String {
    let cause = error.cause();
    cause.map_or_else(
        || error.to_string(),
        |cause| cause.failure().message.clone(),
    )
}

/// The outcome in a word, and in a sentence. `None` if the order continues in another run.
fn outcome(result: &ExecuteWorkflowResult) -> Option<(String, String)> {
    match result {
        Ok(output) => Some(match output.downcast_ref::<Answer>() {
            Some(Answer::InFull(order)) => (word(&order.outcome), order.to_string()),
            Some(answer) => (word(&answer.outcome()), String::new()),
            None => ("completed".to_owned(), String::new()),
        }),
        Err(WorkflowTermination::Failed(error)) => Some(("failed".to_owned(), error.to_string())),
        Err(WorkflowTermination::Cancelled { .. }) => Some(("cancelled".to_owned(), String::new())),
        Err(_) => None,
    }
}

/// As the result's JSON spells it.
fn word(outcome: &impl serde::Serialize) -> String {
    let spelt = serde_json::to_value(outcome).ok();
    spelt
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_else(|| "completed".to_owned())
}

/// Waits for the server's word. If a message to the order arrived meanwhile, the server does not
/// accept the end: the workflow runs again, and asks again.
struct AcceptedEnds {
    ended: Ended,
    on_end: OnEnd,
}

#[async_trait(?Send)]
impl WorkerInterceptor for AcceptedEnds {
    async fn on_workflow_activation(&self, activation: &WorkflowActivation) -> anyhow::Result<()> {
        let removed = activation
            .jobs
            .iter()
            .find_map(|job| match job.variant.as_ref() {
                Some(Variant::RemoveFromCache(removed)) => Some(removed.reason()),
                _ => None,
            });
        let Some(reason) = removed else {
            return Ok(());
        };
        let Some(end) = self.ended.settled(&activation.run_id) else {
            return Ok(());
        };
        // Without a cache, every run leaves it at once, and this reason comes first.
        let taken = [
            EvictionReason::WorkflowExecutionEnding,
            EvictionReason::CacheFull,
        ];
        if taken.contains(&reason) {
            let End {
                what,
                order_id,
                workflow,
                outcome,
                message,
            } = end;
            tracing::info!(
                order_id,
                workflow,
                outcome,
                result = message,
                "{what} ended"
            );
            if workflow == ProcessOrder::run.name() {
                (self.on_end)(&outcome);
            }
        }
        Ok(())
    }
}
