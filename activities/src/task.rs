//! What the activities are given, and what they answer.
//!
//! Each activity is given what it needs and no more: only the fraud check and the charge see the
//! payment info.

use inventory::{Confirmation, Delivery, Identity, Placement, Released, Stock};
use orders::{
    InvalidOrder, Item,
    limits::{MAX_ADDRESS, MAX_ORDER_ID, MAX_PRODUCT},
    within,
};
use serde::{Deserialize, Serialize};

use crate::earlier::{AnyReserved, AnyReserving, AnyRestocking, AnyShipping, NoProduct};

/// The input of Check fraud and Charge.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The submission that is paid for.
    #[serde(flatten)]
    pub placement: Placement,
    /// What the order is paid with, e.g. `VISA-12345`.
    #[debug("***")]
    pub payment_info: String,
}

/// The input of Prepare shipment and Look up items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnyReserving")]
pub struct Reserving {
    /// The submission that the units are for.
    #[serde(flatten)]
    pub placement: Placement,
    /// What is ordered, one item for each product.
    pub items: Vec<Item>,
}

/// The input of Ship and Recall.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "AnyShipping")]
pub struct Shipping {
    /// The submission that the parcel belongs to.
    #[serde(flatten)]
    pub placement: Placement,
    /// Which of the order's items.
    pub parcel: Item,
    /// Where it goes, if the order or a person named an address.
    #[serde(default)]
    #[debug("***")]
    pub deliver_to: Option<String>,
}

impl Shipping {
    /// Checks that no field is longer than its limit.
    ///
    /// # Errors
    /// Returns an error for the first field that is.
    pub fn check_limits(&self) -> Result<(), InvalidOrder> {
        within("orderID", &self.placement.order_id, MAX_ORDER_ID)?;
        within("parcel.product", &self.parcel.product, MAX_PRODUCT)?;
        within(
            "deliverTo",
            self.deliver_to.as_deref().unwrap_or_default(),
            MAX_ADDRESS,
        )
    }
}

/// The input of Supplier order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnyRestocking")]
pub struct Restocking {
    /// The submission on whose account the supplier is asked.
    #[serde(flatten)]
    pub placement: Placement,
    /// Which product.
    pub product: String,
    /// Which request of this order for this product it is: the workflow counts them, so that each
    /// is delivered once.
    pub round: u32,
    /// Units that must be on the shelf; 0 if only the minimum counts.
    pub needed: u32,
}

impl TryFrom<AnyReserving> for Reserving {
    type Error = NoProduct;

    fn try_from(any: AnyReserving) -> Result<Self, NoProduct> {
        let (placement, items) = any.parts()?;
        Ok(Self { placement, items })
    }
}

impl TryFrom<AnyShipping> for Shipping {
    type Error = NoProduct;

    fn try_from(any: AnyShipping) -> Result<Self, NoProduct> {
        let (placement, parcel, deliver_to) = any.parts()?;
        Ok(Self {
            placement,
            parcel,
            deliver_to,
        })
    }
}

impl TryFrom<AnyRestocking> for Restocking {
    type Error = NoProduct;

    fn try_from(any: AnyRestocking) -> Result<Self, NoProduct> {
        Ok(Self {
            product: any.product()?,
            placement: any.placement,
            round: any.round,
            needed: any.needed,
        })
    }
}

/// An activity's input, whichever activity it is.
pub trait ForOrder {
    /// The submission that the activity is run for.
    fn placement(&self) -> &Placement;
}

impl ForOrder for Placement {
    fn placement(&self) -> &Placement {
        self
    }
}

impl ForOrder for Payment {
    fn placement(&self) -> &Placement {
        &self.placement
    }
}

impl ForOrder for Reserving {
    fn placement(&self) -> &Placement {
        &self.placement
    }
}

impl ForOrder for Shipping {
    fn placement(&self) -> &Placement {
        &self.placement
    }
}

impl ForOrder for Restocking {
    fn placement(&self) -> &Placement {
        &self.placement
    }
}

/// An activity's answer, with the number of attempts that it took. The workflow has no other way to
/// know how many there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted<T> {
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
    /// Attempts, including the one that succeeded; 0 in answers of earlier versions, which did not
    /// count them.
    #[serde(default)]
    pub attempts: u32,
}

/// What an answer tells of the effect behind it.
pub trait Effect {
    /// The service's confirmation, if it gave one.
    fn confirmation(&self) -> Option<&str> {
        None
    }

    /// Whether an earlier attempt had the effect, and this one only found it. Its worker died, or
    /// its answer was lost.
    fn found(&self) -> bool {
        false
    }
}

