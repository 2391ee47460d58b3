//! Makes the histories that `workflows/tests/replay.rs` replays, of every kind of order.
//!
//! Not a test of anything by itself, so it runs when it is asked for:
//! `cargo test --workspace --test histories -- --ignored`. It writes to the folder of the version that
//! `VERSION` names; those of earlier versions stay as they are.

mod common;

use std::{path::Path, time::Duration};

use activities::services::{DECLINED, OUTAGE};
use common::{
    Scene, TASK_QUEUE, cancel, cancelled_as_its_pause_ends, ended, history, order, until,
    until_status,
};
use orders::{ApprovalRule, Item, Order, ShipBy};
use starter::{follow::OrderHandle, submit::place_or_ask};
use temporalio_client::{
    WorkflowExecuteUpdateOptions, WorkflowFetchHistoryOptions, WorkflowHandle, WorkflowHistory,
    WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::{OrderStatus, ProcessOrder, Standing, StandingOrder};

/// The folder below `workflows/tests/histories/`.
const VERSION: &str = "ships-by-nexus";

/// The folder below `workflows/tests/standing-orders/`.
const STANDING_VERSION: &str = "first";

async fn keep(handle: &OrderHandle, name: &str) {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    write(&format!("histories/{VERSION}"), name, history).await;
}

async fn write(folder: &str, name: &str, history: WorkflowHistory) {
    let json = history.to_json().await.unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../workflows/tests")
        .join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), format!("{value:#}\n")).unwrap();
}

async fn kept(scene: &Scene, order: Order, name: &str) {
    let handle = scene.place(&order).await;
    ended(&handle).await;
    keep(&handle, name).await;
}

fn several(order_id: &str) -> Order {
    Order {
        more_items: vec![Item::new("234567", 20)],
        ..order(order_id, 10)
    }
}

