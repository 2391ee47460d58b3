//! Who takes the money.

use inventory::Inventory;

use crate::{
    error::StepError,
    task::{Confirmation, OrderTask},
};

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
    /// made.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    pub fn charge(&self, task: &OrderTask) -> Result<Confirmation, StepError> {
        let charge = self
            .ledger
            .record_charge(&task.placement(), &masked(&task.order.payment_info))?;
        Ok(Confirmation {
            confirmation: charge.number,
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
