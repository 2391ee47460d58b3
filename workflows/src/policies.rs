//! Every timeout and retry policy, with the reason for each figure.

use std::time::Duration;

use temporalio_common::RetryPolicy;
use temporalio_sdk::{
    ActivityCancellationType, ActivityOptions, LocalActivityOptions, WorkflowCancellationToken,
};

/// How long a silent activity is taken to be alive. A worker that is killed is silent; its
/// activity is tried again when this has passed, so it bounds an order's standstill. An activity
/// sends several heartbeats in this time, so a slow one on a busy machine is not taken for dead.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one attempt may take at most, heartbeats or not. The simulated services answer within
/// milliseconds; a minute leaves room for a disk that stalls, and ends an attempt that hangs.
pub const START_TO_CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The first pause after a failed attempt: long enough for a passing fault to pass, and short
/// enough not to be noticed.
pub const FIRST_RETRY: Duration = Duration::from_millis(200);

/// Each pause is longer than the one before it by this factor, so that a service in trouble is
/// asked less and less often.
pub const BACKOFF: f64 = 1.5;

/// The longest pause. An order moves on at most this long after the trouble is over.
pub const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// How long a worker may take over one workflow task before another worker gets it. The server's
/// default of 10 s is how long an order would stand still if its worker is killed in one.
pub const WORKFLOW_TASK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before stock that another order took is asked for again.
pub const OUT_OF_STOCK_PAUSE: Duration = Duration::from_secs(1);

/// How the activities are run: with no limit to the attempts, for an order that was taken is not
/// dropped because a service is down. What no attempt can mend ends at the first one: such a
/// failure says itself that it is final.
///
/// When `stop` is cancelled no further attempt is made, and one that is under way is waited for: it
/// may have its effect yet, and what is not known cannot be undone.
pub fn activity_options(
    stop: &WorkflowCancellationToken,
    summary: Option<String>,
) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(START_TO_CLOSE_TIMEOUT)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(retry_policy())
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(stop.clone())
        .maybe_summary(summary)
        .build()
}

/// How local activities are run: the same, within the workflow task.
pub fn local_activity_options(stop: &WorkflowCancellationToken) -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(START_TO_CLOSE_TIMEOUT)
        .retry_policy(retry_policy())
        .cancellation_token(stop.clone())
        .build()
}

fn retry_policy() -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(FIRST_RETRY)
        .backoff_coefficient(BACKOFF)
        .maximum_interval(LONGEST_RETRY)
        .build()
}
