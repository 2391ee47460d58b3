//! Recall: undoes Ship.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{Shipping, Undone},
};

/// How calling a parcel back fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the courier could not be reached on the way",
    after: "the courier turned back, but the confirmation was lost",
};

/// Calls one of the order's items back. Nothing happens where it was not shipped.
///
/// # Errors
/// Where the ledger cannot be written; to be tried again.
pub fn recall(services: &Services, shipping: Shipping) -> Result<Undone, StepError> {
    services.warehouse().recall(&shipping)
}
