//! How much a worker takes on at once.

use std::{fmt, ops::RangeInclusive};

use clap::Args;
use temporal::args::whole;
use temporalio_sdk::{
    WorkerOptions,
    runtime::{
        AutoscalingOptions, PollerBehavior,
        worker_tuner::{
            FixedSizeSlotSupplier, ResourceBasedSlotOptions, ResourceBasedSlotsForType,
            ResourceBasedTunerOptions, SlotSupplier, TunerHolder,
        },
    },
};

/// The most orders to keep in memory: some GB.
const MOST_CACHED: usize = 100_000;
/// The most tasks at the same time. The SDK makes room for all of them at the start.
const MOST_SLOTS: usize = 10_000;
/// The most polls: each is an open request.
const MOST_POLLERS: usize = 500;

/// What a worker says that finds a number by itself.
const AUTO: &str = "auto";
/// The share of the machine's memory and processors in use up to which slots are added.
const TARGET_MEMORY: f64 = 0.8;
const TARGET_CPU: f64 = 0.9;
/// Pollers that scale themselves: how many there are at first, and at most.
const FIRST_POLLERS: usize = 5;
const MOST_SCALED_POLLERS: usize = 100;

/// A number, or one that the worker finds by itself while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// This number.
    Fixed(usize),
    /// As many as pay: slots by the machine's free memory and processors, pollers by what the server
    /// says is waiting.
    Auto,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(number) => number.fmt(f),
            Self::Auto => f.write_str(AUTO),
        }
    }
}

/// Slots and pollers. The defaults suit a laptop: enough for some 50 orders at a time, and small
/// beside what else runs there.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Slots and pollers")]
pub struct TuningArgs {
    /// How many orders to keep in memory between their steps; those beyond are replayed from
    /// their history. 0 keeps none; at most 100000
    #[arg(long, env = "MAX_CACHED_WORKFLOWS", value_name = "NUMBER", default_value_t = 500, value_parser = whole(0..=MOST_CACHED))]
    pub max_cached_workflows: usize,
    /// How many workflow tasks to work on at the same time: from 2 to 10000, or `auto` for as many as
    /// memory and processors allow
    #[arg(long, env = "MAX_WORKFLOW_TASKS", value_name = "NUMBER", default_value_t = Limit::Fixed(50), value_parser = workflow_slots)]
    pub max_workflow_tasks: Limit,
    /// How many activities to run at the same time: from 1 to 10000, or `auto` for as many as memory
    /// and processors allow
    #[arg(long, env = "MAX_ACTIVITIES", value_name = "NUMBER", default_value_t = Limit::Fixed(50), value_parser = activity_slots)]
    pub max_activities: Limit,
    /// How many polls for workflow tasks to have open: from 2 to 500, or `auto` for as many as the
    /// server has tasks for
    #[arg(long, env = "WORKFLOW_POLLERS", value_name = "NUMBER", default_value_t = Limit::Fixed(5), value_parser = workflow_pollers)]
    pub workflow_pollers: Limit,
    /// How many polls for activities to have open: from 1 to 500, or `auto` for as many as the server
    /// has tasks for
    #[arg(long, env = "ACTIVITY_POLLERS", value_name = "NUMBER", default_value_t = Limit::Fixed(5), value_parser = activity_pollers)]
    pub activity_pollers: Limit,
    /// How many of the activities that an order asks for in one task start at once on this
    /// worker, without passing through the task queue. 0 turns this off; at most 10000
    #[arg(long, env = "EAGER_ACTIVITIES", value_name = "NUMBER", default_value_t = 3, value_parser = whole(0..=MOST_SLOTS))]
    pub eager_activities: usize,
    /// After how many activities a fresh worker takes over within the process. That gives back what
    /// the SDK's worker keeps of each activity
    #[arg(long, env = "SHIFT", value_name = "ACTIVITIES", default_value_t = 20_000, value_parser = whole(1..=u64::MAX))]
    pub shift: u64,
}

impl TuningArgs {
    /// Sets a worker's options accordingly.
    pub fn apply(&self, options: &mut WorkerOptions) {
        options.max_cached_workflows = self.max_cached_workflows;
        options.tuner = TunerHolder::builder()
            .workflow_task_slot_supplier(slots(self.max_workflow_tasks))
            .activity_task_slot_supplier(slots(self.max_activities))
            .local_activity_task_slot_supplier(slots(self.max_activities))
            // The SDK serves no Nexus operations, and wants a number nevertheless.
            .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .build()
            .into();
        options.workflow_task_poller_behavior = Some(pollers(self.workflow_pollers, 2));
        options.activity_task_poller_behavior = Some(pollers(self.activity_pollers, 1));
        options.max_eager_activity_reservations_per_workflow_task = self.eager_activities;
    }
}

