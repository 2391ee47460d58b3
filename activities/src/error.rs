//! Why an attempt at an activity failed, and whether another one can help.

use inventory::InventoryError;
use orders::{MAX_MESSAGE, shortened};
use temporalio_sdk::{ApplicationFailure, activities::ActivityError};

/// A refusal that stays the same however often the step is tried.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The payment info is not to be trusted.
    #[error("{order} is refused: {reason}")]
    Payment {
        /// The order's ID.
        order: String,
        /// What is wrong with the payment info.
        reason: String,
    },
    /// The payment service will not take the charge.
    #[error("the payment for {order} was declined")]
    Declined {
        /// The order's ID.
        order: String,
    },
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The order is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The inventory could not do it.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A simulated fault.
    #[error("{0} (simulated)")]
    Fault(&'static str),
    /// A service cannot be reached.
    #[error("{0}")]
    Outage(&'static str),
    /// The activity's own code panicked.
    #[error("the activity's code broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

impl StepError {
    /// Whether another attempt would fail in the same way.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Inventory(error) => error.is_permanent(),
            Self::Fault(_) | Self::Outage(_) | Self::Broken(_) => false,
        }
    }

    /// The failure's type, as Temporal shows it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::Payment { .. }) => "PaymentRefused",
            Self::Refused(Refusal::Declined { .. }) => "PaymentDeclined",
            Self::Inventory(InventoryError::UnknownProduct { .. }) => "UnknownProduct",
            Self::Inventory(InventoryError::OverCapacity { .. }) => "OverCapacity",
            Self::Inventory(_) => "Inventory",
            Self::Fault(_) => "SimulatedFault",
            Self::Outage(_) => "ServiceDown",
            Self::Broken(_) => "Broken",
        }
    }

    /// What went wrong, shortened: it is logged and stored in the order's history.
    pub(crate) fn message(&self) -> String {
        shortened(&self.to_string(), MAX_MESSAGE).into_owned()
    }

    /// The failure as Temporal records it.
    pub(crate) fn into_activity_error(self) -> ActivityError {
        ActivityError::application(
            ApplicationFailure::builder(self.message())
                .type_name(self.type_name().to_owned())
                .non_retryable(self.is_permanent())
                .build(),
        )
    }
}
