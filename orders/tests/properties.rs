//! What holds for every order and every list of items, tried with random ones.

use std::collections::{HashMap, HashSet};

use orders::{ApprovalRule, Item, Order, ShipBy, merged};
use proptest::{collection::vec, option, prelude::*};

/// Few products, so that many of the items name the same one; small and enormous quantities.
fn item() -> impl Strategy<Value = Item> {
    let quantity = prop_oneof![0..10_u32, any::<u32>()];
    ("[a-d]", quantity).prop_map(|(product, quantity)| Item::new(product, quantity))
}

fn approval() -> impl Strategy<Value = ApprovalRule> {
    any::<(u32, u64)>().prop_map(|(above_quantity, within_seconds)| ApprovalRule {
        above_quantity,
        within_seconds,
    })
}

prop_compose! {
    fn order()(
        (order_id, item, quantity, payment_info) in any::<(String, String, u32, String)>(),
        (pause_seconds, await_address_seconds) in any::<(Option<u64>, Option<u64>)>(),
        (ship_apart, local_check, address) in any::<(bool, bool, Option<String>)>(),
        more_items in vec(item(), 0..4),
        approval in option::of(approval()),
        ship_by in option::of(Just(ShipBy::Nexus)),
    ) -> Order {
        Order {
            order_id, item, quantity, payment_info, pause_seconds, more_items, ship_apart,
            ship_by, local_check, address, await_address_seconds, approval,
        }
    }
}

proptest! {
    #[test]
    fn merging_keeps_the_units_and_names_each_product_once(items in vec(item(), 0..12)) {
        let units = |items: &[Item]| {
            let mut units: HashMap<String, u64> = HashMap::new();
            for item in items {
                *units.entry(item.product.clone()).or_default() += u64::from(item.quantity);
            }
            units
        };
        let once = merged(&items);
        let names: HashSet<_> = once.iter().map(|item| &item.product).collect();
        prop_assert_eq!(names.len(), once.len());
        let mut expected = units(&items);
        for sum in expected.values_mut() {
            *sum = (*sum).min(u32::MAX.into());
        }
        prop_assert_eq!(units(&once), expected);
        prop_assert_eq!(merged(&once), once);
    }

    #[test]
    fn an_order_reads_back_as_it_was_written(order in order()) {
        let json = serde_json::to_vec(&order).unwrap();
        prop_assert_eq!(Order::from_json(&json).unwrap(), order);
    }
}
