//! Takes the money, and gives it back.

use inventory::{Confirmation, Inventory, Placement};
use orders::masked;

use crate::{
    error::{Refusal, StepError},
    task::{Payment, Undone},
};

/// Payment info that the service declines, as real ones have test cards for it.
pub const DECLINED: &str = "VISA-DECLINED";

/// Payment info for which the service is down, until [`BACK_AT_ATTEMPT`].
pub const OUTAGE: &str = "VISA-OUTAGE";

/// What an attempt says that cannot reach the service.
pub const PAYMENTS_DOWN: &str = "the payment service is down";

/// The attempt at which the service is back for [`OUTAGE`].
pub const BACK_AT_ATTEMPT: u32 = 5;

/// The payment service.
#[derive(Clone)]
pub struct Payments {
    ledger: Inventory,
}

impl Payments {
    pub(super) fn new(ledger: Inventory) -> Self {
        Self { ledger }
    }

    /// Charges the order once: asked again for the same submission, it answers with the charge it
    /// made. `attempt` counts from 1.
    ///
    /// # Errors
    /// The error is final for [`DECLINED`]. For [`OUTAGE`], and if the ledger cannot be read or
    /// written, another attempt can succeed.
    pub async fn charge(&self, payment: &Payment, attempt: u32) -> Result<Confirmation, StepError> {
        let info = payment.payment_info.trim();
        if info.eq_ignore_ascii_case(OUTAGE) && attempt < BACK_AT_ATTEMPT {
            return Err(StepError::Outage(PAYMENTS_DOWN));
        }
        if info.eq_ignore_ascii_case(DECLINED) {
            return Err(Refusal::Declined {
                order: payment.placement.order_id.clone(),
            }
            .into());
        }
        Ok(self
            .ledger
            .record_charge(&payment.placement, &masked(&payment.payment_info))
            .await?)
    }

    /// Gives the charge back once.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be read or written.
    pub async fn refund(&self, placement: &Placement) -> Result<Undone, StepError> {
        let confirmation = self.ledger.record_refund(placement).await?;
        Ok(Undone { confirmation })
    }
}
