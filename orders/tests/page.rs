//! The page that tells people the limits of an order says what the code does.

use orders::limits::{
    MAX_ADDRESS, MAX_ITEMS, MAX_ORDER_ID, MAX_PAYMENT_INFO, MAX_PRODUCT, MAX_REASON, MAX_WAIT,
};

const PAGE: &str = include_str!("../../docs/orders-without-the-starter.md");

#[test]
fn the_page_has_every_limit() {
    for line in [
        format!("| `orderID` | {MAX_ORDER_ID} characters |"),
        format!("| a product | {MAX_PRODUCT} characters |"),
        format!("| `paymentInfo` | {MAX_PAYMENT_INFO} characters,"),
        format!("| an address | {MAX_ADDRESS} characters |"),
        format!("| the reason for a rejection or a cancellation | {MAX_REASON} characters |"),
        format!("| items | {MAX_ITEMS} |"),
        format!(
            "`withinSeconds` | {}, which are four weeks |",
            MAX_WAIT.as_secs()
        ),
    ] {
        assert!(PAGE.contains(&line), "{line}");
    }
}
