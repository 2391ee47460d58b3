//! Every timeout and retry policy, with the reason for each figure.

use std::time::Duration;

use temporalio_common::RetryPolicy;
use temporalio_sdk::{
    ActivityCancellationType, ActivityOptions, LocalActivityOptions, WorkflowCancellationToken,
};

/// How long the server waits for a heartbeat before it tries an activity again. A killed worker
/// sends none, so this is how long its order stands still. A living activity sends several
/// heartbeats in this time, so a slow one on a busy machine is not mistaken for a dead one.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest that one attempt may take, with or without heartbeats. The simulated services answer within
/// milliseconds; a minute leaves room for a disk that stalls, and ends an attempt that hangs.
pub const START_TO_CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest that a local activity may take with all its attempts: for ever. Left out, it would be
/// 100 seconds, after which the order would fail because something was slow.
pub const LOCAL_SCHEDULE_TO_CLOSE_TIMEOUT: Duration = Duration::from_hours(10 * 365 * 24);

/// The first pause after a failed attempt: long enough for a passing fault to pass, and short
/// enough not to be noticed.
pub const FIRST_RETRY: Duration = Duration::from_millis(200);

/// Each pause is longer than the one before it by this factor, so that a service in trouble is
/// called less and less often.
pub const BACKOFF: f64 = 1.5;

/// The longest pause. An order moves on at most this long after the trouble is over.
pub const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// How long a worker may take for one workflow task before another worker gets it. If a worker is
/// killed during one, its order stands still for this long; the server's default is 10 s.
pub const WORKFLOW_TASK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before the supplier is asked again, when another order took what was delivered.
pub const OUT_OF_STOCK_PAUSE: Duration = Duration::from_secs(1);

/// The options of every activity. The number of attempts has no limit, because an accepted order is
/// not dropped when a service is down. A failure that no further attempt can cure is marked as not
/// retryable where it arises, and ends the step at once.
///
/// When `stop` is cancelled, no further attempt is made, and the workflow waits for one that is
/// running: its effect may still happen, and only a known effect can be undone.
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

/// The options of a local activity, which runs within the workflow task.
pub fn local_activity_options(stop: &WorkflowCancellationToken) -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(START_TO_CLOSE_TIMEOUT)
        .schedule_to_close_timeout(LOCAL_SCHEDULE_TO_CLOSE_TIMEOUT)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_activity_is_given_up_because_it_takes_long() {
        let stop = WorkflowCancellationToken::new();
        let options = activity_options(&stop, None);
        assert_eq!(options.schedule_to_start_timeout, None);
        let local = local_activity_options(&stop);
        let decades = Duration::from_hours(5 * 365 * 24);
        assert!(local.schedule_to_close_timeout > Some(decades));
        assert_eq!(local.schedule_to_start_timeout, None);
        for policy in [options.retry_policy.unwrap(), local.retry_policy] {
            assert_eq!(policy, retry_policy());
        }
    }
}
