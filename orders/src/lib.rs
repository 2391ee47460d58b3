//! What an order is: pure data and rules, no I/O.
//!
//! | module | what lives there |
//! |---|---|
//! | `order` | [`Order`]: its fields and wishes, what makes it valid, how it is read from JSON |
//! | `item` | [`Item`]: so many units of a product |

mod item;
mod order;

pub use item::{Item, merged};
pub use order::{
    ADDRESS_RULE, ApprovalRule, DEFAULT_PAUSE, InvalidOrder, Order, PAUSING_ORDER, is_address,
};
