//! Orders that another team's shipping service ships, through Nexus: real servers, workers and services, which
//! are killed at each point where it hurts.

mod common;

use std::path::{Path, PathBuf};

use common::{Scene, WorkerProcess, cancel, ended, history, order, reason, result, status, until};
use futures::TryStreamExt;
use orders::{Item, Order, ShipBy};
use prost::Message;
use starter::follow::{Followed, OrderHandle};
use temporal::Settings;
use temporalio_client::{Client, WorkflowListOptions};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::OrderOutcome;

const READY: &str = "shipping service ready";
const EFFECTS: [&str; 4] = ["reserved", "charged", "shipped", "restocked"];
const UNDONE: [&str; 6] = [
    "reserved", "charged", "shipped", "recalled", "refunded", "released",
];

fn by_nexus(order_id: &str) -> Order {
    Order {
        ship_by: Some(ShipBy::Nexus),
        ..order(order_id, 999)
    }
}

/// A service that stops at a point of an activity, and the file that tells of it.
fn service_held(scene: &Scene, point: &str) -> (WorkerProcess, PathBuf) {
    let held = scene.path("held");
    let hold = format!("{point}={}", held.display());
    (scene.shipping_service(&["--hold", &hold]), held)
}

async fn until_held(held: &Path) {
    until("the point", async || held.exists().then_some(())).await;
}

/// Waits until the order's history has this event.
async fn until_event(handle: &OrderHandle, wanted: EventType) {
    until(wanted.as_str_name(), async || {
        let events = history(handle).await;
        let found = events.iter().any(|event| event.event_type() == wanted);
        found.then_some(())
    })
    .await;
}

/// The order is done, everything has happened once, and it all adds up.
async fn exactly_once(scene: &Scene, handle: &OrderHandle) {
    let result = result(ended(handle).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects("order-1").await, EFFECTS);
    scene.audit().await;
}

/// The order was cancelled, and everything that had happened was undone once.
async fn undone_once(scene: &Scene, handle: &OrderHandle) {
    assert!(matches!(ended(handle).await, Followed::Cancelled(_)));
    assert_eq!(scene.effects("order-1").await, UNDONE);
    scene.audit().await;
}

#[tokio::test]
async fn an_order_ships_through_the_service_of_another_team() {
    let scene = Scene::new().await;
    let service = scene.shipping_service(&[]);
    service.says(READY).await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&by_nexus("order-1")).await;
    exactly_once(&scene, &handle).await;
    // The other team has the shipment in its own namespace, under a workflow of its own.
    let settings = Settings::plain(&scene.server.address(), "shipping").unwrap();
    let other_team = temporal::connect(&settings, "test").await.unwrap();
    until("the shipment to be listed", async || {
        (shipments(&other_team).await == ["ShipItem"]).then_some(())
    })
    .await;
}

/// The types of the workflows in the client's namespace.
async fn shipments(client: &Client) -> Vec<String> {
    let listed = client.list_workflows("", WorkflowListOptions::default());
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    listed
        .iter()
        .map(|it| it.workflow_type().to_owned())
        .collect()
}

#[tokio::test]
async fn the_service_is_killed_before_and_after_the_shipment() {
    for (point, found) in [("Ship:before", false), ("Ship:after", true)] {
        let scene = Scene::new().await;
        let (held_service, held) = service_held(&scene, point);
        held_service.says(READY).await;
        let _worker = scene.worker(&[]);
        let handle = scene.place(&by_nexus("order-1")).await;
        until_held(&held).await;
        held_service.kill().await;
        let _service = scene.shipping_service(&[]);
        exactly_once(&scene, &handle).await;
        // What was shipped and not reported was found by the next attempt, and the order says so.
        let told = status(&handle).await;
        assert_eq!(told.steps.iter().any(|it| it.found), found);
    }
}

#[tokio::test]
async fn the_service_is_away_when_it_is_called() {
    let scene = Scene::new().await;
    let first = scene.shipping_service(&[]);
    first.says(READY).await;
    first.kill().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&by_nexus("order-1")).await;
    until_event(&handle, EventType::NexusOperationScheduled).await;
    let _service = scene.shipping_service(&[]);
    exactly_once(&scene, &handle).await;
}

#[tokio::test]
async fn an_order_waits_for_an_endpoint_that_is_registered_later() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&by_nexus("order-1")).await;
    until_event(&handle, EventType::WorkflowTaskFailed).await;
    let _service = scene.shipping_service(&[]);
    exactly_once(&scene, &handle).await;
}

#[tokio::test]
async fn the_worker_is_killed_before_and_after_the_shipment() {
    for point in ["Ship:before", "Ship:after"] {
        let scene = Scene::new().await;
        let (service, held) = service_held(&scene, point);
        service.says(READY).await;
        let worker = scene.worker(&[]);
        let handle = scene.place(&by_nexus("order-1")).await;
        until_held(&held).await;
        worker.kill().await;
        // The service reports its end while no worker is there.
        std::fs::remove_file(&held).unwrap();
        until_event(&handle, EventType::NexusOperationCompleted).await;
        let _worker = scene.worker(&[]);
        exactly_once(&scene, &handle).await;
    }
}

#[tokio::test]
async fn the_server_is_killed_before_and_after_the_shipment() {
    for point in ["Ship:before", "Ship:after"] {
        let mut scene = Scene::on_disk().await;
        let (service, held) = service_held(&scene, point);
        service.says(READY).await;
        let _worker = scene.worker(&[]);
        let handle = scene.place(&by_nexus("order-1")).await;
        until_held(&held).await;
        scene.server.kill().await.unwrap();
        std::fs::remove_file(&held).unwrap();
        scene.server.restart().await.unwrap();
        exactly_once(&scene, &handle).await;
    }
}

