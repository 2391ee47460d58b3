//! What a history says of an order's steps: no server, no clock.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use activities::Activity;
use indicatif::HumanCount;
use inventory::{MINIMUM_STOCK, Stock};
use orders::{MAX_MESSAGE, MAX_QUOTE, shortened};
use serde::{Deserialize, Serialize};
use temporalio_common::protos::temporal::api::{
    common::v1::Payloads,
    enums::v1::WorkflowTaskFailedCause,
    failure::v1::Failure,
    history::v1::{HistoryEvent, MarkerRecordedEventAttributes, history_event::Attributes},
    workflow::v1::PendingActivityInfo,
};

/// A step's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum StepState {
    /// Asked for; a worker is to take it, or has.
    Running,
    /// Failed, and to be tried again.
    Retrying {
        /// Why the last attempt failed.
        error: String,
    },
    /// Done.
    Completed,
    /// Failed for good.
    Failed {
        /// Why.
        error: String,
    },
    /// Not needed, and so not run.
    Skipped,
}

/// A change in one step of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepChange {
    /// The activity's type, or `Pause`.
    pub step: String,
    /// Which step of the order it is, counted from 1.
    pub number: usize,
    /// What it is about, where the order has more than one such step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it is now.
    #[serde(flatten)]
    pub state: StepState,
    /// Attempts begun so far.
    pub attempts: u32,
    /// Time since the step was asked for, where it is over.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "milliseconds"
    )]
    pub took_ms: Option<Duration>,
    /// When the step was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub started_at: Option<SystemTime>,
    /// When it is to be tried again, where it failed and waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub next_attempt_at: Option<SystemTime>,
    /// The worker that is at the step, or was last, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When the step ends at the latest, where it is a pause.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub ends_at: Option<SystemTime>,
    /// What the step said of the order, where it is done.
    #[serde(flatten)]
    pub answer: Answer,
    #[serde(skip)]
    pub(crate) payloads: Option<Payloads>,
}

impl StepChange {
    /// A step in this state, of which no more is known.
    pub fn new(step: &str, number: usize, state: StepState, attempts: u32) -> Self {
        Self {
            step: step.to_owned(),
            number,
            about: None,
            state,
            attempts,
            took_ms: None,
            started_at: None,
            next_attempt_at: None,
            worker: None,
            ends_at: None,
            answer: Answer::default(),
            payloads: None,
        }
    }
}

/// What a step says of the order when it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// A service's confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Whether an earlier attempt had the step's effect, and this one only found it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// What the step did to the stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<StockLevels>,
    /// Anything else worth a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// Units in stock before and after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevels {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
}

impl StockLevels {
    pub(crate) fn new(before: u32, after: u32) -> Self {
        Self { before, after }
    }
}

/// Something that an order's history tells.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderEvent {
    /// A step changed.
    Step(StepChange),
    /// A worker has taken a step.
    Taken(StepChange),
    /// The workflow's own code failed; the order waits for a worker with the fix.
    CodeFailed(String),
    /// The server did not take a worker's decision, and asks for another at once: why. Nothing is
    /// wrong.
    DecidedAgain(String),
    /// A worker has taken the order up.
    PickedUp,
    /// Somebody told the order something: the name of the signal or update.
    Asked(String),
}

struct Step {
    name: String,
    about: Option<String>,
    number: usize,
    /// The activity's ID; none for what is no activity.
    activity_id: Option<String>,
    asked_at: Option<SystemTime>,
    ends_at: Option<SystemTime>,
    next_attempt_at: Option<SystemTime>,
    worker: Option<String>,
    attempts: u32,
    state: StepState,
}

/// The steps of one order, kept up to date from its history and from what is pending.
#[derive(Default)]
pub struct Progress {
    steps: HashMap<i64, Step>,
    picked_up: bool,
    begun: usize,
    /// The shelves on which the reservation left enough, and of which the supplier was not asked since:
    /// what the supplier's step would be about, and the units in stock.
    full: Vec<(Option<String>, u32)>,
}

