//! Who takes the money.

use inventory::Inventory;

use crate::{
    error::{Refusal, StepError},
    task::{Confirmation, OrderTask, Undone},
};

/// Payment info that the service declines, as real ones have test cards for it.
pub const DECLINED: &str = "VISA-DECLINED";

/// Payment info for which the service is down, until [`BACK_AT_ATTEMPT`].
pub const OUTAGE: &str = "VISA-OUTAGE";

/// The attempt at which the service is back for [`OUTAGE`].
pub const BACK_AT_ATTEMPT: u32 = 5;

/// Characters of the payment info that a record may show.
const SHOWN: usize = 2;

/// The payment service.
pub struct Payments<'a> {
    ledger: &'a Inventory,
}

impl<'a> Payments<'a> {
    pub(super) fn new(ledger: &'a Inventory) -> Self {
        Self { ledger }
    }

    /// Charges the order once: asked again for the same submission, it answers with the charge it
    /// made. `attempt` counts from 1.
    ///
    /// # Errors
    /// Final for [`DECLINED`]; to be tried again for [`OUTAGE`], and where the ledger cannot be read
    /// or written.
    pub fn charge(&self, task: &OrderTask, attempt: u32) -> Result<Confirmation, StepError> {
        let payment = task.order.payment_info.trim();
        if payment.eq_ignore_ascii_case(OUTAGE) && attempt < BACK_AT_ATTEMPT {
            return Err(StepError::Outage("the payment service is down"));
        }
        if payment.eq_ignore_ascii_case(DECLINED) {
            return Err(Refusal::Declined {
                order: task.order.order_id.clone(),
            }
            .into());
        }
        let charge = self
            .ledger
            .record_charge(&task.placement(), &masked(&task.order.payment_info))?;
        Ok(Confirmation {
            confirmation: charge.number,
        })
    }

    /// Gives the charge back once.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn refund(&self, task: &OrderTask) -> Result<Undone, StepError> {
        let refund = self.ledger.record_refund(&task.placement())?;
        Ok(Undone {
            confirmation: refund.map(|refund| refund.number),
        })
    }
}

/// The payment info with all but its end hidden: a ledger is read by many.
fn masked(payment_info: &str) -> String {
    let hidden = payment_info.chars().count().saturating_sub(SHOWN);
    payment_info
        .chars()
        .enumerate()
        .map(|(i, c)| if i < hidden { '*' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn only_the_end_of_the_payment_info_is_recorded() {
        assert_eq!(masked("VISA-123456"), "*********56");
        assert_eq!(masked("56"), "56");
        assert_eq!(masked("Überweisung"), "*********ng");
    }
}
