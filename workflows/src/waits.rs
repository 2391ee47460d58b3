//! The places where an order waits for time to pass, or for a person.

use std::time::Duration;

use crate::{context::OrderRun, requests::Decision, status::OrderStatus, stopped::Stopped};

impl OrderRun {
    /// Waits, if the order asks for it.
    pub(crate) async fn pause(&self) -> Result<(), Stopped> {
        let Some(pause) = self.order.pause() else {
            return Ok(());
        };
        self.enter(OrderStatus::Pausing);
        self.sleep(pause, "the order asked for a pause").await
    }

    /// Waits for a person's approval, if the order needs it. Returns the reason if the order is
    /// rejected.
    pub(crate) async fn approval(&self) -> Result<Option<String>, Stopped> {
        let Some(rule) = self.order.needed_approval() else {
            return Ok(None);
        };
        self.enter(OrderStatus::AwaitingApproval);
        let within = Duration::from_secs(rule.within_seconds);
        self.wait_for(within, "waiting for approval", |workflow| {
            workflow.requests.decision.is_some()
        })
        .await?;
        let decision = self
            .ctx
            .state(|workflow| workflow.requests.decision.clone());
        Ok(match decision {
            Some(Decision::Approved) => None,
            Some(Decision::Rejected(reason)) => Some(reason),
            None => Some(format!(
                "nobody decided within {} seconds",
                rule.within_seconds
            )),
        })
    }

    /// Waits for another delivery address, if the order asks for it and nobody gave one yet.
    pub(crate) async fn another_address(&self) -> Result<(), Stopped> {
        let Some(at_most) = self.order.await_address() else {
            return Ok(());
        };
        self.enter(OrderStatus::AwaitingAddress);
        self.wait_for(at_most, "waiting for an address", |workflow| {
            workflow.requests.address.is_some()
        })
        .await
    }
}
