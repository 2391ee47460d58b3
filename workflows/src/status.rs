//! How an order stands, as it answers when it is asked.

use std::fmt;

use activities::{Activity, Effect, StepAnswer};
use serde::{Deserialize, Serialize};
use temporalio_common::search_attributes::SearchAttributeKey;

/// The search attribute that an order keeps up to date, where it was given one when it was placed.
/// What decides comes with the order: a namespace that does not know the attribute refuses it there
/// and then, and not in the middle of the order.
pub const ORDER_STATUS: SearchAttributeKey<String> = SearchAttributeKey::keyword("OrderStatus");

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Placed, and not begun.
    Received,
    /// Its payment info is being checked.
    CheckingFraud,
    /// It waits as long as it asked for.
    Pausing,
    /// It waits for a person to approve of it.
    AwaitingApproval,
    /// Its stock is being reserved.
    PreparingShipment,
    /// It is being charged.
    Charging,
    /// It waits for another delivery address.
    AwaitingAddress,
    /// It is being shipped.
    Shipping,
    /// It has shipped; the supplier fills the shelf.
    Resupplying,
    /// Charged and shipped.
    Completed,
    /// An order of this ID was placed before.
    Duplicate,
    /// Nobody approved of it.
    Rejected,
    /// What was done is being undone.
    Undoing,
    /// Cancelled, and undone.
    Cancelled,
    /// Failed, and undone.
    Failed,
}

impl OrderStatus {
    /// All of them, in the order in which an order comes by them.
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

    /// Whether nothing more will happen.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Duplicate | Self::Rejected | Self::Cancelled | Self::Failed
        )
    }
}

impl fmt::Display for OrderStatus {
    /// As the search attribute has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where one step of an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    /// Asked for.
    Running,
    /// Done.
    Done,
    /// Ended without being done.
    Failed,
}

/// One step of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepProgress {
    /// Which activity it is.
    pub step: Activity,
    /// The product, where the step is about one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Where it is.
    pub status: StepStatus,
    /// Attempts it took; 0 where it is not done. The server alone knows of those of a running step.
    pub attempts: u32,
    /// The service's confirmation, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Whether the step's effect was found from an earlier attempt, whose worker died or whose
    /// answer was lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

/// The answer to the query `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderProgress {
    /// The order's ID.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// How it stands.
    pub status: OrderStatus,
    /// How much of its way to completion lies behind it: 0 to 100.
    pub percent: u32,
    /// Its steps, in the order in which they were begun.
    pub steps: Vec<StepProgress>,
    /// Where it goes, if anybody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why it ended, or is ending, before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Messages that changed nothing, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Items in it.
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
            address,
            reason: None,
            ignored: Vec::new(),
            items: u32::try_from(items).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Notes that a step is begun. Returns its place.
    pub(crate) fn begin(&mut self, step: Activity, product: Option<String>) -> usize {
        self.steps.push(StepProgress {
            step,
            product,
            status: StepStatus::Running,
            attempts: 0,
            confirmation: None,
            found: false,
        });
        self.steps.len() - 1
    }

    /// Notes that the step at `place` is done.
    pub(crate) fn done(&mut self, place: usize, answer: &impl StepAnswer) {
        let step = &mut self.steps[place];
        step.status = StepStatus::Done;
        step.attempts = answer.attempts();
        let effect = answer.effect();
        step.confirmation = effect.and_then(Effect::confirmation).map(str::to_owned);
        step.found = effect.is_some_and(Effect::found);
        self.percent = self.percent.max(self.behind());
    }

    /// Notes that the step at `place` ended without being done.
    pub(crate) fn failed(&mut self, place: usize) {
        self.steps[place].status = StepStatus::Failed;
    }

    /// Whether the whole order has been handed to the courier.
    pub fn has_shipped(&self) -> bool {
        self.done_of(Activity::Ship) >= self.items
    }

    /// The supplier may have been asked before the order shipped; that counts for nothing.
    fn is_resupplied(&self) -> bool {
        let mut after = self.steps.iter().skip_while(|it| it.step != Activity::Ship);
        after.any(|it| it.step == Activity::SupplierOrder && it.status == StepStatus::Done)
    }

    fn done_of(&self, step: Activity) -> u32 {
        let done = self
            .steps
            .iter()
            .filter(|it| it.step == step && it.status == StepStatus::Done);
        u32::try_from(done.count()).unwrap_or(u32::MAX)
    }

    /// Each of the five steps that every order takes is a fifth of its way.
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

#[cfg(test)]
mod tests {
    use super::*;

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
