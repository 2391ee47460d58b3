//! What a worker's log says of an order, and what it does not say twice.

mod common;

use std::fs::File;

use common::{Scene, WorkerProcess, ended, order, result, until};
use serde_json::Value;
use starter::submit::submit;
use tokio::process::Command;

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
