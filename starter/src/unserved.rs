//! Orders that stand still because no worker serves them.

use std::time::{Duration, SystemTime};

use temporal::shell_word;
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowExecutionDescription, WorkflowHandle,
};
use temporalio_common::protos::temporal::api::enums::v1::{
    PendingActivityState, PendingWorkflowTaskState,
};
use workflows::ProcessOrder;

use crate::progress::innermost;

/// A task that lies longer than this has no worker.
pub const NO_WORKER_AFTER: Duration = Duration::from_secs(3);

/// A step that was tried more often than this does not fail by chance.
const OFTEN: i32 = 3;

/// What is the matter with an order whose next task no worker has taken, and what to do about it.
/// `None` if it has ended, a worker is at it, or it waits for something else.
///
/// # Errors
/// Returns an error if the server does not answer.
pub(crate) async fn matter(
    order: &WorkflowHandle<Client, ProcessOrder>,
) -> anyhow::Result<Option<String>> {
    let there = order.describe(WorkflowDescribeOptions::default()).await?;
    let lain = lain(&there).filter(|time| *time >= NO_WORKER_AFTER);
    Ok(lain.map(|time| advice(&order.info().workflow_id, &there, Some(time))))
}

/// Why a workflow gets nowhere: no worker has taken its task, or a step fails again and again. `None` if
/// neither is so.
///
/// # Errors
/// Returns an error if the server does not answer.
pub(crate) async fn stuck(
    order: &WorkflowHandle<Client, ProcessOrder>,
) -> anyhow::Result<Option<String>> {
    let there = order.describe(WorkflowDescribeOptions::default()).await?;
    let mut steps = there.raw().pending_activities.iter();
    let failing = steps.find(|step| step.attempt > OFTEN);
    if let Some(failure) = failing.and_then(|step| step.last_failure.as_ref()) {
        return Ok(Some(innermost(failure)));
    }
    let lain = lain(&there).filter(|time| *time >= NO_WORKER_AFTER);
    Ok(lain.map(|time| no_worker(&there, Some(time))))
}

/// Waits for an order's answer. If none comes soon, standard error says why, and the wait continues.
///
/// # Errors
/// Returns an error if the server does not say what is the matter.
pub(crate) async fn patiently<T>(
    order: &WorkflowHandle<Client, ProcessOrder>,
    answer: impl Future<Output = T>,
) -> anyhow::Result<T> {
    let mut answer = std::pin::pin!(answer);
    match tokio::time::timeout(NO_WORKER_AFTER, &mut answer).await {
        Ok(answer) => Ok(answer),
        Err(_) => {
            let matter = no_answer(order).await?;
            anstream::eprintln!(
                "{matter}. What was asked may still happen, also if you do not wait for it"
            );
            Ok(answer.await)
        }
    }
}

/// Why an order does not answer.
///
/// # Errors
/// Returns an error if the server does not answer.
pub async fn no_answer(order: &WorkflowHandle<Client, ProcessOrder>) -> anyhow::Result<String> {
    let there = order.describe(WorkflowDescribeOptions::default()).await?;
    let order_id = &order.info().workflow_id;
    let advice = match there.close_time() {
        Some(_) => format!(
            "it takes a worker on task queue {:?}, although the order has ended: {}",
            there.task_queue(),
            start_worker(there.task_queue())
        ),
        None => advice(order_id, &there, lain(&there)),
    };
    Ok(format!("{order_id} does not answer: {advice}"))
}

/// How long the task has lain that the order waits for.
fn lain(there: &WorkflowExecutionDescription) -> Option<Duration> {
    let decision = there.raw().pending_workflow_task.as_ref();
    let decision = decision
        .filter(|task| task.state() == PendingWorkflowTaskState::Scheduled)
        .and_then(|task| task.scheduled_time);
    let activities = there.raw().pending_activities.iter();
    let activities = activities
        .filter(|activity| activity.state() == PendingActivityState::Scheduled)
        .filter_map(|activity| activity.scheduled_time);
    let since = decision.into_iter().chain(activities);
    // One that is to be tried again later lies in the future.
    let lain = since.filter_map(|time| {
        let time = SystemTime::try_from(time).ok()?;
        SystemTime::now().duration_since(time).ok()
    });
    lain.max()
}

fn advice(order_id: &str, there: &WorkflowExecutionDescription, lain: Option<Duration>) -> String {
    format!(
        "{}. Or end the order without undoing its steps: cargo run -p starter -- terminate {}",
        no_worker(there, lain),
        shell_word(order_id)
    )
}

fn no_worker(there: &WorkflowExecutionDescription, lain: Option<Duration>) -> String {
    let queue = there.task_queue();
    let matter = match lain {
        Some(time) => format!(
            "no worker on task queue {queue:?} has taken its task for {}",
            humantime::format_duration(Duration::from_secs(time.as_secs()))
        ),
        None => format!("no worker on task queue {queue:?} runs its code"),
    };
    format!("{matter}. Start one: {}", start_worker(there.task_queue()))
}

/// The command that starts a worker on a task queue.
pub fn start_worker(task_queue: &str) -> String {
    match task_queue {
        workflows::TASK_QUEUE => "cargo run -p worker".to_owned(),
        other => format!("cargo run -p worker -- --task-queue {}", shell_word(other)),
    }
}