impl Progress {
    /// Takes in the next event of the history.
    pub fn event(&mut self, event: &HistoryEvent) -> Vec<OrderEvent> {
        let at = event
            .event_time
            .and_then(|time| SystemTime::try_from(time).ok());
        let Some(attributes) = &event.attributes else {
            return Vec::new();
        };
        match attributes {
            Attributes::WorkflowTaskStartedEventAttributes(_) if !self.picked_up => {
                self.picked_up = true;
                vec![OrderEvent::PickedUp]
            }
            Attributes::WorkflowTaskFailedEventAttributes(failed) => {
                match (not_the_codes_fault(failed.cause()), &failed.failure) {
                    (Some(reason), _) => vec![OrderEvent::DecidedAgain(reason.to_owned())],
                    (None, Some(failure)) => vec![OrderEvent::CodeFailed(innermost(failure))],
                    (None, None) => Vec::new(),
                }
            }
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let name = scheduled
                    .activity_type
                    .as_ref()
                    .map_or_else(String::new, |kind| kind.name.clone());
                vec![self.begin(event, name, at)]
            }
            Attributes::ActivityTaskStartedEventAttributes(started) => {
                let attempts = started.attempt.max(1).unsigned_abs();
                if let Some(step) = self.steps.get_mut(&started.scheduled_event_id) {
                    step.attempts = attempts;
                    step.worker = named(&started.identity);
                    step.next_attempt_at = None;
                }
                Vec::new()
            }
            Attributes::ActivityTaskCompletedEventAttributes(completed) => self.end(
                completed.scheduled_event_id,
                StepState::Completed,
                at,
                completed.result.clone(),
            ),
            Attributes::ActivityTaskFailedEventAttributes(failed) => {
                let error = failed.failure.as_ref().map(innermost).unwrap_or_default();
                self.end(
                    failed.scheduled_event_id,
                    StepState::Failed { error },
                    at,
                    None,
                )
            }
            Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => {
                let error = timed_out
                    .failure
                    .as_ref()
                    .map(innermost)
                    .unwrap_or_default();
                self.end(
                    timed_out.scheduled_event_id,
                    StepState::Failed { error },
                    at,
                    None,
                )
            }
            Attributes::ActivityTaskCanceledEventAttributes(cancelled) => {
                let error = "cancelled".to_owned();
                self.end(
                    cancelled.scheduled_event_id,
                    StepState::Failed { error },
                    at,
                    None,
                )
            }
            Attributes::TimerStartedEventAttributes(_) => {
                vec![self.begin(event, "Pause".to_owned(), at)]
            }
            Attributes::TimerFiredEventAttributes(fired) => {
                self.end(fired.started_event_id, StepState::Completed, at, None)
            }
            // What was waited for came before the time was over.
            Attributes::TimerCanceledEventAttributes(cancelled) => {
                self.end(cancelled.started_event_id, StepState::Completed, at, None)
            }
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
                let name = child
                    .workflow_type
                    .as_ref()
                    .map_or_else(String::new, |kind| kind.name.clone());
                vec![self.begin(event, name, at)]
            }
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(completed) => self.end(
                completed.initiated_event_id,
                StepState::Completed,
                at,
                completed.result.clone(),
            ),
            Attributes::ChildWorkflowExecutionFailedEventAttributes(failed) => {
                let error = failed.failure.as_ref().map(innermost).unwrap_or_default();
                let state = StepState::Failed { error };
                self.end(failed.initiated_event_id, state, at, None)
            }
            Attributes::ChildWorkflowExecutionCanceledEventAttributes(cancelled) => {
                let error = "cancelled".to_owned();
                let state = StepState::Failed { error };
                self.end(cancelled.initiated_event_id, state, at, None)
            }
            Attributes::NexusOperationScheduledEventAttributes(operation) => {
                // The shipping service's operations do what the activities of these names do.
                let name = match operation.operation.parse::<Activity>() {
                    Ok(activity) => activity.name().to_owned(),
                    Err(_) => operation.operation.clone(),
                };
                vec![self.begin(event, name, at)]
            }
            Attributes::NexusOperationCompletedEventAttributes(completed) => {
                let result = completed.result.clone();
                let result = result.map(|it| Payloads { payloads: vec![it] });
                let scheduled = completed.scheduled_event_id;
                self.end(scheduled, StepState::Completed, at, result)
            }
            Attributes::NexusOperationFailedEventAttributes(failed) => {
                let error = failed.failure.as_ref().map(innermost).unwrap_or_default();
                let state = StepState::Failed { error };
                self.end(failed.scheduled_event_id, state, at, None)
            }
            Attributes::NexusOperationCanceledEventAttributes(cancelled) => {
                let error = "cancelled".to_owned();
                let state = StepState::Failed { error };
                self.end(cancelled.scheduled_event_id, state, at, None)
            }
            Attributes::MarkerRecordedEventAttributes(marker)
                if marker.marker_name == LOCAL_ACTIVITY =>
            {
                let name = local_activity(marker).unwrap_or_else(|| "LocalActivity".to_owned());
                // The history tells of its end only.
                let _begun = self.begin(event, name, None);
                let state = match &marker.failure {
                    None => StepState::Completed,
                    Some(failure) => StepState::Failed {
                        error: innermost(failure),
                    },
                };
                self.end(event.event_id, state, None, None)
            }
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => self.skipped(),
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
                vec![OrderEvent::Asked(signal.signal_name.clone())]
            }
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update) => update
                .accepted_request
                .iter()
                .filter_map(|request| request.input.as_ref())
                .map(|input| OrderEvent::Asked(input.name.clone()))
                .collect(),
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(_) => {
                vec![OrderEvent::Asked("cancel".to_owned())]
            }
            _ => Vec::new(),
        }
    }

    /// Takes in what is pending: a history tells of failed attempts only when the step is over.
    pub fn pending(&mut self, pending: &[PendingActivityInfo]) -> Vec<OrderEvent> {
        let mut changes = Vec::new();
        for activity in pending {
            let step = self
                .steps
                .values_mut()
                .find(|step| step.activity_id.as_ref() == Some(&activity.activity_id));
            let Some(step) = step else {
                continue;
            };
            let worker = named(&activity.last_worker_identity);
            let next_attempt_at = activity
                .next_attempt_schedule_time
                .and_then(|time| time.try_into().ok());
            let is_taken = (&step.worker, step.next_attempt_at) != (&worker, next_attempt_at);
            (step.worker, step.next_attempt_at) = (worker, next_attempt_at);
            let attempts = activity.attempt.max(1).unsigned_abs();
            let failure = activity.last_failure.as_ref().map(innermost);
            let failed = failure.map(|error| StepState::Retrying { error });
            match failed {
                Some(state) if step.attempts < attempts || step.state != state => {
                    step.attempts = attempts;
                    step.state = state;
                    changes.push(OrderEvent::Step(step.change(None, None)));
                }
                _ if is_taken => changes.push(OrderEvent::Taken(step.change(None, None))),
                _ => {}
            }
        }
        changes
    }

    /// Takes in what the order's reservation left in stock. A history tells of no step that was not
    /// needed, but the reservation's answer does.
    pub fn reserved(&mut self, items: &[Stock]) {
        let several = items.len() > 1;
        // An earlier version did not name the first product. It had no step that was not needed.
        let full = items
            .iter()
            .filter(|it| it.in_stock >= MINIMUM_STOCK && !it.product.is_empty());
        self.full = full
            .map(|it| {
                let about = several.then(|| format!("product {}", it.product));
                (about, it.in_stock)
            })
            .collect();
    }

    /// The supplier's steps that an order that completed did without.
    fn skipped(&mut self) -> Vec<OrderEvent> {
        let skip = |(about, in_stock)| {
            self.begun += 1;
            let supplier = Activity::SupplierOrder.name();
            let mut step = StepChange::new(supplier, self.begun, StepState::Skipped, 0);
            step.about = about;
            step.answer.remark = Some(not_needed(in_stock));
            OrderEvent::Step(step)
        };
        std::mem::take(&mut self.full)
            .into_iter()
            .map(skip)
            .collect()
    }

    /// Whether an activity is under way, so that looking at what is pending can tell something.
    pub fn is_waiting(&self) -> bool {
        let mut steps = self.steps.values();
        steps.any(|step| step.activity_id.is_some() && step.is_open())
    }

    fn begin(
        &mut self,
        event: &HistoryEvent,
        name: String,
        asked_at: Option<SystemTime>,
    ) -> OrderEvent {
        self.begun += 1;
        let about = summary(event);
        if name == Activity::SupplierOrder.name() {
            self.full.retain(|(of, _)| *of != about);
        }
        let step = Step {
            name,
            about,
            number: self.begun,
            activity_id: match &event.attributes {
                Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                    Some(scheduled.activity_id.clone())
                }
                _ => None,
            },
            asked_at,
            ends_at: asked_at.zip(timer(event)).map(|(at, time)| at + time),
            next_attempt_at: None,
            worker: None,
            attempts: 0,
            state: StepState::Running,
        };
        let change = step.change(None, None);
        self.steps.insert(event.event_id, step);
        OrderEvent::Step(change)
    }

    fn end(
        &mut self,
        scheduled: i64,
        state: StepState,
        at: Option<SystemTime>,
        payloads: Option<Payloads>,
    ) -> Vec<OrderEvent> {
        self.steps
            .remove(&scheduled)
            .map(|step| step.ended(state, at, payloads))
            .into_iter()
            .collect()
    }
}

