//! Refund: undoes Charge.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{OrderTask, Undone},
};

/// How a refund fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the payment service's refund desk is closed",
    after: "the payment service gave the money back, but its answer was lost",
};

/// Gives the charge back. Nothing happens where there was none.
///
/// # Errors
/// Where the ledger cannot be written; to be tried again.
pub fn refund(services: &Services, task: OrderTask) -> Result<Undone, StepError> {
    services.payments().refund(&task)
}