/// An activity's answer, whichever activity it is.
pub trait StepAnswer {
    /// Attempts that it took; 0 if that is not known.
    fn attempts(&self) -> u32;
    /// What it tells of the effect behind it, if there is one.
    fn effect(&self) -> Option<&dyn Effect>;
}

impl<T: Effect> StepAnswer for Attempted<T> {
    fn attempts(&self) -> u32 {
        self.attempts
    }

    fn effect(&self) -> Option<&dyn Effect> {
        Some(&self.answer)
    }
}

/// Check fraud answered `None` before attempts were counted.
impl StepAnswer for Option<Attempted<Checked>> {
    fn attempts(&self) -> u32 {
        // It was not counted, and there was one at least.
        self.as_ref().map_or(1, StepAnswer::attempts)
    }

    fn effect(&self) -> Option<&dyn Effect> {
        None
    }
}

/// The fraud check found nothing suspicious. It is an order's first step, so it also says to which
/// inventory the order belongs from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The inventory of the worker that did this step; `None` in histories from before orders belonged to
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Identity>,
}

impl Effect for Checked {}

/// The outcome of an attempt to reserve an order's stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Preparation {
    /// The units are set aside for this order.
    Reserved(Reserved),
    /// An order of this ID was placed before; nothing was changed.
    Duplicate {
        /// When it was placed, RFC 3339.
        placed_at: String,
        /// What it reserved; empty from earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        items: Vec<Item>,
    },
    /// There are too few units; nothing was changed.
    OutOfStock {
        /// Units there are.
        in_stock: u32,
        /// The product that is short; earlier versions meant the order's first by `None`.
        #[serde(default)]
        product: Option<String>,
        /// Units of it that the order asks for; earlier versions meant the order's first item by
        /// `None`.
        #[serde(default)]
        needed: Option<u32>,
    },
}

/// Units that are set aside for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AnyReserved")]
pub struct Reserved {
    /// One for each product, in the order's order.
    pub items: Vec<Stock>,
    /// True if an earlier attempt had set them aside.
    pub already: bool,
}

impl From<AnyReserved> for Reserved {
    fn from(any: AnyReserved) -> Self {
        let (items, already) = any.parts();
        Self { items, already }
    }
}

impl Effect for Preparation {
    fn found(&self) -> bool {
        matches!(self, Self::Reserved(Reserved { already: true, .. }))
    }
}

impl Effect for Confirmation {
    fn confirmation(&self) -> Option<&str> {
        Some(&self.number)
    }

    fn found(&self) -> bool {
        self.already
    }
}

/// A service's word that it took back what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The service's confirmation; `None` if there was nothing to take back.
    #[serde(flatten)]
    pub confirmation: Option<Confirmation>,
}

impl Effect for Undone {
    fn confirmation(&self) -> Option<&str> {
        self.confirmation.as_ref().and_then(Effect::confirmation)
    }

    fn found(&self) -> bool {
        self.confirmation.as_ref().is_some_and(Effect::found)
    }
}

impl Effect for Released {
    fn found(&self) -> bool {
        self.already
    }
}

/// What is in stock of what an order asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// Each of the order's products.
    pub items: Vec<Stock>,
}

impl Effect for Shelf {}

