//! What the activities are given, and what they answer.

use inventory::Placement;
use orders::{Item, Order};
use serde::{Deserialize, Serialize};

/// One order, as one submission of it: what an activity needs to find its own effect again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderTask {
    /// The order as it was placed.
    #[serde(flatten)]
    pub order: Order,
    /// Which submission of the order this is: the ID of the workflow's first run. It stays the
    /// same when the workflow is reset, so a reset order is not charged again.
    pub submission: String,
}

impl OrderTask {
    /// The key under which the order's effects are recorded.
    pub fn placement(&self) -> Placement {
        Placement::new(&self.order.order_id, &self.submission)
    }
}

/// What the supplier is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restocking {
    /// The order on whose account the supplier is asked.
    #[serde(flatten)]
    pub task: OrderTask,
    /// Which request of this order it is, counted from 1.
    pub round: u32,
    /// Units that must be on the shelf, 0 where only the minimum counts.
    pub needed: u32,
    /// Which product; `None` means the order's first.
    #[serde(default)]
    pub product: Option<String>,
}

impl Restocking {
    /// Which product.
    pub fn product(&self) -> &str {
        self.product.as_deref().unwrap_or(&self.task.order.item)
    }
}

/// What the courier is given, or gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipping {
    /// The order it belongs to.
    #[serde(flatten)]
    pub task: OrderTask,
    /// Which of the order's items; `None` means the order's first.
    #[serde(default)]
    pub parcel: Option<Item>,
    /// Where it goes, if the order or a person said so.
    #[serde(default)]
    pub deliver_to: Option<String>,
}

impl Shipping {
    /// Which of the order's items.
    pub fn parcel(&self) -> Item {
        self.parcel
            .clone()
            .unwrap_or_else(|| Item::new(&self.task.order.item, self.task.order.quantity))
    }
}

/// What an activity is run for, whatever its input is.
pub trait ForOrder {
    /// The order's ID.
    fn order_id(&self) -> &str;
}

impl ForOrder for OrderTask {
    fn order_id(&self) -> &str {
        &self.order.order_id
    }
}

impl ForOrder for Shipping {
    fn order_id(&self) -> &str {
        self.task.order_id()
    }
}

impl ForOrder for Restocking {
    fn order_id(&self) -> &str {
        self.task.order_id()
    }
}

/// An activity's answer, and how many attempts it took: the workflow cannot see them otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted<T> {
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
    /// Attempts, this one included; 0 in answers from before attempts were told.
    #[serde(default)]
    pub attempts: u32,
}

/// The fraud check found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {}

/// Units of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// The product's ID.
    pub product: String,
    /// Units that the order asks for, set aside or gave back.
    pub quantity: u32,
    /// Units in stock afterwards.
    pub in_stock: u32,
}

/// What became of the attempt to reserve an order's stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Preparation {
    /// The units are set aside for this order.
    Reserved {
        /// Units of the order's first product that are set aside.
        reserved: u32,
        /// Units of it that are left.
        in_stock: u32,
        /// The order's other products.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<Stock>,
    },
    /// An order of this ID was placed before; nothing was changed.
    Duplicate {
        /// When it was placed, RFC 3339.
        placed_at: String,
    },
    /// There are too few units; nothing was changed.
    OutOfStock {
        /// Units there are.
        in_stock: u32,
        /// The product that is short; `None` means the order's first.
        #[serde(default)]
        product: Option<String>,
        /// Units of it that the order asks for; `None` means the order's first item's.
        #[serde(default)]
        needed: Option<u32>,
    },
}

/// A service's word that it did what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// The service's number for it, the same however often it is asked.
    pub confirmation: String,
}

/// A service's word that it took back what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The service's number for it; `None` if there was nothing to take back.
    pub confirmation: Option<String>,
}

/// The stock that was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Each of the order's products; empty if none was set aside.
    pub released: Vec<Stock>,
}

/// What is in stock of what an order asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shelf {
    /// Each of the order's products.
    pub items: Vec<Stock>,
}

/// What the supplier delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupplierDelivery {
    /// Units delivered, 0 where there was enough.
    pub delivered: u32,
    /// Units in stock afterwards.
    pub in_stock: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_before_attempts_were_told_is_read() {
        let old: Attempted<Preparation> =
            serde_json::from_str(r#"{"outcome":"reserved","reserved":999,"inStock":1}"#).unwrap();
        assert_eq!(old.attempts, 0);
        let Preparation::Reserved {
            reserved: 999,
            in_stock: 1,
            more,
        } = old.answer
        else {
            panic!("{old:?}");
        };
        assert!(more.is_empty());
        assert_eq!(
            serde_json::from_str::<Option<Attempted<Checked>>>("null").unwrap(),
            None
        );
    }

    #[test]
    fn an_answer_comes_back_with_its_attempts() {
        let told = Attempted {
            answer: Checked {},
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
    fn a_shipment_asked_for_by_an_earlier_version_is_the_whole_orders() {
        let order = Order::new("order-1", "123456", 5, "VISA-1");
        let task = OrderTask {
            order,
            submission: "run".into(),
        };
        let json = serde_json::to_string(&task).unwrap();
        let shipping: Shipping = serde_json::from_str(&json).unwrap();
        assert_eq!(shipping.parcel(), Item::new("123456", 5));
        assert_eq!(shipping.task, task);
    }
}
