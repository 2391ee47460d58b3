//! Look up items: what is there of what an order asks for?

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{OrderTask, Shelf},
};

/// How the warehouse's catalogue fails at random. It changes nothing, so nothing can be lost after it.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the warehouse's catalogue did not answer",
    after: "the warehouse's catalogue's answer was cut off",
};

/// What is in stock of the order's items.
///
/// # Errors
/// Final for a product that does not exist; to be tried again where the inventory file cannot be read.
pub fn look_up_items(services: &Services, task: OrderTask) -> Result<Shelf, StepError> {
    services.warehouse().look_up(&task)
}