/// What is said of a supplier's step where so many units are in stock.
pub fn not_needed(in_stock: u32) -> String {
    format!("not needed, {} in stock", HumanCount(in_stock.into()))
}

impl Step {
    fn is_open(&self) -> bool {
        matches!(self.state, StepState::Running | StepState::Retrying { .. })
    }

    fn ended(
        mut self,
        state: StepState,
        at: Option<SystemTime>,
        payloads: Option<Payloads>,
    ) -> OrderEvent {
        self.state = state;
        let took = at
            .zip(self.asked_at)
            .and_then(|(at, asked)| at.duration_since(asked).ok());
        OrderEvent::Step(self.change(took, payloads))
    }

    fn change(&self, took_ms: Option<Duration>, payloads: Option<Payloads>) -> StepChange {
        StepChange {
            about: self.about.clone(),
            took_ms,
            started_at: self.asked_at,
            next_attempt_at: self.next_attempt_at.filter(|_| self.is_open()),
            worker: self.worker.clone(),
            ends_at: self.ends_at.filter(|_| self.is_open()),
            payloads,
            ..StepChange::new(&self.name, self.number, self.state.clone(), self.attempts)
        }
    }
}

/// A worker's name, unless the server does not know it.
fn named(identity: &str) -> Option<String> {
    (!identity.is_empty()).then(|| shortened(identity, MAX_QUOTE).into_owned())
}

