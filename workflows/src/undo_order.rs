//! The undoing of an order whose own workflow is no more.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::fmt;

use activities::{OrderActivities, Shipping};
use inventory::{Confirmation, Placement, Stock};
use orders::Item;
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, WorkflowCancellationToken, WorkflowContext, WorkflowResult,
};

use crate::{Lenient, policies, stopped::Stopped};

/// The input of `UndoOrder`: one submission of an order, and what it may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToUndo {
    /// The submission. It names the inventory that the order belongs to, so that a worker with another
    /// one leaves the undoing alone.
    #[serde(flatten)]
    pub placement: Placement,
    /// What was reserved, one item for each product. Each is called back: an attempt that hangs may
    /// have shipped it since somebody looked, and what was called back cannot be shipped any more.
    pub items: Vec<Item>,
}

impl ToUndo {
    /// The ID of the workflow, which is the same for every caller, so that there is one undoing of a
    /// submission.
    pub fn workflow_id(&self) -> String {
        self.placement.key("undo")
    }
}

/// The result of `UndoOrder`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The courier's confirmation of each shipment that was called back.
    pub recalled: Vec<String>,
    /// The payment service's confirmation, if there was a charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// The units that were put back.
    pub released: Vec<Stock>,
}

impl fmt::Display for TakenBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recalled = self.recalled.iter().map(|it| format!("recalled ({it})"));
        let refund = self.refund.iter().map(|it| format!("refunded ({it})"));
        let units = |it: &Stock| format!("released {} of product {}", it.quantity, it.product);
        let all = recalled
            .chain(refund)
            .chain(self.released.iter().map(units));
        let all: Vec<_> = all.collect();
        if all.is_empty() {
            return f.write_str("nothing was left to undo");
        }
        f.write_str(&all.join(", "))
    }
}

/// Undoes an order that its own workflow does not undo any more, because it was terminated or is gone:
/// recalls, refunds and releases, in this order, as `undo.rs` does. Each is tried until it succeeds,
/// and one that finds nothing to undo is done.
#[workflow]
#[derive(Default)]
pub struct UndoOrder;

/// The methods a client names.
#[workflow_methods]
impl UndoOrder {
    /// Undoes the order. Fails if the input cannot be read or a field is above its limit. Nobody can
    /// cancel it, for an order that is undone halfway helps nobody.
    #[run(name = "UndoOrder")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Lenient<ToUndo>,
    ) -> WorkflowResult<TakenBack> {
        let ToUndo { placement, items } = input.read().map_err(|error| invalid(&error))?;
        let parcels: Vec<_> = items
            .into_iter()
            .map(|parcel| Shipping {
                placement: placement.clone(),
                parcel,
                deliver_to: None,
            })
            .collect();
        for parcel in &parcels {
            parcel.check_limits().map_err(|error| invalid(&error))?;
        }
        let options =
            |summary| policies::activity_options(&WorkflowCancellationToken::new(), summary);
        let stopped = |error| Stopped::from(error).into_failure();
        let number = |it: Option<Confirmation>| it.map(|it| it.number);

        let mut taken_back = TakenBack::default();
        for shipping in parcels {
            let options = options(Some(shipping.parcel.to_string()));
            let recall = ctx.execute_activity(OrderActivities::recall, shipping, options);
            let recalled = recall.await.map_err(stopped)?;
            taken_back
                .recalled
                .extend(number(recalled.answer.confirmation));
        }
        let refund =
            ctx.execute_activity(OrderActivities::refund, placement.clone(), options(None));
        taken_back.refund = number(refund.await.map_err(stopped)?.answer.confirmation);
        let release = ctx.execute_activity(OrderActivities::release, placement, options(None));
        taken_back.released = release.await.map_err(stopped)?.answer.items;
        Ok(taken_back)
    }
}

fn invalid(reason: &impl fmt::Display) -> ApplicationFailure {
    ApplicationFailure::builder(format!("invalid undoing: {reason}"))
        .type_name("InvalidUndoing".to_owned())
        .non_retryable(true)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_said_in_the_order_in_which_it_was() {
        let mut all = TakenBack::default();
        assert_eq!(all.to_string(), "nothing was left to undo");
        all.recalled.push("recall-000005".to_owned());
        all.refund = Some("refund-000006".to_owned());
        all.released.push(Stock {
            product: "123456".to_owned(),
            quantity: 999,
            in_stock: 1_000,
        });
        assert_eq!(
            all.to_string(),
            "recalled (recall-000005), refunded (refund-000006), released 999 of product 123456"
        );
    }

    #[test]
    fn each_submission_has_an_undoing_of_its_own() {
        let undoing = |submission| ToUndo {
            placement: Placement::new("order-1", submission),
            items: Vec::new(),
        };
        assert_eq!(undoing("run").workflow_id(), "order-1/run/undo");
        assert_ne!(undoing("run").workflow_id(), undoing("other").workflow_id());
    }
}
