//! Ship: hand the units to the courier.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{Confirmation, Shipping},
};

/// How the courier fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "no courier could be reached",
    after: "the courier took the parcel, but the confirmation was lost",
};

/// Ships one of the order's items.
///
/// # Errors
/// Where the ledger cannot be written; to be tried again.
pub fn ship(services: &Services, shipping: Shipping) -> Result<Confirmation, StepError> {
    services.warehouse().ship(&shipping)
}
