//! Check fraud: is this payment info to be trusted?

use crate::{
    Services,
    error::{Refusal, StepError},
    faults::FaultMessages,
    task::{Checked, OrderTask},
};

/// How the fraud check fails at random. It changes nothing, so nothing can be lost after it.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the fraud detection service did not answer",
    after: "the fraud detection service's answer was cut off",
};

/// Payment info that is known to be bad.
pub const KNOWN_BAD: [&str; 4] = ["VISA-000000", "VISA-666666", "STOLEN-CARD", "NOT-A-CARD"];

/// Refuses payment info that is on [`KNOWN_BAD`] or is none at all.
///
/// # Errors
/// [`Refusal::Payment`], which is final: the same payment info will not be better the next time.
pub fn check_fraud(_: &Services, task: OrderTask) -> Result<Checked, StepError> {
    let payment = task.order.payment_info.trim();
    let reason = if payment.is_empty() {
        "there is no payment info".to_owned()
    } else if KNOWN_BAD
        .iter()
        .any(|bad| bad.eq_ignore_ascii_case(payment))
    {
        format!("payment info {payment:?} is on the list of known-bad ones")
    } else {
        return Ok(Checked {});
    };
    Err(Refusal::Payment {
        order: task.order.order_id,
        reason,
    }
    .into())
}