#[tokio::test]
async fn a_cancelled_order_is_recalled_by_the_service() {
    let scene = Scene::new().await;
    let (service, held) = service_held(&scene, "Ship:after");
    service.says(READY).await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&by_nexus("order-1")).await;
    until_held(&held).await;
    cancel(&handle).await.unwrap();
    until_event(&handle, EventType::NexusOperationCancelRequested).await;
    std::fs::remove_file(&held).unwrap();
    undone_once(&scene, &handle).await;
}

/// An order that has shipped and was cancelled, and whose recall is held at a point.
struct Recalled {
    service: WorkerProcess,
    worker: WorkerProcess,
    order: OrderHandle,
    held: PathBuf,
}

async fn held_in_recall(scene: &Scene, point: &str) -> Recalled {
    let [shipping, held] = ["shipping", "held"].map(|name| scene.path(name));
    let hold_shipping = format!("Ship:after={}", shipping.display());
    let hold = format!("{point}={}", held.display());
    let flags = ["--hold", &hold_shipping, "--hold", &hold];
    let service = scene.shipping_service(&flags);
    service.says(READY).await;
    let worker = scene.worker(&[]);
    let order = scene.place(&by_nexus("order-1")).await;
    until_held(&shipping).await;
    cancel(&order).await.unwrap();
    std::fs::remove_file(&shipping).unwrap();
    until_held(&held).await;
    Recalled {
        service,
        worker,
        order,
        held,
    }
}

#[tokio::test]
async fn the_service_is_killed_before_and_after_the_recall() {
    for point in ["Recall:before", "Recall:after"] {
        let scene = Scene::new().await;
        let recalled = held_in_recall(&scene, point).await;
        recalled.service.kill().await;
        let _service = scene.shipping_service(&[]);
        undone_once(&scene, &recalled.order).await;
    }
}

#[tokio::test]
async fn the_worker_is_killed_while_the_service_recalls() {
    let scene = Scene::new().await;
    let recalled = held_in_recall(&scene, "Recall:after").await;
    recalled.worker.kill().await;
    std::fs::remove_file(&recalled.held).unwrap();
    let _worker = scene.worker(&[]);
    undone_once(&scene, &recalled.order).await;
}

/// Whether the service ships the item before it hears of the cancellation is left open: nothing is left
/// shipped in either case.
#[tokio::test]
async fn an_order_is_cancelled_while_the_service_is_away() {
    let scene = Scene::new().await;
    let first = scene.shipping_service(&[]);
    first.says(READY).await;
    first.kill().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&by_nexus("order-1")).await;
    until_event(&handle, EventType::NexusOperationScheduled).await;
    cancel(&handle).await.unwrap();
    let _service = scene.shipping_service(&[]);
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    let effects = scene.effects("order-1").await;
    let count = |effect: &str| effects.iter().filter(|it| *it == effect).count();
    assert_eq!(count("recalled"), count("shipped"), "{effects:?}");
    assert_eq!((count("refunded"), count("released")), (1, 1));
    scene.audit().await;
}

#[tokio::test]
async fn several_items_ship_once_each_in_spite_of_faults() {
    let scene = Scene::new().await;
    scene.shelves(&[("123456", 6_000), ("234567", 6_000)]);
    let faulty = scene.shipping_service(&["--fault-rate", "0.5"]);
    faulty.says(READY).await;
    let _worker = scene.worker(&["--fault-rate", "0.3"]);
    let two = Order {
        more_items: vec![Item::new("234567", 20)],
        ..by_nexus("order-1")
    };
    result(scene.process(&two).await);
    let effects = scene.effects("order-1").await;
    let count = |effect: &str| effects.iter().filter(|it| *it == effect).count();
    assert_eq!((count("shipped"), count("charged")), (2, 1), "{effects:?}");
    scene.audit().await;
}

/// Which of these words the server could read in what the order and the service tell each other.
async fn readable<'a>(handle: &OrderHandle, words: &[&'a str]) -> Vec<&'a str> {
    let events = history(handle).await.into_iter();
    let told = events.filter(|event| event.event_type().as_str_name().contains("NEXUS"));
    let bytes: Vec<u8> = told.flat_map(|event| event.encode_to_vec()).collect();
    let is_found = |word: &&str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    words.iter().copied().filter(is_found).collect()
}

#[tokio::test]
async fn what_an_order_and_the_service_tell_each_other_is_encrypted_with_keys() {
    const WORDS: [&str; 2] = ["12 Main Street", "shipment-0"];
    let scene = Scene::new().await;
    let keys = scene.path("keys");
    let key = "one=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
    std::fs::write(&keys, key).unwrap();
    let with_keys = ["--encryption-keys-file", keys.to_str().unwrap()];
    for (flags, words) in [(&[][..], &WORDS[..]), (&with_keys, &[])] {
        let service = scene.shipping_service(flags);
        service.says(READY).await;
        let worker = scene.worker(flags);
        let order_id = format!("order-{}", flags.len());
        let addressed = Order {
            address: Some("12 Main Street".to_owned()),
            ..by_nexus(&order_id)
        };
        let handle = scene.place(&addressed).await;
        until_event(&handle, EventType::WorkflowExecutionCompleted).await;
        assert_eq!(readable(&handle, &WORDS).await, words);
        worker.kill().await;
        service.kill().await;
    }
}

#[tokio::test]
async fn an_order_names_one_way_to_ship() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let both = Order {
        ship_apart: true,
        ..by_nexus("order-1")
    };
    let text = reason(scene.process(&both).await);
    assert!(text.contains("shipBy"), "{text}");
    assert!(scene.effects("order-1").await.is_empty());
}