fn slots(limit: Limit) -> SlotSupplier {
    match limit {
        Limit::Fixed(number) => FixedSizeSlotSupplier::new(number).into(),
        Limit::Auto => {
            let targets = ResourceBasedTunerOptions::builder()
                .target_memory_usage(TARGET_MEMORY)
                .target_cpu_usage(TARGET_CPU)
                .build();
            ResourceBasedSlotsForType::new(targets, ResourceBasedSlotOptions::default()).into()
        }
    }
}

fn pollers(limit: Limit, minimum: usize) -> PollerBehavior {
    match limit {
        Limit::Fixed(number) => PollerBehavior::SimpleMaximum(number),
        Limit::Auto => PollerBehavior::Autoscaling(
            AutoscalingOptions::builder()
                .minimum(minimum)
                .initial(FIRST_POLLERS)
                .maximum(MOST_SCALED_POLLERS)
                .build(),
        ),
    }
}

fn workflow_slots(text: &str) -> Result<Limit, String> {
    limit(text, 2..=MOST_SLOTS, TWO)
}

fn activity_slots(text: &str) -> Result<Limit, String> {
    limit(text, 1..=MOST_SLOTS, ONE)
}

fn workflow_pollers(text: &str) -> Result<Limit, String> {
    limit(text, 2..=MOST_POLLERS, TWO)
}

fn activity_pollers(text: &str) -> Result<Limit, String> {
    limit(text, 1..=MOST_POLLERS, ONE)
}

const ONE: &str = ": with 0, no activity would ever run";
const TWO: &str = ": one is for new orders and one for orders that this worker already knows";

fn limit(text: &str, range: RangeInclusive<usize>, why_least: &str) -> Result<Limit, String> {
    if text == AUTO {
        return Ok(Limit::Auto);
    }
    let least = *range.start();
    if text.parse().is_ok_and(|number: usize| number < least) {
        return Err(format!("must be at least {least}{why_least}"));
    }
    whole(range)(text).map(Limit::Fixed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use temporalio_sdk::{WorkerOptions, runtime::worker_tuner::WorkerTuner};

    use super::*;
    use crate::Args;

    fn refusal(flag: &str, value: &str) -> String {
        let error = Args::try_parse_from(["worker", flag, value]).unwrap_err();
        error.to_string()
    }

    #[test]
    fn what_would_run_no_order_is_refused_with_the_reason() {
        for (flag, value, reason) in [
            ("--max-activities", "0", "at least 1"),
            ("--activity-pollers", "0", "at least 1"),
            ("--max-workflow-tasks", "1", "one is for new orders"),
            ("--workflow-pollers", "1", "one is for new orders"),
            ("--workflow-pollers", "many", "a whole number"),
            ("--max-activities", "1.5", "a whole number"),
            ("--eager-activities", "few", "a whole number"),
            ("--max-cached-workflows", "1000000000", "from 0 to 100000"),
            ("--max-workflow-tasks", "2305843009213693952", "from 2 to"),
            ("--max-activities", "2305843009213693952", "from 1 to"),
            ("--max-activities", "99999999999999999999", "from 1 to"),
            ("--workflow-pollers", "1000000", "from 2 to 500"),
            ("--activity-pollers", "1000000", "from 1 to 500"),
            ("--eager-activities", "1000000", "from 0 to"),
            ("--task-queue", "", "is empty"),
            ("--task-queue", "/_sys/orders", "the server's own"),
            ("--shutdown-limit", "1000years", "at most 1 day"),
            ("--shift", "0", "from 1 to"),
            ("--fault-seed", "few", "a whole number"),
            ("--build-id", "7.1", "without dots"),
            ("--deployment-name", "", "is empty"),
        ] {
            let text = refusal(flag, value);
            assert!(text.contains(reason), "{flag} {value}: {text}");
        }
    }

    #[test]
    fn slots_and_pollers_scale_themselves_where_that_is_asked_for() {
        let auto = ["--max-activities=auto", "--activity-pollers=auto"];
        let mut options = WorkerOptions::new("orders").build();
        let args = Args::try_parse_from(["worker"].iter().chain(&auto)).unwrap();
        args.tuning.apply(&mut options);
        let pollers = options.activity_task_poller_behavior.unwrap();
        assert!(matches!(pollers, PollerBehavior::Autoscaling(_)));
        let WorkerTuner::TunerHolder(tuner) = options.tuner else {
            panic!("{:?}", options.tuner);
        };
        let slots = tuner.activity_task_slot_supplier;
        assert!(matches!(slots, SlotSupplier::ResourceBased(_)), "{slots:?}");
        let fixed = tuner.workflow_task_slot_supplier;
        assert!(matches!(fixed, SlotSupplier::FixedSize(_)), "{fixed:?}");
    }

    #[test]
    fn none_cached_and_none_taken_on_at_once_are_choices() {
        let none = ["worker", "--max-cached-workflows=0", "--eager-activities=0"];
        let mut options = WorkerOptions::new("orders").build();
        let tuning = Args::try_parse_from(none).unwrap().tuning;
        tuning.apply(&mut options);
        assert_eq!(options.max_cached_workflows, 0);
        assert_eq!(options.max_eager_activity_reservations_per_workflow_task, 0);
    }
}
