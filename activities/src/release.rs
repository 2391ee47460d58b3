//! Release: undoes Prepare shipment.

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{OrderTask, Released},
};

/// How putting units back fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the warehouse is closed for stocktaking",
    after: "the warehouse put the units back, but its answer was lost",
};

/// Puts the order's units back on the shelf. Nothing happens where none were set aside.
///
/// # Errors
/// Where the inventory file cannot be written; to be tried again.
pub fn release(services: &Services, task: OrderTask) -> Result<Released, StepError> {
    services.warehouse().release(&task)
}
