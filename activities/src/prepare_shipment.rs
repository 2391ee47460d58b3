//! Prepare shipment: is there enough stock, and is the order new?

use crate::{
    Services,
    error::StepError,
    faults::FaultMessages,
    task::{OrderTask, Preparation},
};

/// How the warehouse's stock system fails at random.
pub const FAULTS: FaultMessages = FaultMessages {
    before: "the warehouse's stock system is being restarted",
    after: "the warehouse set the units aside, but its answer was lost",
};

/// Reserves the order's units at the warehouse.
///
/// # Errors
/// Final for a product that does not exist and for more units than the warehouse can hold; to be
/// tried again where the inventory file cannot be read or written.
pub fn prepare_shipment(services: &Services, task: OrderTask) -> Result<Preparation, StepError> {
    services.warehouse().reserve(&task)
}
