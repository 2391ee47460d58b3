//! The orders that demos place.

use orders::Order;

/// An order for the first product.
pub fn numbered_order(number: u32, quantity: u32) -> Order {
    Order::new(
        format!("order-{number}"),
        inventory::DEFAULT_PRODUCT,
        quantity,
        starter::args::DEFAULT_PAYMENT_INFO,
    )
}
