//! Counts the polls for tasks that are under way, through the SDK's own meter.
//!
//! A poll is a request that the server holds until there is a task. The SDK counts each request when
//! it begins and records its duration when it ends, so a poll that has begun and not ended is under
//! way. When the server dies, all polls end at once, and none is under way until the SDK tries again.

use std::{sync::Arc, time::Duration};

use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeF64, Histogram, HistogramDuration,
    HistogramDurationBase, HistogramF64, MetricAttributable, MetricAttributes, MetricParameters,
    NewAttributes, UpDownCounter,
};
use tokio::sync::watch;

/// The SDK's counter of requests that the server holds.
const BEGUN: &str = "temporal_long_request";
/// The SDK's histogram of their durations.
const ENDED: &str = "temporal_long_request_latency";

/// The number of polls under way, for each kind of task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Polls for workflow tasks.
    pub workflow_tasks: u32,
    /// Polls for activity tasks.
    pub activity_tasks: u32,
}

impl UnderWay {
    /// Returns whether polls for both kinds of tasks are under way.
    pub fn both(&self) -> bool {
        self.workflow_tasks > 0 && self.activity_tasks > 0
    }
}

/// The polls of one process. Cheap to clone; all clones share the same counts.
#[derive(Clone, Debug, Default)]
pub struct Polls(Arc<watch::Sender<UnderWay>>);

impl Polls {
    /// Returns how many are under way now.
    pub fn under_way(&self) -> UnderWay {
        *self.0.borrow()
    }

    /// Waits until polls for both kinds of tasks are under way, for at most `limit`. Returns the
    /// polls under way then.
    pub async fn both_within(&self, limit: Duration) -> UnderWay {
        let mut changes = self.0.subscribe();
        let both = changes.wait_for(UnderWay::both);
        match tokio::time::timeout(limit, both).await {
            Ok(Ok(under_way)) => *under_way,
            _ => self.under_way(),
        }
    }

    fn add(&self, kind: Option<Kind>, change: i32) {
        let Some(kind) = kind else { return };
        self.0.send_modify(|under_way| {
            let count = match kind {
                Kind::Workflow => &mut under_way.workflow_tasks,
                Kind::Activity => &mut under_way.activity_tasks,
            };
            *count = count.saturating_add_signed(change);
        });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Workflow,
    Activity,
}

impl Kind {
    fn of(attributes: &MetricAttributes) -> Option<Self> {
        let operation = match attributes {
            MetricAttributes::Prometheus { labels } => labels.as_prom_labels().remove("operation"),
            MetricAttributes::NoOp(labels) => labels.get("operation").cloned(),
            _ => None,
        };
        match operation.as_deref() {
            Some("PollWorkflowTaskQueue") => Some(Self::Workflow),
            Some("PollActivityTaskQueue") => Some(Self::Activity),
            _ => None,
        }
    }
}

/// Passes everything on to another meter, and counts the polls.
#[derive(Debug)]
pub(super) struct PollMeter {
    inner: Arc<dyn CoreMeter>,
    polls: Polls,
}

impl PollMeter {
    pub(super) fn new(inner: Arc<dyn CoreMeter>, polls: Polls) -> Self {
        Self { inner, polls }
    }
}

impl CoreMeter for PollMeter {
    fn new_attributes(&self, attributes: NewAttributes) -> MetricAttributes {
        self.inner.new_attributes(attributes)
    }

    fn extend_attributes(
        &self,
        existing: MetricAttributes,
        attributes: NewAttributes,
    ) -> MetricAttributes {
        self.inner.extend_attributes(existing, attributes)
    }

    fn counter(&self, params: MetricParameters) -> Counter {
        let watched = params.name == BEGUN;
        let inner = self.inner.counter(params);
        if !watched {
            return inner;
        }
        let polls = self.polls.clone();
        Counter::new(Arc::new(Watched { inner, polls }))
    }

    fn histogram(&self, params: MetricParameters) -> Histogram {
        self.inner.histogram(params)
    }

    fn histogram_f64(&self, params: MetricParameters) -> HistogramF64 {
        self.inner.histogram_f64(params)
    }

