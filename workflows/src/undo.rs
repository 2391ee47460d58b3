//! The saga: each step that has an effect outside is paired with what undoes it.
//!
//! | step | undone by |
//! |---|---|
//! | Prepare shipment | Release |
//! | Charge | Refund |
//! | Ship | Recall |
//!
//! A step's undoing is noted before the step is begun: a worker that dies in it leaves open whether
//! it had its effect. So an undoing that finds nothing to undo is done, and says so.

use activities::{OrderActivities, Shipping};
use temporalio_sdk::WorkflowCancellationToken;

use crate::{context::Steps, patches, status::OrderStatus, stopped::Stopped};

/// What undoes a step.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    /// Put the stock back.
    Release,
    /// Give the payment back.
    Refund,
    /// Call the item back.
    Recall(Box<Shipping>),
}

impl Steps {
    /// Undoes what was begun, in reverse. Each is tried until it is done, whatever else is asked
    /// for meanwhile.
    pub(crate) async fn undo(&self) -> Result<(), Stopped> {
        if self.to_undo.borrow().is_empty() || !self.ctx.patched(patches::UNDO) {
            return Ok(());
        }
        self.enter(OrderStatus::Undoing);
        let steps = Self {
            stop: WorkflowCancellationToken::new(),
            ..self.clone()
        };
        loop {
            let Some(undo) = self.to_undo.borrow_mut().pop() else {
                return Ok(());
            };
            match undo {
                Undo::Release => steps.release().await?,
                Undo::Refund => steps.refund().await?,
                Undo::Recall(shipping) => steps.recall(*shipping).await?,
            }
        }
    }

    async fn release(&self) -> Result<(), Stopped> {
        let step = self.begin("Release", None);
        let released = self
            .run(OrderActivities::release, self.task.clone(), None)
            .await;
        self.end(step, released, |released| (released.attempts, None))?;
        Ok(())
    }

    async fn refund(&self) -> Result<(), Stopped> {
        let step = self.begin("Refund", None);
        let refunded = self
            .run(OrderActivities::refund, self.task.clone(), None)
            .await;
        self.end(step, refunded, |refunded| {
            (refunded.attempts, refunded.answer.confirmation.clone())
        })?;
        Ok(())
    }

    async fn recall(&self, shipping: Shipping) -> Result<(), Stopped> {
        let item = shipping.parcel();
        let several = self.has_several_items();
        let step = self.begin("Recall", several.then_some(item.product.as_str()));
        let summary = several.then(|| item.to_string());
        let recalled = self.run(OrderActivities::recall, shipping, summary).await;
        self.end(step, recalled, |recalled| {
            (recalled.attempts, recalled.answer.confirmation.clone())
        })?;
        Ok(())
    }
}