impl Effect for Delivery {
    fn found(&self) -> bool {
        self.confirmation.as_ref().is_some_and(Effect::found)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    #[test]
    fn an_answer_comes_back_with_its_attempts() {
        let told = Attempted {
            answer: Checked { inventory: None },
            attempts: 3,
        };
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(json, r#"{"attempts":3}"#);
        assert_eq!(
            serde_json::from_str::<Attempted<Checked>>(&json).unwrap(),
            told
        );
    }

    #[test]
    fn an_effect_that_was_found_says_so() {
        let made = r#"{"confirmation":"charge-000002","attempts":1}"#;
        let found = r#"{"confirmation":"charge-000002","already":true,"attempts":2}"#;
        for (json, is_found) in [(made, false), (found, true)] {
            let charged: Attempted<Confirmation> = serde_json::from_str(json).unwrap();
            assert_eq!(charged.answer.confirmation(), Some("charge-000002"));
            assert_eq!(charged.answer.found(), is_found);
            assert_eq!(serde_json::to_string(&charged).unwrap(), json);
            let undone: Attempted<Undone> = serde_json::from_str(json).unwrap();
            assert_eq!(undone.answer.found(), is_found);
        }
    }

    #[test]
    fn the_courier_and_the_supplier_are_told_nothing_of_the_payment() {
        let placement = Placement::new("order-1", "run");
        let shipping = Shipping {
            placement: placement.clone(),
            parcel: Item::new("123456", 5),
            deliver_to: None,
        };
        assert_eq!(
            serde_json::to_string(&shipping).unwrap(),
            r#"{"orderID":"order-1","submission":"run","parcel":{"product":"123456","quantity":5},"deliverTo":null}"#
        );
        let restocking = Restocking {
            placement,
            product: "123456".to_owned(),
            round: 0,
            needed: 0,
        };
        assert_eq!(
            serde_json::to_string(&restocking).unwrap(),
            r#"{"orderID":"order-1","submission":"run","product":"123456","round":0,"needed":0}"#
        );
    }

    #[test]
    fn neither_payment_nor_address_is_printed() {
        let placement = Placement::new("order-1", "run");
        let payment = Payment {
            placement: placement.clone(),
            payment_info: "VISA-1".to_owned(),
        };
        let shipping = Shipping {
            placement,
            parcel: Item::new("123456", 5),
            deliver_to: Some("12 Main Street".to_owned()),
        };
        let text = format!("{payment:?} {shipping:?}");
        assert!(!text.contains("VISA"), "{text}");
        assert!(!text.contains("Main Street"), "{text}");
    }

    const ORDER: &str = r#"{"orderID":"order-1","item":"123456","quantity":5,"paymentInfo":"VISA-1","moreItems":[{"product":"234567","quantity":1}],"submission":"run"}"#;

    /// An input that had the whole order in it, and these fields besides.
    fn whole<T: DeserializeOwned>(fields: &str) -> T {
        serde_json::from_str(&ORDER.replacen('{', &format!("{{{fields}"), 1)).unwrap()
    }

    #[test]
    fn inputs_with_the_whole_order_in_them_are_read() {
        let placement = Placement::new("order-1", "run");
        assert_eq!(whole::<Placement>(""), placement);
        assert_eq!(whole::<Payment>("").payment_info, "VISA-1");
        let both = [Item::new("123456", 5), Item::new("234567", 1)];
        assert_eq!(whole::<Reserving>("").items, both);
        assert_eq!(whole::<Shipping>("").parcel, both[0]);
        let named = whole::<Shipping>(
            r#""parcel":{"product":"234567","quantity":1},"deliverTo":"12 Main Street","#,
        );
        assert_eq!(named.parcel, both[1]);
        assert_eq!(named.deliver_to.as_deref(), Some("12 Main Street"));
        let restocking: Restocking = whole(r#""round":1,"needed":5,"product":null,"#);
        assert_eq!(restocking.product, "123456");
    }

    #[test]
    fn answers_from_before_attempts_were_counted_are_read() {
        let old: Attempted<Preparation> =
            serde_json::from_str(r#"{"outcome":"reserved","reserved":999,"inStock":1}"#).unwrap();
        assert_eq!(old.attempts, 0);
        let Preparation::Reserved(Reserved { items, already }) = old.answer else {
            panic!("{old:?}");
        };
        assert_eq!((items.len(), already), (1, false));
        assert_eq!((items[0].quantity, items[0].in_stock), (999, 1));
        assert_eq!(
            serde_json::from_str::<Option<Attempted<Checked>>>("null").unwrap(),
            None
        );
    }

    #[test]
    fn a_shipment_above_a_limit_says_which() {
        let long = "1 ".repeat(MAX_ADDRESS);
        let within = Shipping {
            placement: Placement::new("order-1", "run"),
            parcel: Item::new("123456", 5),
            deliver_to: Some("12 Main Street".to_owned()),
        };
        assert_eq!(within.check_limits(), Ok(()));
        for (shipping, field) in [
            (
                Shipping {
                    placement: Placement::new(&long, "run"),
                    ..within.clone()
                },
                "orderID: ",
            ),
            (
                Shipping {
                    parcel: Item::new(&long, 5),
                    ..within.clone()
                },
                "parcel.product: ",
            ),
            (
                Shipping {
                    deliver_to: Some(long.clone()),
                    ..within.clone()
                },
                "deliverTo: ",
            ),
        ] {
            let refused = shipping.check_limits().unwrap_err().to_string();
            assert!(refused.starts_with(field), "{refused}");
        }
    }

    #[test]
    fn an_input_without_a_product_says_so() {
        let error = serde_json::from_str::<Shipping>(r#"{"orderID":"o","submission":"r"}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("names no product"), "{error}");
    }
}
