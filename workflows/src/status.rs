//! The status of an order: the answer to the query `status`.

use std::{fmt, time::SystemTime};

use activities::{Activity, Effect, StepAnswer};
use orders::{MAX_MESSAGE, shortened};
use serde::{Deserialize, Serialize};
use temporalio_common::search_attributes::SearchAttributeKey;

/// The search attribute in which an order keeps its status, so that orders can be listed by it.
///
/// An order keeps it up to date only if it was started with it. A namespace that does not know the
/// attribute therefore refuses the start, and never an order in the middle of its way.
pub const ORDER_STATUS: SearchAttributeKey<String> = SearchAttributeKey::keyword("OrderStatus");

/// How many ignored signals an order lists. Their number has no limit, and the answer to a query
/// has.
const MAX_IGNORED: usize = 10;

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Placed, and not started yet.
    Received,
    /// Its payment info is being checked.
    CheckingFraud,
    /// Waiting as long as it asked to.
    Pausing,
    /// Waiting for a person's approval.
    AwaitingApproval,
    /// Its stock is being reserved.
    PreparingShipment,
    /// It is being charged.
    Charging,
    /// Waiting for another delivery address.
    AwaitingAddress,
    /// It is being shipped.
    Shipping,
    /// Shipped; the supplier is filling the shelf.
    Resupplying,
    /// Charged and shipped.
    Completed,
    /// An order with this ID was placed before.
    Duplicate,
    /// Not approved.
    Rejected,
    /// Its steps are being undone.
    Undoing,
    /// Cancelled, and undone.
    Cancelled,
    /// Failed, and undone.
    Failed,
}

impl OrderStatus {
    /// All of them, in the order in which an order goes through them.
    pub const ALL: [Self; 15] = [
        Self::Received,
        Self::CheckingFraud,
        Self::Pausing,
        Self::AwaitingApproval,
        Self::PreparingShipment,
        Self::Charging,
        Self::AwaitingAddress,
        Self::Shipping,
        Self::Resupplying,
        Self::Completed,
        Self::Duplicate,
        Self::Rejected,
        Self::Undoing,
        Self::Cancelled,
        Self::Failed,
    ];

    /// Whether the order waits for time to pass or for a person.
    pub fn is_waiting(self) -> bool {
        matches!(
            self,
            Self::Pausing | Self::AwaitingApproval | Self::AwaitingAddress
        )
    }

    /// Whether the order has ended.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Duplicate | Self::Rejected | Self::Cancelled | Self::Failed
        )
    }

    /// Whether the order has ended before all its steps were done.
    pub fn is_end_on_the_way(self) -> bool {
        self.is_end() && self != Self::Completed
    }
}

impl fmt::Display for OrderStatus {
    /// The text that the search attribute holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The state of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    /// Started, and not finished yet.
    Running,
    /// Done.
    Done,
    /// Given up.
    Failed,
    /// Not needed, and so not run.
    Skipped,
}

/// One step of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepProgress {
    /// Which activity it is.
    pub step: Activity,
    /// The product, if the order has several and the step is about one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its state.
    pub status: StepStatus,
    /// How many attempts it took; 0 until it is done. Only the server knows how many a running step
    /// has had so far.
    pub attempts: u32,
    /// The service's confirmation, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Whether the step's effect was found from an earlier attempt, whose worker died or whose
    /// answer was lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// The units in stock that made the step needless, if it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<u32>,
}

/// What an order waits for, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// In a few words: "waiting for approval".
    pub what: String,
    /// When it goes on at the latest, whether what it waits for came or not.
    #[serde(with = "rfc3339")]
    pub until: SystemTime,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = humantime::format_rfc3339_seconds(self.until);
        write!(f, "{} until {until}", self.what)
    }
}

/// The answer to the query `status`.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderProgress {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// Its status.
    pub status: OrderStatus,
    /// How far it has come, in percent.
    pub percent: u32,
    /// Its steps, in the order in which they started.
    pub steps: Vec<StepProgress>,
    /// What it waits for, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The delivery address, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[debug("***")]
    pub address: Option<String>,
    /// Why it was stopped, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last signals that were ignored, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[debug("{} of them", ignored.len())]
    pub ignored: Vec<String>,
    /// How many signals were ignored before those that are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ignored_before: u32,
    /// How many items it has.
    #[serde(skip)]
    pub(crate) items: u32,
}

