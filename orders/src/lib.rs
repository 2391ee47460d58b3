//! What an order is: pure data and rules, without I/O.
//!
//! | module | what lives there |
//! |---|---|
//! | `order` | [`Order`]: its fields, how it is read from JSON, what makes it valid |
//! | `item` | [`Item`]: a product and how many units of it |
//! | `address` | [`is_address`]: what a delivery address looks like |
//! | `approval` | [`ApprovalRule`]: when an order needs a person's approval |
//! | [`limits`] | the upper limit of everything that an order can say |
//! | `json` | [`from_json`]: reading what comes from outside |
//! | `text` | [`shortened`], [`quoted`] and [`masked`]: quoting what comes from outside |

mod address;
mod approval;
mod item;
mod json;
pub mod limits;
mod order;
mod text;

pub use address::{ADDRESS_RULE, is_address};
pub use approval::ApprovalRule;
pub use item::{Item, merged};
pub use json::{DecodeError, from_json};
pub use order::{
    DEFAULT_PAUSE, InvalidOrder, Order, PAUSING_ORDER, ShipBy, is_spelled_as_in_go, within,
};
pub use text::{MAX_MESSAGE, MAX_QUOTE, masked, quoted, shortened};
