//! The activities by name, and how each fails at random.

use std::str::FromStr;

use orders::quoted;
use serde::{Deserialize, Serialize};

/// One of the activities. It is written as its type's name on the Temporal server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Activity {
    /// Can the payment info be trusted?
    CheckFraud,
    /// Reserve the units.
    PrepareShipment,
    /// Take the payment.
    Charge,
    /// Hand the units to the courier.
    Ship,
    /// Fill the shelf.
    SupplierOrder,
    /// See what is on the shelf.
    LookUpItems,
    /// Undo [`Activity::Ship`]: call the units back from the courier.
    Recall,
    /// Undo [`Activity::Charge`]: give the payment back.
    Refund,
    /// Undo [`Activity::PrepareShipment`]: put the units back on the shelf.
    Release,
}

/// What a simulated fault says, in the words of the service that fails.
#[derive(Clone, Copy, Debug)]
pub struct FaultMessages {
    /// The service could not be asked: nothing was done.
    pub before: &'static str,
    /// The service did what it was asked, and its answer was lost. This is the harder case: the
    /// next attempt must find what was done.
    pub after: &'static str,
}

impl Activity {
    /// All activities: the five steps of every order in the order in which they run, then the
    /// others.
    pub const ALL: [Self; 9] = [
        Self::CheckFraud,
        Self::PrepareShipment,
        Self::Charge,
        Self::Ship,
        Self::SupplierOrder,
        Self::LookUpItems,
        Self::Recall,
        Self::Refund,
        Self::Release,
    ];

    /// The activity type's name on the Temporal server.
    pub fn name(self) -> &'static str {
        match self {
            Self::CheckFraud => "CheckFraud",
            Self::PrepareShipment => "PrepareShipment",
            Self::Charge => "Charge",
            Self::Ship => "Ship",
            Self::SupplierOrder => "SupplierOrder",
            Self::LookUpItems => "LookUpItems",
            Self::Recall => "Recall",
            Self::Refund => "Refund",
            Self::Release => "Release",
        }
    }

    /// How the activity fails at random.
    pub fn fault_messages(self) -> FaultMessages {
        let (before, after) = match self {
            Self::CheckFraud => (
                "the fraud detection service did not answer",
                "the fraud detection service's answer was cut off",
            ),
            Self::PrepareShipment => (
                "the warehouse's stock system is being restarted",
                "the warehouse set the units aside, but its answer was lost",
            ),
            Self::Charge => (
                "the payment service is overloaded",
                "the payment service took the charge, but its answer was lost",
            ),
            Self::Ship => (
                "no courier could be reached",
                "the courier took the parcel, but the confirmation was lost",
            ),
            Self::SupplierOrder => (
                "the supplier's order desk is closed",
                "the supplier delivered, but the delivery note was lost",
            ),
            Self::LookUpItems => (
                "the warehouse's catalog did not answer",
                "the warehouse's catalog's answer was cut off",
            ),
            Self::Recall => (
                "the courier could not be reached on the way",
                "the courier turned back, but the confirmation was lost",
            ),
            Self::Refund => (
                "the payment service's refund desk is closed",
                "the payment service gave the money back, but its answer was lost",
            ),
            Self::Release => (
                "the warehouse is closed for stocktaking",
                "the warehouse put the units back, but its answer was lost",
            ),
        };
        FaultMessages { before, after }
    }
}

/// The error for a name that belongs to no activity.
#[derive(Debug, thiserror::Error)]
#[error("no activity is called {}; there are {names}", quoted(.0), names = Activity::ALL.map(Activity::name).join(", "))]
pub struct UnknownActivity(String);

impl FromStr for Activity {
    type Err = UnknownActivity;

    fn from_str(name: &str) -> Result<Self, UnknownActivity> {
        Self::ALL
            .into_iter()
            .find(|activity| activity.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownActivity(name.to_owned()))
    }
}
