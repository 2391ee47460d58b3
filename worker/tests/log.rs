//! What a worker's log says of an order, and what it does not say twice.

mod common;

use std::fs::File;

use common::{Scene, WorkerProcess, cancel, ended, order, reason, result, until, until_status};
use orders::Order;
use serde_json::Value;
use starter::submit::submit;
use temporalio_client::{WorkflowExecuteUpdateOptions, WorkflowSignalOptions};
use tokio::process::Command;
use workflows::{OrderStatus, ProcessOrder};

const JSON: [&str; 2] = ["--log-format", "json"];

fn lines(worker: &WorkerProcess) -> Vec<Value> {
    let log = worker.log();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")));
    lines.collect()
}

/// The events of an order, each as its message and, where there is one, its step.
fn events(worker: &WorkerProcess, order_id: &str) -> Vec<String> {
    let of_order = lines(worker)
        .into_iter()
        .filter(|line| line["order_id"] == order_id);
    of_order
        .map(|line| {
            let message = line["message"].as_str().unwrap();
            match line["step"].as_str().or(line["activity"].as_str()) {
                Some(step) => format!("{message} {step}"),
                None => message.to_owned(),
            }
        })
        .collect()
}

#[tokio::test]
async fn each_event_of_an_order_is_a_line_with_its_id() {
    let scene = Scene::new().await;
    let worker = scene.worker(&JSON);
    result(scene.process(&order("order-1", 10)).await);
    worker.says("order ended").await;
    let said = events(&worker, "order-1");
    assert_eq!(said.first().unwrap(), "order started");
    assert_eq!(said.last().unwrap(), "order ended");
    for step in ["CheckFraud", "PrepareShipment", "Charge", "Ship"] {
        for event in ["done", "step done"] {
            let line = format!("{event} {step}");
            assert_eq!(said.iter().filter(|it| **it == line).count(), 1, "{line}");
        }
    }
    let last = lines(&worker).into_iter().next_back().unwrap();
    assert_eq!(last["outcome"], "managed");
    assert_eq!(last["level"], "INFO");
}

#[tokio::test]
async fn a_worker_that_takes_over_does_not_say_again_what_was_done_before() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Ship:before={}", held.display());
    let first = scene.worker(&[&JSON[..], &["--hold", &hold]].concat());
    let handle = scene.place(&order("order-1", 999)).await;
    until("the shipment", async || held.exists().then_some(())).await;
    let said = events(&first, "order-1");
    assert!(said.contains(&"step done Charge".to_owned()), "{said:?}");
    first.kill().await;

    let second = scene.worker(&JSON);
    result(ended(&handle).await);
    second.says("order ended").await;
    let said = events(&second, "order-1");
    let expected = [
        "done Ship",
        "step done Ship",
        "done SupplierOrder",
        "step done SupplierOrder",
        "order ended",
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn an_order_that_fails_says_why() {
    let scene = Scene::new().await;
    let worker = scene.worker(&JSON);
    scene.process(&order("order-1", 10_001)).await;
    worker.says("order ended").await;
    let last = lines(&worker).into_iter().next_back().unwrap();
    assert_eq!(last["outcome"], "failed");
    let why = last["result"].as_str().unwrap();
    assert!(why.contains("more than the capacity"), "{why}");
}

#[tokio::test]
async fn a_part_of_an_order_is_logged_under_the_orders_id() {
    let scene = Scene::new().await;
    let worker = scene.worker(&JSON);
    let mut order = order("order-1", 10);
    order.ship_apart = true;
    result(scene.process(&order).await);
    worker.says("order ended").await;
    let said = events(&worker, "order-1");
    for event in ["part started", "step done Ship", "part ended"] {
        assert!(
            said.contains(&event.to_owned()),
            "{event} is not in {said:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_logged_once_and_that_it_is_back_once() {
    let mut scene = Scene::on_disk().await;
    let worker = scene.worker(&[]);
    // Logs all that the SDK warns of, and so tells when a worker could have repeated itself.
    let talkative = scene.path("talkative.log");
    let _talkative = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args([
            "--address",
            &scene.server.address(),
            "--task-queue",
            "other",
        ])
        .arg("--database")
        .arg(scene.path("other.json"))
        .env("RUST_LOG", "info")
        .stdout(File::create(&talkative).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let has_said = |words: &'static str| {
        let log = std::fs::read_to_string(&talkative).unwrap();
        log.contains(words).then_some(())
    };
    result(scene.process(&order("order-1", 10)).await);
    submit(&scene.client, "other", &order("order-2", 10))
        .await
        .unwrap();
    until("the second order", async || has_said("order ended")).await;
    scene.server.kill().await.unwrap();
    worker.says("the Temporal server does not answer").await;
    until("the SDK's warning", async || {
        has_said("poll_workflow_task_queue retried")
    })
    .await;
    scene.server.restart().await.unwrap();
    worker.says("the Temporal server is back").await;
    result(scene.process(&order("order-3", 10)).await);
    let log = worker.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_eq!(
        log.matches("the Temporal server is back").count(),
        1,
        "{log}"
    );
}

/// What an order is paid with and where it goes are for the services only.
#[tokio::test]
async fn the_log_names_neither_payment_nor_address() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let mut paid = order("order-1", 10);
    paid.payment_info = "VISA-KMXQ".to_owned();
    paid.address = Some("12 Main Street".to_owned());
    let done = result(scene.process(&paid).await);
    assert!(done.message.contains("12 Main Street"), "{}", done.message);

    let mut refused = order("order-2", 10);
    refused.payment_info = "VISA-000000".to_owned();
    refused.address = Some("12 Main Street".to_owned());
    reason(scene.process(&refused).await);

    let order_json = serde_json::to_string(&order("order-3", 10)).unwrap();
    let card = order_json.replace("\"VISA-123456\"", "4111111111111111");
    let in_quotes = serde_json::to_string(&order_json).unwrap();
    for (workflow_id, input) in [("order-3", card), ("order-4", in_quotes)] {
        let handle = scene.place_by_cli(workflow_id, Some(&input)).await;
        reason(ended(&handle).await);
    }

    let mut waiting = order("order-5", 10);
    waiting.await_address_seconds = Some(600);
    let handle = scene.place(&waiting).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    let options = WorkflowSignalOptions::default();
    let bad = "Main Street".to_owned();
    let sent = handle.signal(ProcessOrder::new_address, bad.into(), options);
    sent.await.unwrap();
    let options = WorkflowExecuteUpdateOptions::default();
    let good = "12 Main Street".to_owned();
    let changed = handle.execute_update(ProcessOrder::change_address, good.into(), options);
    changed.await.unwrap();
    result(ended(&handle).await);

    let handle = scene
        .place(&Order {
            order_id: "order-6".to_owned(),
            ..waiting
        })
        .await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    cancel(&handle).await.unwrap();
    ended(&handle).await;

    for order_id in [
        "order-1", "order-2", "order-3", "order-4", "order-5", "order-6",
    ] {
        let last = format!("order_id=\"{order_id}\" workflow=\"ProcessOrder\" outcome");
        worker.says(&last).await;
    }
    let log = worker.log();
    // Without the times at their beginnings, no line can hold one of these by chance.
    let said = log.lines().filter_map(|line| line.split_once(' '));
    for (_, said) in said {
        for secret in ["VISA", "KMXQ", "000000", "4111111111111111", "Main Street"] {
            assert!(!said.contains(secret), "{secret} is in {log}");
        }
    }
}
