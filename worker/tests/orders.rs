//! Orders on a real server, with real worker processes.

mod common;

use std::time::Duration;

use common::{Scene, TASK_QUEUE, ended, history, order, reason, result, status, until};
use inventory::Change;
use orders::Order;
use starter::submit::Submitted;
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use workflows::OrderOutcome;

#[tokio::test]
async fn an_order_is_reserved_charged_shipped_and_the_shelf_filled() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let result = result(scene.process(&order("order-1", 999)).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    assert_eq!(result.shipments[0].in_stock, 10_000);
    let entries = scene.entries("order-1").await;
    let changes: Vec<_> = entries
        .iter()
        .map(|entry| (entry.change, entry.in_stock))
        .collect();
    assert_eq!(
        changes,
        [
            (Change::Reserved, Some(1)),
            (Change::Charged, None),
            (Change::Shipped, None),
            (Change::Restocked, Some(10_000)),
        ]
    );
    assert_eq!(entries[1].confirmation, result.charge);
    assert_eq!(
        entries[2].confirmation.as_ref(),
        Some(&result.shipments[0].confirmation)
    );
    let file = std::fs::read_to_string(scene.database()).unwrap();
    assert_eq!(
        file.trim(),
        "{\n    \"orderID\": \"order-1\",\n    \"productID\": \"123456\",\n    \"inStock\": 10000,\n    \"ledgerLines\": 4\n}"
    );
}

#[tokio::test]
async fn random_faults_change_nothing_but_the_attempts() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&["--fault-rate", "0.5", "--fault-seed", "4"]);
    let handles = [
        scene.place(&order("order-1", 10)).await,
        scene.place(&order("order-2", 20)).await,
        scene.place(&order("order-3", 30)).await,
    ];
    let mut attempts = 0;
    for handle in &handles {
        assert_eq!(result(ended(handle).await).outcome, OrderOutcome::Managed);
        for event in history(handle).await {
            if let Some(Attributes::ActivityTaskStartedEventAttributes(started)) = event.attributes
            {
                attempts += started.attempt;
            }
        }
    }
    assert!(attempts > 15, "no attempt failed");
    for order_id in ["order-1", "order-2", "order-3"] {
        let effects = scene.effects(order_id).await;
        for once in ["reserved", "charged", "shipped"] {
            assert_eq!(effects.iter().filter(|effect| *effect == once).count(), 1);
        }
    }
}

#[tokio::test]
async fn an_order_that_was_placed_before_is_a_duplicate() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    scene.process(&order("order-1", 10)).await;
    scene.process(&order("order-2", 10)).await;
    let before = scene.stock().await;
    let again = result(scene.process(&order("order-1", 10)).await);
    assert_eq!(again.outcome, OrderOutcome::Duplicate);
    assert!(again.message.contains("placed before"), "{}", again.message);
    assert_eq!((again.charge, again.shipments), (None, Vec::new()));
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "shipped", "restocked"]
    );
    assert_eq!(scene.stock().await, before);
}

#[tokio::test]
async fn submitting_an_order_that_is_under_way_attaches_to_it() {
    let scene = Scene::new().await;
    // Without a worker it stays under way.
    let first = scene.place(&order("order-1", 10)).await;
    let Submitted::UnderWay(second) = scene.submit(&order("order-1", 10)).await else {
        panic!("should be under way");
    };
    assert_eq!(first.run_id(), second.run_id());
    let _worker = scene.worker(&[]);
    assert_eq!(result(ended(&second).await).outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects("order-1").await.len(), 4);
}

#[tokio::test]
async fn an_order_under_way_on_another_task_queue_is_not_attached_to() {
    let scene = Scene::new().await;
    scene.place(&order("order-1", 10)).await;
    let Err(error) = starter::submit::submit(&scene.client, "other", &order("order-1", 10)).await
    else {
        panic!("should be refused");
    };
    assert!(error.to_string().contains(TASK_QUEUE), "{error}");
}

#[tokio::test]
async fn with_too_little_stock_the_supplier_comes_first() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let result = result(scene.process(&order("order-1", 3_000)).await);
    assert_eq!(result.shipments[0].in_stock, 7_000);
    assert_eq!(
        scene.effects("order-1").await,
        ["restocked", "reserved", "charged", "shipped"]
    );
    assert_eq!(scene.stock().await, 7_000);
}

#[tokio::test]
async fn what_no_attempt_can_mend_ends_at_the_first() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut unknown = order("order-2", 1);
    unknown.item = "654321".to_owned();
    let mut bad = order("order-3", 1);
    bad.payment_info = "VISA-666666".to_owned();
    let mut none = order("order-4", 1);
    none.payment_info = " ".to_owned();
    // Once a reservation was tried, the undoing sees to it that none comes later.
    for (order, words, effects) in [
        (
            order("order-1", 10_001),
            &["10001", "10000"][..],
            &["closed"][..],
        ),
        (unknown, &["654321", "123456"], &["closed"]),
        (bad, &["known-bad"], &[]),
        (none, &["no payment info"], &[]),
    ] {
        let handle = scene.place(&order).await;
        let reason = reason(ended(&handle).await);
        for word in words {
            assert!(reason.contains(word), "{reason}");
        }
        let failed = history(&handle)
            .await
            .into_iter()
            .filter(|event| event.event_type() == EventType::ActivityTaskFailed);
        assert_eq!(failed.count(), 1);
        assert_eq!(scene.effects(&order.order_id).await, effects);
    }
    assert_eq!(scene.stock().await, 1_000);
}

