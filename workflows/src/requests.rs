//! What people may ask of an order under way, and why a request is refused.
//!
//! A decision counts once: whoever repeats it is told so, and nothing changes.

use orders::{
    ADDRESS_RULE, InvalidOrder, is_address,
    limits::{MAX_ADDRESS, MAX_REASON},
    quoted, within,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::status::{OrderProgress, OrderStatus};

/// The answer to the update `changeAddress`.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressChange {
    /// The address before, if there was one.
    #[debug("***")]
    pub before: Option<String>,
    /// The address now.
    #[debug("***")]
    pub address: String,
}

/// What a person decided about an order that asks for approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The order goes on.
    Approved,
    /// The order ends, for this reason.
    Rejected(String),
}

/// Why a request is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The text is not an address.
    #[error("{address} is not an address: {ADDRESS_RULE}")]
    NoAddress {
        /// What was given, in quotes and shortened.
        address: String,
    },
    /// The text is above its limit.
    #[error(transparent)]
    TooLong(#[from] InvalidOrder),
    /// The parcels are addressed already.
    #[error("it is too late: the order is being shipped already, or has been")]
    Shipping,
    /// The whole order is on its way.
    #[error("it is too late: the whole order has shipped")]
    Shipped,
    /// The order is being undone.
    #[error("the order is being cancelled, and its steps are being undone")]
    Undoing,
    /// The order does not need approval, or does not need it yet.
    #[error("the order is not waiting for approval: its status is {0}")]
    NotAsked(OrderStatus),
    /// Somebody has decided already.
    #[error("the order was {0} already")]
    Decided(&'static str),
    /// The order has ended.
    #[error("the order has ended: its status is {0}")]
    Ended(OrderStatus),
}

/// What people have asked of an order so far.
#[derive(Clone, derive_more::Debug, Default)]
pub struct Requests {
    /// A new delivery address, which replaces the one that the order was placed with.
    #[debug("***")]
    pub address: Option<String>,
    /// The decision, if approval was needed and somebody decided.
    pub decision: Option<Decision>,
    /// Why the order is to be cancelled, if somebody cancelled it.
    pub cancellation: Option<String>,
}

impl Requests {
    /// Checks whether the address may be changed to this one now.
    pub(crate) fn may_change_address(
        &self,
        progress: &OrderProgress,
        address: &str,
    ) -> Result<(), Refused> {
        if !is_address(address) {
            return Err(Refused::NoAddress {
                address: quoted(address),
            });
        }
        self.under_way(progress)?;
        match progress.status {
            OrderStatus::Shipping | OrderStatus::Resupplying => Err(Refused::Shipping),
            _ => Ok(within("address", address, MAX_ADDRESS)?),
        }
    }

    /// Checks whether somebody may approve or reject the order now.
    pub(crate) fn may_decide(&self, progress: &OrderProgress) -> Result<(), Refused> {
        match &self.decision {
            Some(Decision::Approved) => return Err(Refused::Decided("approved")),
            Some(Decision::Rejected(_)) => return Err(Refused::Decided("rejected")),
            None => {}
        }
        self.under_way(progress)?;
        match progress.status {
            OrderStatus::AwaitingApproval => Ok(()),
            other => Err(Refused::NotAsked(other)),
        }
    }

    /// Checks whether the order may be cancelled now.
    pub(crate) fn may_cancel(&self, progress: &OrderProgress) -> Result<(), Refused> {
        if progress.has_shipped() {
            return Err(Refused::Shipped);
        }
        self.under_way(progress)
    }

    fn under_way(&self, progress: &OrderProgress) -> Result<(), Refused> {
        if progress.status.is_end() {
            return Err(Refused::Ended(progress.status));
        }
        if self.cancellation.is_some() || progress.status == OrderStatus::Undoing {
            return Err(Refused::Undoing);
        }
        Ok(())
    }
}

/// Checks that a reason is not above its limit.
///
/// # Errors
/// Returns [`Refused::TooLong`].
pub fn check_reason(reason: &str) -> Result<(), Refused> {
    Ok(within("reason", reason, MAX_REASON)?)
}

#[cfg(test)]
mod tests {
    use activities::Activity;

    use super::*;

    fn progress(status: OrderStatus) -> OrderProgress {
        let mut progress = OrderProgress::new("order-1", 1, None);
        progress.status = status;
        progress
    }

    #[test]
    fn an_address_is_changed_until_the_order_ships() {
        let requests = Requests::default();
        let asked = |status| requests.may_change_address(&progress(status), "12 Main Street");
        for early in [
            OrderStatus::Received,
            OrderStatus::AwaitingApproval,
            OrderStatus::Charging,
            OrderStatus::AwaitingAddress,
        ] {
            assert_eq!(asked(early), Ok(()));
        }
        assert_eq!(asked(OrderStatus::Shipping), Err(Refused::Shipping));
        assert_eq!(asked(OrderStatus::Resupplying), Err(Refused::Shipping));
        assert_eq!(asked(OrderStatus::Undoing), Err(Refused::Undoing));
        assert_eq!(
            asked(OrderStatus::Completed),
            Err(Refused::Ended(OrderStatus::Completed))
        );
    }

    #[test]
    fn an_address_without_a_house_number_is_refused_with_the_rule() {
        let refused = Requests::default()
            .may_change_address(&progress(OrderStatus::Charging), "Main Street")
            .unwrap_err();
        assert!(refused.to_string().contains("house number"), "{refused}");
    }

    #[test]
    fn a_refusal_quotes_little_of_what_was_sent() {
        let charging = progress(OrderStatus::Charging);
        let asked = |address: &str| Requests::default().may_change_address(&charging, address);
        let long = "x".repeat(1_000_000);
        for refused in [
            asked(&long).unwrap_err(),
            asked(&format!("12 {long}")).unwrap_err(),
            check_reason(&long).unwrap_err(),
        ] {
            let text = refused.to_string();
            assert!(text.chars().count() < 300, "{text}");
        }
        assert_eq!(
            asked(&format!("12 {}", "x".repeat(MAX_ADDRESS - 3))),
            Ok(())
        );
        assert_eq!(check_reason(&"x".repeat(MAX_REASON)), Ok(()));
    }

    #[test]
    fn a_decision_is_taken_once_and_only_when_it_is_asked_for() {
        let mut requests = Requests::default();
        let waiting = progress(OrderStatus::AwaitingApproval);
        assert_eq!(requests.may_decide(&waiting), Ok(()));
        assert_eq!(
            requests.may_decide(&progress(OrderStatus::Charging)),
            Err(Refused::NotAsked(OrderStatus::Charging))
        );
        requests.decision = Some(Decision::Approved);
        assert_eq!(
            requests.may_decide(&waiting),
            Err(Refused::Decided("approved"))
        );
    }

    #[test]
    fn an_order_is_cancelled_once_and_before_all_of_it_has_shipped() {
        let mut requests = Requests::default();
        let mut shipping = progress(OrderStatus::Shipping);
        assert_eq!(requests.may_cancel(&shipping), Ok(()));
        let place = shipping.begin(Activity::Ship, None);
        shipping.done(place, &None);
        assert_eq!(requests.may_cancel(&shipping), Err(Refused::Shipped));
        requests.cancellation = Some("changed my mind".into());
        assert_eq!(
            requests.may_cancel(&progress(OrderStatus::Charging)),
            Err(Refused::Undoing)
        );
        assert_eq!(
            requests.may_cancel(&progress(OrderStatus::Cancelled)),
            Err(Refused::Ended(OrderStatus::Cancelled))
        );
    }
}
