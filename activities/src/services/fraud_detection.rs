//! Knows which payment info is bad.

use orders::masked;

use crate::{
    error::{Refusal, StepError},
    task::{Checked, Payment},
};

/// Payment info that is known to be bad.
pub const KNOWN_BAD: [&str; 4] = ["VISA-000000", "VISA-666666", "STOLEN-CARD", "NOT-A-CARD"];

/// The fraud detection service. It changes nothing and keeps no record.
#[derive(Clone)]
pub struct FraudDetection;

impl FraudDetection {
    /// Refuses payment info that is on [`KNOWN_BAD`] or is missing.
    ///
    /// # Errors
    /// Returns [`Refusal::Payment`], which is final: the same payment info will be no better the
    /// next time.
    pub fn check(&self, payment: &Payment) -> Result<Checked, StepError> {
        let info = payment.payment_info.trim();
        let reason = if info.is_empty() {
            "there is no payment info".to_owned()
        } else if KNOWN_BAD.iter().any(|bad| bad.eq_ignore_ascii_case(info)) {
            format!(
                "payment info {} is on the list of known-bad ones",
                masked(info)
            )
        } else {
            return Ok(Checked {});
        };
        Err(Refusal::Payment {
            order: payment.placement.order_id.clone(),
            reason,
        }
        .into())
    }
}