#[tokio::test]
async fn a_fraud_check_within_the_workflows_task_is_no_activity_on_the_server_and_refuses_as_well()
{
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let locally = |order: Order| Order {
        local_check: true,
        ..order
    };
    let handle = scene.place(&locally(order("order-1", 999))).await;
    result(ended(&handle).await);
    let scheduled: Vec<_> = history(&handle)
        .await
        .into_iter()
        .filter_map(|event| match event.attributes? {
            Attributes::ActivityTaskScheduledEventAttributes(step) => {
                Some(step.activity_type?.name)
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        scheduled,
        ["PrepareShipment", "Charge", "Ship", "SupplierOrder"]
    );
    let told = status(&handle).await;
    assert_eq!(told.steps[0].step, activities::Activity::CheckFraud);
    assert_eq!((told.steps[0].attempts, told.percent), (1, 100));

    let mut bad = order("order-2", 1);
    bad.payment_info = "VISA-666666".to_owned();
    let reason = reason(scene.process(&locally(bad)).await);
    assert!(reason.contains("known-bad"), "{reason}");
    assert_eq!(scene.effects("order-2").await, [""; 0]);
}

#[tokio::test]
async fn input_that_is_no_order_fails_with_the_fields_name() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    for (number, (input, word)) in [
        (
            Some(r#"{"orderID":"order-1","item":"123456","paymentInfo":"V"}"#),
            "quantity",
        ),
        (
            Some(r#"{"orderID":"order-1","item":"123456","quantity":"two","paymentInfo":"V"}"#),
            "quantity",
        ),
        (
            Some(r#"{"orderID":"order-1","item":"123456","quantity":0,"paymentInfo":"V"}"#),
            "quantity",
        ),
        // More seconds than a timer can express.
        (
            Some(
                r#"{"item":"123456","quantity":1,"paymentInfo":"V","pauseSeconds":9223372036854775808}"#,
            ),
            "pauseSeconds",
        ),
        (
            Some(r#"{"item":"123456","quantity":1,"paymentInfo":"VISA\u200b-000000"}"#),
            "paymentInfo",
        ),
        (Some(r#""an order""#), "expected struct Order"),
        (None, "without input"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("no-order-{number}");
        let handle = scene.place_by_cli(&id, input).await;
        let reason = reason(ended(&handle).await);
        assert!(reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn order_37005_pauses_15_seconds_and_any_order_as_it_asks() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut asking = order("order-1", 1);
    asking.pause_seconds = Some(1);
    for (order, seconds) in [(order("order-37005", 1), 15), (asking, 1)] {
        let handle = scene.place(&order).await;
        let timer = until("the pause", async || {
            history(&handle)
                .await
                .into_iter()
                .find_map(|event| match event.attributes {
                    Some(Attributes::TimerStartedEventAttributes(timer)) => Some(timer),
                    _ => None,
                })
        })
        .await;
        let pause = Duration::try_from(timer.start_to_fire_timeout.unwrap()).unwrap();
        assert_eq!(pause, Duration::from_secs(seconds));
        // The pause comes after the fraud check and before the reservation.
        let order_id = &order.order_id;
        if seconds == 1 {
            result(ended(&handle).await);
            let kinds: Vec<_> = history(&handle)
                .await
                .iter()
                .map(|event| event.event_type())
                .collect();
            let fired = kinds
                .iter()
                .position(|kind| *kind == EventType::TimerFired)
                .unwrap();
            let done_before = kinds[..fired]
                .iter()
                .filter(|kind| **kind == EventType::ActivityTaskCompleted);
            assert_eq!(done_before.count(), 1);
            assert_eq!(scene.effects(order_id).await.len(), 4);
        } else {
            assert_eq!(scene.effects(order_id).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn many_orders_on_several_workers_lose_no_unit() {
    const ORDERS: u32 = 40;
    let scene = Scene::new().await;
    let _workers = [scene.worker(&[]), scene.worker(&[]), scene.worker(&[])];
    let mut handles = Vec::new();
    for number in 1..=ORDERS {
        handles.push(
            scene
                .place(&order(&format!("order-{number}"), 100 + number))
                .await,
        );
    }
    for handle in &handles {
        assert_eq!(result(ended(handle).await).outcome, OrderOutcome::Managed);
    }
    let mut stock = 1_000_i64;
    for number in 1..=ORDERS {
        for entry in scene.entries(&format!("order-{number}")).await {
            match entry.change {
                Change::Reserved => stock -= entry.quantity,
                Change::Restocked => stock += entry.quantity,
                _ => {}
            }
        }
    }
    assert_eq!(i64::from(scene.stock().await), stock);
}
