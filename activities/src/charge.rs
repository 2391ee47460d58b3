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

/// Charges the order's payment info. `attempt` counts from 1.
///
/// # Errors
/// Final for a declined payment; to be tried again while the service is down, and where the ledger
/// cannot be written.
pub fn charge(
    services: &Services,
    task: OrderTask,
    attempt: u32,
) -> Result<Confirmation, StepError> {
    services.payments().charge(&task, attempt)
}
