//! Charge: take the payment.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{Confirmation, OrderTask},
};

/// How the payment service fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the payment service is overloaded",
    after: "the payment service took the charge, but its answer was lost",
};

/// Charges the order's payment info.
///
/// # Errors
/// Where the ledger cannot be written; to be tried again.
pub fn charge(services: &Services, task: OrderTask) -> Result<Confirmation, StepError> {
    services.payments().charge(&task)
}