impl OrderProgress {
    pub(crate) fn new(order_id: &str, items: usize, address: Option<String>) -> Self {
        Self {
            order_id: order_id.to_owned(),
            status: OrderStatus::Received,
            percent: 0,
            steps: Vec::new(),
            waiting: None,
            address,
            reason: None,
            ignored: Vec::new(),
            ignored_before: 0,
            items: u32::try_from(items).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Records that a step has started. Returns its index.
    pub(crate) fn begin(&mut self, step: Activity, product: Option<String>) -> usize {
        self.steps.push(StepProgress {
            step,
            product,
            status: StepStatus::Running,
            attempts: 0,
            confirmation: None,
            found: false,
            in_stock: None,
        });
        self.steps.len() - 1
    }

    /// Records that the step at index `place` is done.
    pub(crate) fn done(&mut self, place: usize, answer: &impl StepAnswer) {
        let step = &mut self.steps[place];
        step.status = StepStatus::Done;
        step.attempts = answer.attempts();
        let effect = answer.effect();
        step.confirmation = effect.and_then(Effect::confirmation).map(str::to_owned);
        step.found = effect.is_some_and(Effect::found);
        self.percent = self.percent.max(self.behind());
    }

    /// Records that the step at index `place` was given up.
    pub(crate) fn failed(&mut self, place: usize) {
        self.steps[place].status = StepStatus::Failed;
    }

    /// Records that a step is not needed, because so many units are in stock.
    pub(crate) fn skip(&mut self, step: Activity, product: Option<String>, in_stock: u32) {
        let place = self.begin(step, product);
        self.steps[place].status = StepStatus::Skipped;
        self.steps[place].in_stock = Some(in_stock);
        self.percent = self.percent.max(self.behind());
    }

    /// The status in a sentence, which the Web UI shows as the workflow's current details.
    pub(crate) fn details(&self) -> String {
        let waiting = self.waiting.iter().map(|it| format!(", {it}"));
        let reason = self.reason.iter().map(|it| format!(": {it}"));
        let status = self.status.to_string();
        std::iter::once(status)
            .chain(waiting)
            .chain(reason)
            .collect()
    }

    /// Records that a signal was ignored, and why.
    pub(crate) fn ignore(&mut self, note: &str) {
        if self.ignored.len() == MAX_IGNORED {
            self.ignored.remove(0);
            self.ignored_before = self.ignored_before.saturating_add(1);
        }
        self.ignored.push(shortened(note, MAX_MESSAGE).into_owned());
    }

    /// Whether the whole order has been handed to the courier.
    pub fn has_shipped(&self) -> bool {
        self.done_of(Activity::Ship) >= self.items
    }

    /// A delivery from before the order shipped does not count.
    fn is_resupplied(&self) -> bool {
        let mut after = self.steps.iter().skip_while(|it| it.step != Activity::Ship);
        let over = [StepStatus::Done, StepStatus::Skipped];
        after.any(|it| it.step == Activity::SupplierOrder && over.contains(&it.status))
    }

    fn done_of(&self, step: Activity) -> u32 {
        let done = self
            .steps
            .iter()
            .filter(|it| it.step == step && it.status == StepStatus::Done);
        u32::try_from(done.count()).unwrap_or(u32::MAX)
    }

    /// Each of the five steps of every order counts for 20 percent.
    fn behind(&self) -> u32 {
        let (checked, prepared, charged) = (
            self.done_of(Activity::CheckFraud).min(1),
            self.done_of(Activity::PrepareShipment).min(1),
            self.done_of(Activity::Charge).min(1),
        );
        let shipped = 20 * self.done_of(Activity::Ship).min(self.items) / self.items;
        20 * (checked + prepared + charged + u32::from(self.is_resupplied())) + shipped
    }
}

mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map_err(D::Error::custom)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_details_say_what_is_waited_for_until_when_and_why_it_stopped() {
        let mut progress = OrderProgress::new("order-1", 1, None);
        progress.status = OrderStatus::AwaitingApproval;
        let waiting = Waiting {
            what: "waiting for approval".to_owned(),
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(90),
        };
        let json = serde_json::to_string(&waiting).unwrap();
        assert_eq!(serde_json::from_str::<Waiting>(&json).unwrap(), waiting);
        progress.waiting = Some(waiting);
        assert_eq!(
            progress.details(),
            "AwaitingApproval, waiting for approval until 1970-01-01T00:01:30Z"
        );
        progress.waiting = None;
        progress.status = OrderStatus::Cancelled;
        progress.reason = Some("found it cheaper".to_owned());
        assert_eq!(progress.details(), "Cancelled: found it cheaper");
    }

    #[test]
    fn the_list_of_ignored_signals_stays_short() {
        let mut progress = OrderProgress::new("order-1", 1, None);
        for number in 0..1_000 {
            progress.ignore(&format!("{number} {}", "x".repeat(10_000)));
        }
        assert_eq!(progress.ignored.len(), MAX_IGNORED);
        assert!(progress.ignored[0].starts_with("990 "));
        assert_eq!(progress.ignored_before, 990);
        let answer = serde_json::to_string(&progress).unwrap();
        assert!(answer.len() < 10_000, "{}", answer.len());
    }

    #[test]
    fn the_percentage_follows_the_steps_and_the_items() {
        let mut progress = OrderProgress::new("order-1", 2, None);
        let mut seen = Vec::new();
        for (step, product) in [
            (Activity::CheckFraud, None),
            (Activity::SupplierOrder, Some("1")),
            (Activity::PrepareShipment, None),
            (Activity::Charge, None),
            (Activity::Ship, Some("1")),
            (Activity::Ship, Some("2")),
            (Activity::SupplierOrder, Some("1")),
        ] {
            let place = progress.begin(step, product.map(str::to_owned));
            progress.done(place, &None);
            seen.push(progress.percent);
        }
        assert_eq!(seen, [20, 20, 40, 60, 70, 80, 100]);
        assert!(progress.has_shipped());
    }

    #[test]
    fn a_step_that_is_not_needed_counts_as_done() {
        let mut progress = OrderProgress::new("order-1", 1, None);
        for step in Activity::ALL.into_iter().take(4) {
            let place = progress.begin(step, None);
            progress.done(place, &None);
        }
        assert_eq!(progress.percent, 80);
        progress.skip(Activity::SupplierOrder, None, 7_992);
        assert_eq!(progress.percent, 100);
        assert_eq!(
            serde_json::to_string(&progress.steps[4]).unwrap(),
            r#"{"step":"SupplierOrder","status":"skipped","attempts":0,"inStock":7992}"#
        );
    }

    #[test]
    fn a_part_that_has_shipped_is_not_the_whole_order() {
        let mut progress = OrderProgress::new("order-1", 2, None);
        let place = progress.begin(Activity::Ship, Some("1".to_owned()));
        progress.done(place, &None);
        let other = progress.begin(Activity::Ship, Some("2".to_owned()));
        progress.failed(other);
        assert!(!progress.has_shipped());
    }

    #[test]
    fn the_name_of_a_status_is_the_same_everywhere() {
        for status in OrderStatus::ALL {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
        }
    }
}
