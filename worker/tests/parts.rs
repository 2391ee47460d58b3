//! Orders of several items, on a real server with real worker processes.

mod common;

use common::{Scene, cancel, ended, order, reason, result, status, until};
use orders::{Item, Order};
use starter::follow::{self, Followed};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use workflows::{OrderOutcome, OrderStatus};

const SHELVES: [(&str, u32); 3] = [("123456", 6_000), ("234567", 6_000), ("345678", 6_000)];

fn three_items(order_id: &str) -> Order {
    Order {
        more_items: vec![Item::new("234567", 20), Item::new("345678", 30)],
        ..order(order_id, 10)
    }
}

/// The order is done, and every item has been reserved, shipped and looked at once.
async fn once_each(scene: &Scene, order_id: &str) {
    let mut effects = scene.effects(order_id).await;
    effects.sort();
    assert_eq!(
        effects,
        [
            "charged", "reserved", "reserved", "reserved", "shipped", "shipped", "shipped",
        ]
    );
    scene.audit().await;
}

#[tokio::test]
async fn items_are_reserved_as_a_whole_and_shipped_side_by_side() {
    let scene = Scene::new().await;
    scene.shelves(&SHELVES);
    let held = scene.path("held");
    let hold = format!("Ship:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&three_items("order-1")).await;
    until("a courier", async || held.exists().then_some(())).await;
    // One is held; the others go their way.
    until("the others to ship", async || {
        let shipped = scene.effects("order-1").await;
        let shipped = shipped.iter().filter(|effect| *effect == "shipped");
        (shipped.count() == 2).then_some(())
    })
    .await;
    until("the order to know of both", async || {
        let told = status(&handle).await;
        let both = told.status == OrderStatus::Shipping && told.percent == 60 + 2 * 20 / 3;
        both.then_some(())
    })
    .await;
    std::fs::remove_file(&held).unwrap();
    let result = result(ended(&handle).await);
    let shipped: Vec<_> = result
        .shipments
        .iter()
        .map(|it| (it.product.as_str(), it.quantity, it.in_stock))
        .collect();
    assert_eq!(
        shipped,
        [
            ("123456", 10, 5_990),
            ("234567", 20, 5_980),
            ("345678", 30, 5_970)
        ]
    );
    once_each(&scene, "order-1").await;
}

#[tokio::test]
async fn items_that_ship_apart_are_workflows_of_their_own() {
    let scene = Scene::new().await;
    scene.shelves(&SHELVES);
    let worker = scene.worker(&[]);
    worker.says("worker ready").await;
    let apart = Order {
        ship_apart: true,
        ..three_items("order-1")
    };
    let handle = scene.place(&apart).await;
    assert_eq!(result(ended(&handle).await).shipments.len(), 3);
    once_each(&scene, "order-1").await;
    for product in ["123456", "234567", "345678"] {
        let child = format!("order-1-ship-{product}");
        let child = follow::find(&scene.client, &child).await.unwrap();
        let description = child.describe(Default::default()).await.unwrap();
        assert_eq!(description.workflow_type(), "ShipItem");
        assert_eq!(description.parent_id(), Some("order-1"));
    }
    let told = status(&handle).await;
    assert_eq!((told.status, told.percent), (OrderStatus::Completed, 100));
}

#[tokio::test]
async fn of_an_order_with_an_unknown_item_nothing_is_reserved() {
    let scene = Scene::new().await;
    scene.shelves(&SHELVES);
    let _worker = scene.worker(&[]);
    let unknown = Order {
        more_items: vec![Item::new("234567", 20), Item::new("999999", 1)],
        ..order("order-1", 10)
    };
    let reason = reason(scene.process(&unknown).await);
    assert!(reason.contains("999999"), "{reason}");
    assert_eq!(scene.effects("order-1").await, [""; 0]);
}

#[tokio::test]
async fn where_an_item_is_short_the_supplier_comes_first() {
    let scene = Scene::new().await;
    scene.shelves(&[("123456", 6_000), ("234567", 5), ("345678", 7)]);
    let _worker = scene.worker(&[]);
    let handle = scene.place(&three_items("order-1")).await;
    let result = result(ended(&handle).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    let effects = scene.effects("order-1").await;
    assert_eq!(effects[..2], ["restocked", "restocked"]);
    assert_eq!(result.shipments[1].in_stock, 9_980);
    let looked_up =
        common::history(&handle)
            .await
            .into_iter()
            .filter(|event| match &event.attributes {
                Some(Attributes::MarkerRecordedEventAttributes(marker)) => {
                    marker.marker_name == "core_local_activity"
                }
                _ => false,
            });
    assert_eq!(looked_up.count(), 1);
    scene.audit().await;
}

async fn cancelled_while_parts_have_shipped(ship_apart: bool) {
    let scene = Scene::new().await;
    scene.shelves(&SHELVES);
    let held = scene.path("held");
    let hold = format!("Ship:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let parts = Order {
        ship_apart,
        ..three_items("order-1")
    };
    let handle = scene.place(&parts).await;
    until("the others to ship", async || {
        let shipped = scene.effects("order-1").await;
        let shipped = shipped.iter().filter(|effect| *effect == "shipped");
        (held.exists() && shipped.count() == 2).then_some(())
    })
    .await;
    cancel(&handle).await.unwrap();
    std::fs::remove_file(&held).unwrap();
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    let effects = scene.effects("order-1").await;
    let count = |effect: &str| effects.iter().filter(|it| *it == effect).count();
    assert_eq!(count("shipped"), count("recalled"), "{effects:?}");
    assert_eq!((count("charged"), count("refunded")), (1, 1));
    assert_eq!((count("reserved"), count("released")), (3, 3));
    let undone = effects.iter().rposition(|it| it == "recalled").unwrap();
    let refunded = effects.iter().position(|it| it == "refunded").unwrap();
    assert!(undone < refunded, "{effects:?}");
    for (product, in_stock) in SHELVES {
        assert_eq!(
            scene.inventory().await.stock(product).await.unwrap(),
            in_stock
        );
    }
    scene.audit().await;
}

#[tokio::test]
async fn parts_that_have_shipped_are_recalled() {
    cancelled_while_parts_have_shipped(false).await;
}

#[tokio::test]
async fn parts_that_shipped_apart_are_recalled() {
    cancelled_while_parts_have_shipped(true).await;
}

#[tokio::test]
async fn a_part_of_an_order_with_the_longest_workflow_id_ships() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let input = r#"{"orderID":"order-1","item":"123456","quantity":1,"paymentInfo":"VISA-1","shipApart":true}"#;
    let handle = scene.place_by_cli(&"a".repeat(1_000), Some(input)).await;
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "shipped", "restocked"]
    );
}