    fn histogram_duration(&self, params: MetricParameters) -> HistogramDuration {
        let watched = params.name == ENDED;
        let inner = self.inner.histogram_duration(params);
        if !watched {
            return inner;
        }
        let polls = self.polls.clone();
        HistogramDuration::new(Arc::new(Watched { inner, polls }))
    }

    fn gauge(&self, params: MetricParameters) -> Gauge {
        self.inner.gauge(params)
    }

    fn gauge_f64(&self, params: MetricParameters) -> GaugeF64 {
        self.inner.gauge_f64(params)
    }

    fn up_down_counter(&self, params: MetricParameters) -> UpDownCounter {
        self.inner.up_down_counter(params)
    }
}

/// An instrument whose use shows that a poll begins or ends.
struct Watched<T> {
    inner: T,
    polls: Polls,
}

/// The same instrument, bound to one kind of request.
struct Bound<T> {
    inner: T,
    polls: Polls,
    kind: Option<Kind>,
}

impl<T: MetricAttributable<T>> Watched<T> {
    fn bind(&self, attributes: &MetricAttributes) -> Result<Bound<T>, Box<dyn std::error::Error>> {
        Ok(Bound {
            inner: self.inner.with_attributes(attributes)?,
            polls: self.polls.clone(),
            kind: Kind::of(attributes),
        })
    }
}

impl MetricAttributable<Box<dyn CounterBase>> for Watched<Counter> {
    fn with_attributes(
        &self,
        attributes: &MetricAttributes,
    ) -> Result<Box<dyn CounterBase>, Box<dyn std::error::Error>> {
        Ok(Box::new(self.bind(attributes)?))
    }
}

impl MetricAttributable<Box<dyn HistogramDurationBase>> for Watched<HistogramDuration> {
    fn with_attributes(
        &self,
        attributes: &MetricAttributes,
    ) -> Result<Box<dyn HistogramDurationBase>, Box<dyn std::error::Error>> {
        Ok(Box::new(self.bind(attributes)?))
    }
}

impl CounterBase for Bound<Counter> {
    fn adds(&self, value: u64) {
        self.inner.adds(value);
        self.polls.add(self.kind, 1);
    }
}

impl HistogramDurationBase for Bound<HistogramDuration> {
    fn records(&self, value: Duration) {
        self.inner.records(value);
        self.polls.add(self.kind, -1);
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::telemetry::metrics::{MetricKeyValue, NoOpCoreMeter};

    use super::*;

    fn request(meter: &PollMeter, operation: &'static str) -> (Counter, HistogramDuration) {
        let operation = [MetricKeyValue::new("operation", operation)];
        let attributes = meter.new_attributes(operation.into());
        let begun = meter.counter(BEGUN.into());
        let ended = meter.histogram_duration(ENDED.into());
        (
            begun.with_attributes(&attributes).unwrap(),
            ended.with_attributes(&attributes).unwrap(),
        )
    }

    #[test]
    fn a_poll_is_under_way_from_its_beginning_to_its_end() {
        let polls = Polls::default();
        let meter = PollMeter::new(Arc::new(NoOpCoreMeter), polls.clone());
        let (workflow_begun, workflow_ended) = request(&meter, "PollWorkflowTaskQueue");
        let (activity_begun, _) = request(&meter, "PollActivityTaskQueue");
        workflow_begun.adds(1);
        assert!(!polls.under_way().both());
        activity_begun.adds(1);
        assert!(polls.under_way().both());
        workflow_ended.records(Duration::from_secs(60));
        let left = UnderWay {
            workflow_tasks: 0,
            activity_tasks: 1,
        };
        assert_eq!(polls.under_way(), left);
    }

    #[test]
    fn another_long_request_is_no_poll() {
        let polls = Polls::default();
        let meter = PollMeter::new(Arc::new(NoOpCoreMeter), polls.clone());
        let (begun, _) = request(&meter, "GetWorkflowExecutionHistory");
        begun.adds(1);
        assert_eq!(polls.under_way(), UnderWay::default());
    }
}