#[tokio::test]
#[ignore = "writes files that are committed"]
async fn of_every_kind_of_order() {
    let scene = Scene::new().await;
    scene.shelves(&[("123456", 1_000), ("234567", 5)]);
    let held = scene.path("held");
    let courier = format!("Ship:before={}", held.display());
    let worker = scene.worker(&[]);
    worker.says("worker ready").await;

    kept(&scene, order("order-1", 999), "managed").await;
    kept(&scene, order("order-1", 999), "duplicate").await;
    kept(&scene, order("order-17", 4_000), "enough-left").await;
    kept(&scene, order("order-2", 9_999), "supplier-first").await;
    let pausing = Order {
        pause_seconds: Some(1),
        ..order("order-3", 1)
    };
    kept(&scene, pausing, "paused").await;
    let unknown = Order {
        item: "654321".to_owned(),
        ..order("order-4", 1)
    };
    kept(&scene, unknown, "unknown-product").await;
    for (number, payment, name) in [
        (5, "STOLEN-CARD", "refused-payment"),
        (6, DECLINED, "declined-payment"),
        (7, OUTAGE, "payment-down"),
    ] {
        let paid = Order {
            payment_info: payment.to_owned(),
            ..order(&format!("order-{number}"), 1)
        };
        kept(&scene, paid, name).await;
    }
    kept(&scene, several("order-8"), "several-items").await;
    let apart = Order {
        ship_apart: true,
        ..several("order-9")
    };
    kept(&scene, apart, "shipped-apart").await;

    let asking = |order_id: &str, within_seconds| Order {
        approval: Some(ApprovalRule {
            above_quantity: 5,
            within_seconds,
        }),
        ..order(order_id, 10)
    };
    kept(&scene, asking("order-10", 1), "nobody-decided").await;
    let handle = scene.place(&asking("order-11", 60)).await;
    until_status(&handle, OrderStatus::AwaitingApproval).await;
    keep(&handle, "under-way-awaiting-approval").await;
    let options = WorkflowExecuteUpdateOptions::default();
    let approved = handle.execute_update(ProcessOrder::approve, ().into(), options);
    approved.await.unwrap();
    ended(&handle).await;
    keep(&handle, "approved").await;

    let patient = |order_id: &str| Order {
        await_address_seconds: Some(60),
        ..order(order_id, 10)
    };
    let handle = scene.place(&patient("order-12")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    keep(&handle, "under-way-awaiting-address").await;
    let options = WorkflowExecuteUpdateOptions::default();
    let address = "12 Main Street".to_owned();
    let changed = handle.execute_update(ProcessOrder::change_address, address.into(), options);
    changed.await.unwrap();
    ended(&handle).await;
    keep(&handle, "address-by-update").await;
    let handle = scene.place(&patient("order-13")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    for address in ["no number", "7 Low Road"] {
        let options = WorkflowSignalOptions::default();
        let told = handle.signal(
            ProcessOrder::new_address,
            address.to_owned().into(),
            options,
        );
        told.await.unwrap();
    }
    ended(&handle).await;
    keep(&handle, "address-by-signal").await;
    let handle = scene.place(&patient("order-14")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    cancel(&handle).await.unwrap();
    ended(&handle).await;
    keep(&handle, "cancelled").await;

    let pausing = Order {
        pause_seconds: Some(5),
        ..order("order-17", 1)
    };
    let (handle, worker) = cancelled_as_its_pause_ends(&scene, worker, &pausing).await;
    keep(&handle, "cancelled-as-its-pause-ended").await;

    drop(worker);
    let _worker = scene.worker(&["--hold", &courier]);
    let handle = scene.place(&several("order-15")).await;
    until("one part to ship", async || {
        let shipped = scene
            .effects("order-15")
            .await
            .contains(&"shipped".to_owned());
        (held.exists() && shipped).then_some(())
    })
    .await;
    cancel(&handle).await.unwrap();
    std::fs::remove_file(&held).unwrap();
    ended(&handle).await;
    keep(&handle, "cancelled-while-shipping").await;

    let input = r#"{"item":"123456","quantity":5,"paymentInfo":"VISA-1"}"#;
    let unlisted = scene.place_by_cli("order-16", Some(input)).await;
    ended(&unlisted).await;
    keep(&unlisted, "without-search-attribute").await;
}

#[tokio::test]
#[ignore = "writes files that are committed"]
async fn of_orders_that_are_asked_how_they_stand() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let order = Order {
        await_address_seconds: Some(1),
        ..order("order-1", 10)
    };
    let placed = place_or_ask(&scene.client, TASK_QUEUE, &order).await;
    let (handle, _) = placed.unwrap();
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    place_or_ask(&scene.client, TASK_QUEUE, &order)
        .await
        .unwrap();
    keep(&handle, "under-way-asked").await;
    ended(&handle).await;
    keep(&handle, "asked").await;
}

#[tokio::test]
#[ignore = "writes files that are committed"]
async fn of_orders_that_another_team_ships() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Ship:after={}", held.display());
    let service = scene.shipping_service(&[]);
    service.says("shipping service ready").await;
    let _worker = scene.worker(&[]);
    let by_nexus = |order_id: &str| Order {
        ship_by: Some(ShipBy::Nexus),
        ..order(order_id, 10)
    };
    kept(&scene, by_nexus("order-1"), "managed").await;

    drop(service);
    let _service = scene.shipping_service(&["--hold", &hold]);
    let handle = scene.place(&by_nexus("order-2")).await;
    until("the parcel to ship", async || held.exists().then_some(())).await;
    keep(&handle, "under-way-shipping").await;
    cancel(&handle).await.unwrap();
    until("the service to be asked to stop", async || {
        let mut events = history(&handle).await.into_iter();
        let asked = EventType::NexusOperationCancelRequested;
        events.find(|event| event.event_type() == asked)
    })
    .await;
    std::fs::remove_file(&held).unwrap();
    ended(&handle).await;
    keep(&handle, "cancelled-while-shipping").await;
}

#[tokio::test]
#[ignore = "writes files that are committed"]
async fn of_standing_orders() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let standing = Standing {
        renew_after: 2,
        ..Standing::new(order("", 3), Duration::from_secs(1), false)
    };
    let options = WorkflowStartOptions::new(TASK_QUEUE, "weekly").build();
    let started = scene
        .client
        .start_workflow(StandingOrder::run, standing.into(), options);
    let first = started.await.unwrap();
    let newest: WorkflowHandle<_, StandingOrder> = scene.client.get_workflow_handle("weekly");
    let folder = format!("standing-orders/{STANDING_VERSION}");
    let until_placed = async |count| {
        until("it to place orders", async || {
            let asked = newest.query(StandingOrder::standing, ().into(), Default::default());
            let standing = asked.await.ok().flatten();
            standing.filter(|it| it.placed >= count)
        })
        .await
    };
    until_placed(3).await;
    write(&folder, "renewed", first.fetch_history(Default::default())).await;
    newest
        .signal(StandingOrder::pause, ().into(), Default::default())
        .await
        .unwrap();
    let paused = until_placed(3).await.placed;
    write(
        &folder,
        "under-way-paused",
        newest.fetch_history(Default::default()),
    )
    .await;
    newest
        .signal(StandingOrder::resume, ().into(), Default::default())
        .await
        .unwrap();
    until_placed(paused + 1).await;
    newest
        .signal(StandingOrder::end, ().into(), Default::default())
        .await
        .unwrap();
    newest.get_result(Default::default()).await.unwrap();
    write(&folder, "ended", newest.fetch_history(Default::default())).await;
}