/// Why a workflow task failed, if there is nothing wrong with the workflow's code.
fn not_the_codes_fault(cause: WorkflowTaskFailedCause) -> Option<&'static str> {
    match cause {
        WorkflowTaskFailedCause::UnhandledCommand | WorkflowTaskFailedCause::UnhandledUpdate => {
            Some("something new reached the order meanwhile")
        }
        WorkflowTaskFailedCause::BadScheduleNexusOperationAttributes => {
            Some("the shipping service has no endpoint (`cargo run -p worker -- shipping-service`)")
        }
        WorkflowTaskFailedCause::ResetWorkflow => Some("somebody reset the order"),
        // The worker cannot send it back to the server as part of its answer. The server drops what
        // was sent after a while.
        WorkflowTaskFailedCause::PayloadsTooLarge
        | WorkflowTaskFailedCause::GrpcMessageTooLarge
        | WorkflowTaskFailedCause::RequestTooLarge => {
            Some("somebody sent the order more than can be answered")
        }
        _ => None,
    }
}

/// What a step is about, as its summary tells in the Web UI too. Where summaries are encrypted it is
/// left out.
fn summary(event: &HistoryEvent) -> Option<String> {
    let summary = event.user_metadata.as_ref()?.summary.as_ref()?;
    serde_json::from_slice(&summary.data).ok()
}

/// How long a timer that was started runs.
fn timer(event: &HistoryEvent) -> Option<Duration> {
    match &event.attributes {
        Some(Attributes::TimerStartedEventAttributes(started)) => {
            started.start_to_fire_timeout?.try_into().ok()
        }
        _ => None,
    }
}

/// What the SDK calls the marker of a local activity.
const LOCAL_ACTIVITY: &str = "core_local_activity";

fn local_activity(marker: &MarkerRecordedEventAttributes) -> Option<String> {
    let data = marker.details.get("data")?.payloads.first()?;
    let data: serde_json::Value = serde_json::from_slice(&data.data).ok()?;
    Some(data.get("activity_type")?.as_str()?.to_owned())
}

