//! The saga: each step that has an effect outside is paired with what undoes it.
//!
//! | step | undone by |
//! |---|---|
//! | Prepare shipment | Release |
//! | Charge | Refund |
//! | Ship | Recall |
//!
//! A step's undoing is noted before the step starts, because a worker that dies in it leaves open whether
//! it had its effect. So an undoing that finds nothing to undo is done, and says so.

use activities::{Activity, OrderActivities, Shipping};
use orders::ShipBy;
use temporalio_sdk::WorkflowCancellationToken;

use crate::{
    context::{OrderRun, Undo},
    patches,
    status::OrderStatus,
    stopped::Stopped,
};

impl OrderRun {
    /// Undoes the steps that were started, in reverse. Each undoing is retried until it succeeds. If one
    /// fails permanently, those that are left are not tried, and the order fails with that reason.
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
        let input = self.placement();
        self.run(Activity::Release, OrderActivities::release, input)
            .await?;
        Ok(())
    }

    async fn refund(&self) -> Result<(), Stopped> {
        let input = self.placement();
        self.run(Activity::Refund, OrderActivities::refund, input)
            .await?;
        Ok(())
    }

    async fn recall(&self, shipping: Shipping) -> Result<(), Stopped> {
        let parcel = &shipping.parcel;
        let step = self.step_about(Activity::Recall, &parcel.product, parcel.to_string());
        match self.order.ship_by {
            Some(ShipBy::Nexus) => self.noted(step, self.recall_by_nexus(shipping)).await?,
            None => self.run(step, OrderActivities::recall, shipping).await?,
        };
        Ok(())
    }
}
