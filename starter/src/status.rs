//! How an order stands, as it answers itself.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use serde_json::json;
use temporal::printable;
use temporalio_client::{
    RpcOptions, WorkflowDescribeOptions, WorkflowQueryOptions, errors::WorkflowQueryError,
};
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use workflows::{
    OrderProgress, ProcessOrder,
    status::{StepProgress, StepStatus},
};

use crate::{
    args::{FollowArgs, OutputArgs},
    connect::connect,
    follow::{self, OrderHandle},
    list::build,
    progress::{StepChange, StepState, innermost, not_needed},
    show::{columns, text},
    unserved,
};

/// How long a worker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Prints how an order stands.
///
/// # Errors
/// Returns an error if there is no such order, or no worker answers for it.
pub async fn status(args: &FollowArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args.common.connect).await?;
    let order = follow::find(&client, &args.order_id).await?;
    let progress = ask(&order).await?;
    show(&order, &progress, &args.common.output).await
}

/// Asks an order how it stands. An order that has ended answers, too.
///
/// # Errors
/// Returns an error if no worker answers for it.
pub(crate) async fn ask(order: &OrderHandle) -> anyhow::Result<OrderProgress> {
    let rpc = RpcOptions::builder().timeout(ANSWER_WITHIN).build();
    let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
    match order.query(ProcessOrder::status, ().into(), options).await {
        Ok(progress) => Ok(progress),
        Err(WorkflowQueryError::Rpc(_)) => bail!("{}", unserved::no_answer(order).await?),
        Err(error) => Err(error).context("cannot ask the order"),
    }
}

/// Prints what an order answered.
///
/// # Errors
/// Returns an error if the server does not tell of the steps that are under way.
pub(crate) async fn show(
    order: &OrderHandle,
    progress: &OrderProgress,
    output: &OutputArgs,
) -> anyhow::Result<ExitCode> {
    let description = order.describe(WorkflowDescribeOptions::default()).await?;
    let steps = steps(progress, &description.raw().pending_activities);
    let build = build(&description.search_attributes());
    let text = if output.json {
        let mut value = json!(progress);
        value["steps"] = json!(steps);
        value["build"] = json!(build);
        format!("{value}\n")
    } else {
        report(progress, &steps, build.as_deref())
    };
    // A pipe that nobody reads any more is no reason to fail.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// The order's steps. Of a step that is under way, the server alone knows the attempts.
fn steps(progress: &OrderProgress, pending: &[PendingActivityInfo]) -> Vec<StepChange> {
    let mut pending: Vec<_> = pending.iter().collect();
    pending.sort_by_key(|activity| activity.activity_id.parse::<u64>().unwrap_or(u64::MAX));
    let steps = progress.steps.iter().enumerate();
    steps
        .map(|(index, step)| {
            let running = step.status == StepStatus::Running;
            let at_work = pending
                .iter()
                .position(|activity| {
                    running
                        && activity
                            .activity_type
                            .as_ref()
                            .is_some_and(|kind| kind.name == step.step.name())
                })
                .map(|found| pending.remove(found));
            change(index + 1, step, at_work)
        })
        .collect()
}

fn change(number: usize, step: &StepProgress, at_work: Option<&PendingActivityInfo>) -> StepChange {
    let failure = at_work.and_then(|activity| activity.last_failure.as_ref());
    let state = match (step.status, failure) {
        (StepStatus::Done, _) => StepState::Completed,
        (StepStatus::Failed, _) => StepState::Failed {
            error: String::new(),
        },
        (StepStatus::Skipped, _) => StepState::Skipped,
        (StepStatus::Running, Some(failure)) => StepState::Retrying {
            error: innermost(failure),
        },
        (StepStatus::Running, None) => StepState::Running,
    };
    let attempts = at_work.map_or(step.attempts, |activity| activity.attempt.unsigned_abs());
    let mut change = StepChange::new(step.step.name(), number, state, attempts);
    change.about = step
        .product
        .as_ref()
        .map(|product| format!("product {product}"));
    change.answer.confirmation = step.confirmation.clone();
    change.answer.found = step.found;
    change.answer.remark = step.in_stock.map(not_needed);
    change
}

fn report(progress: &OrderProgress, steps: &[StepChange], build: Option<&str>) -> String {
    let printed = |label: &str, text: &str| format!("{label}{}", printable(text));
    let to = progress
        .address
        .as_ref()
        .map(|address| printed(", to ", address))
        .unwrap_or_default();
    let on = build.map(|build| printed(", on build ", build));
    let on = on.unwrap_or_default();
    // An order that ended on its way is not going to be complete.
    let is_on_its_way = !progress.status.is_end_on_the_way();
    let percent = is_on_its_way.then(|| format!(", {} %", progress.percent));
    let mut report = format!(
        "{}: {}{}{to}{on}\n",
        printable(&progress.order_id),
        progress.status,
        percent.unwrap_or_default()
    );
    if let Some(waiting) = &progress.waiting {
        let left = waiting.until.duration_since(SystemTime::now());
        let left = text::readable(Duration::from_secs(left.unwrap_or_default().as_secs()));
        report += &format!("{waiting}, {left} left\n");
    }
    for step in steps {
        report += &text::step(step, columns());
        report += "\n";
    }
    if let Some(reason) = &progress.reason {
        report += &printed("reason: ", reason);
        report += "\n";
    }
    if progress.ignored_before > 0 {
        report += &format!("ignored: {} earlier signals\n", progress.ignored_before);
    }
    for ignored in &progress.ignored {
        report += &printed("ignored: ", ignored);
        report += "\n";
    }
    report
}