/// The message at the bottom of a failure, shortened: those above it say only that something failed.
pub fn innermost(failure: &Failure) -> String {
    let mut failure = failure;
    while let Some(cause) = &failure.cause {
        failure = cause;
    }
    shortened(&temporal::failure_message(failure), MAX_MESSAGE).into_owned()
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let milliseconds = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        milliseconds.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let milliseconds = Option::<u64>::deserialize(deserializer)?;
        Ok(milliseconds.map(Duration::from_millis))
    }
}

mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = time.map(|time| humantime::format_rfc3339_millis(time).to_string());
        text.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let time = text.map(|text| humantime::parse_rfc3339(&text));
        time.transpose().map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::{
        common::v1::ActivityType,
        history::v1::{
            ActivityTaskCompletedEventAttributes, ActivityTaskScheduledEventAttributes,
            ActivityTaskStartedEventAttributes, NexusOperationCompletedEventAttributes,
            NexusOperationScheduledEventAttributes, TimerFiredEventAttributes,
            TimerStartedEventAttributes, WorkflowExecutionCompletedEventAttributes,
            WorkflowTaskFailedEventAttributes,
        },
    };

    use super::*;

    fn event(event_id: i64, seconds: u64, attributes: Attributes) -> HistoryEvent {
        HistoryEvent {
            event_id,
            event_time: Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).into()),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        }
    }

    fn kind(name: &str) -> Option<ActivityType> {
        Some(ActivityType {
            name: name.to_owned(),
        })
    }

    fn scheduled(event_id: i64, name: &str) -> HistoryEvent {
        let attributes = ActivityTaskScheduledEventAttributes {
            activity_id: name.to_owned(),
            activity_type: kind(name),
            ..Default::default()
        };
        let attributes = Attributes::ActivityTaskScheduledEventAttributes(attributes);
        event(event_id, 10, attributes)
    }

    fn pending(name: &str, attempt: i32, error: &str) -> PendingActivityInfo {
        PendingActivityInfo {
            activity_id: name.to_owned(),
            attempt,
            last_failure: Some(Failure {
                message: error.to_owned(),
                ..Failure::default()
            }),
            ..PendingActivityInfo::default()
        }
    }

    fn step(change: &OrderEvent) -> &StepChange {
        match change {
            OrderEvent::Step(step) => step,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_operation_of_the_shipping_service_is_told_as_the_step_that_it_is() {
        let mut progress = Progress::default();
        let scheduled = NexusOperationScheduledEventAttributes {
            operation: "ship".to_owned(),
            ..Default::default()
        };
        let scheduled = Attributes::NexusOperationScheduledEventAttributes(scheduled);
        let begun = progress.event(&event(5, 10, scheduled));
        assert_eq!(step(&begun[0]).step, "Ship");
        assert_eq!(step(&begun[0]).state, StepState::Running);
        let completed = NexusOperationCompletedEventAttributes {
            scheduled_event_id: 5,
            ..Default::default()
        };
        let completed = Attributes::NexusOperationCompletedEventAttributes(completed);
        let done = progress.event(&event(7, 14, completed));
        assert_eq!(step(&done[0]).state, StepState::Completed);
        assert_eq!(step(&done[0]).took_ms, Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_step_is_told_from_its_beginning_through_its_retries_to_its_end() {
        let mut progress = Progress::default();
        let begun = progress.event(&scheduled(5, "Charge"));
        assert_eq!(step(&begun[0]).state, StepState::Running);
        assert!(progress.is_waiting());

        let failing = [pending("Charge", 2, "overloaded")];
        let retrying = progress.pending(&failing);
        assert_eq!(step(&retrying[0]).attempts, 2);
        let error = "overloaded".to_owned();
        assert_eq!(step(&retrying[0]).state, StepState::Retrying { error });
        // What was told is not told again.
        assert_eq!(progress.pending(&failing), []);

        let started = ActivityTaskStartedEventAttributes {
            scheduled_event_id: 5,
            attempt: 3,
            ..Default::default()
        };
        let started = Attributes::ActivityTaskStartedEventAttributes(started);
        assert_eq!(progress.event(&event(6, 13, started)), []);
        let completed = ActivityTaskCompletedEventAttributes {
            scheduled_event_id: 5,
            ..Default::default()
        };
        let completed = Attributes::ActivityTaskCompletedEventAttributes(completed);
        let done = progress.event(&event(7, 14, completed));
        assert_eq!(step(&done[0]).state, StepState::Completed);
        assert_eq!(step(&done[0]).attempts, 3);
        assert_eq!(step(&done[0]).took_ms, Some(Duration::from_secs(4)));
        assert!(!progress.is_waiting());
    }

    #[test]
    fn what_the_supplier_was_not_asked_for_is_a_step_that_was_skipped() {
        let completed = || {
            let attributes = WorkflowExecutionCompletedEventAttributes::default();
            let attributes = Attributes::WorkflowExecutionCompletedEventAttributes(attributes);
            event(30, 20, attributes)
        };
        let left = |product: &str, in_stock| Stock {
            product: product.to_owned(),
            quantity: 8,
            in_stock,
        };
        let mut progress = Progress::default();
        progress.event(&scheduled(5, "PrepareShipment"));
        progress.reserved(&[left("123456", MINIMUM_STOCK)]);
        let told = progress.event(&completed());
        assert_eq!((step(&told[0]).number, told.len()), (2, 1));
        assert_eq!(step(&told[0]).state, StepState::Skipped);
        let remark = step(&told[0]).answer.remark.as_deref();
        assert_eq!(remark, Some("not needed, 5,000 in stock"));

        // An order that asked, as every order of an earlier version did, has no such step.
        let mut progress = Progress::default();
        progress.reserved(&[left("123456", MINIMUM_STOCK)]);
        progress.event(&scheduled(5, "SupplierOrder"));
        assert_eq!(progress.event(&completed()), []);

        let mut progress = Progress::default();
        progress.reserved(&[
            left("1", MINIMUM_STOCK - 1),
            left("2", 7_992),
            left("", 7_992),
        ]);
        let told = progress.event(&completed());
        assert_eq!(told.len(), 1);
        assert_eq!(step(&told[0]).about.as_deref(), Some("product 2"));
    }

    #[test]
    fn a_pause_is_a_step_without_attempts() {
        let mut progress = Progress::default();
        let started =
            Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes::default());
        let begun = progress.event(&event(5, 0, started));
        assert_eq!(
            (step(&begun[0]).step.as_str(), step(&begun[0]).attempts),
            ("Pause", 0)
        );
        let fired = TimerFiredEventAttributes {
            started_event_id: 5,
            ..Default::default()
        };
        let done = progress.event(&event(6, 15, Attributes::TimerFiredEventAttributes(fired)));
        assert_eq!(step(&done[0]).took_ms, Some(Duration::from_secs(15)));
    }

    #[test]
    fn failing_code_is_told_and_a_decision_that_is_repeated_is_not_taken_for_it() {
        let failed = |cause: WorkflowTaskFailedCause| {
            let attributes = WorkflowTaskFailedEventAttributes {
                cause: cause.into(),
                failure: Some(Failure {
                    message: "panicked".to_owned(),
                    ..Failure::default()
                }),
                ..Default::default()
            };
            event(
                4,
                0,
                Attributes::WorkflowTaskFailedEventAttributes(attributes),
            )
        };
        let mut progress = Progress::default();
        let broken = failed(WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure);
        assert_eq!(
            progress.event(&broken),
            [OrderEvent::CodeFailed("panicked".to_owned())]
        );
        for repeated in [
            WorkflowTaskFailedCause::ResetWorkflow,
            WorkflowTaskFailedCause::UnhandledCommand,
            WorkflowTaskFailedCause::PayloadsTooLarge,
        ] {
            let told = progress.event(&failed(repeated));
            assert!(
                matches!(told.as_slice(), [OrderEvent::DecidedAgain(_)]),
                "{repeated:?}: {told:?}"
            );
        }
    }

    #[test]
    fn a_failure_is_not_told_at_length() {
        let failure = Failure {
            message: "x".repeat(1_000_000),
            ..Failure::default()
        };
        assert!(innermost(&failure).chars().count() < 2 * MAX_MESSAGE);
    }
}
