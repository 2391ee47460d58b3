//! A fresh worker takes over within the process again and again, and no order waits for that.

mod common;

use common::{Scene, WorkerProcess, ended, history, order, result, until};
use nix::sys::signal::Signal;
use orders::Order;
use starter::follow::OrderHandle;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use worker::run::FRESH;

/// No task of the order was given up and no step was tried twice: nothing of it was left with a worker
/// that had stopped. A task that is offered to such a worker times out after a second, and the history
/// tells.
async fn waited_for_nobody(handle: &OrderHandle) {
    for event in history(handle).await {
        match event.attributes.unwrap() {
            Attributes::WorkflowTaskTimedOutEventAttributes(task) => panic!("{task:?}"),
            Attributes::ActivityTaskStartedEventAttributes(step) => {
                assert_eq!(step.attempt, 1, "{:?}", step.last_failure);
            }
            _ => {}
        }
    }
}

async fn shifts(worker: &WorkerProcess, at_least: usize) {
    until("fresh workers", async || {
        (worker.log().matches(FRESH).count() >= at_least).then_some(())
    })
    .await;
}

#[tokio::test]
async fn orders_go_on_while_one_worker_takes_over_from_another_in_the_process() {
    let scene = Scene::new().await;
    let mut worker = scene.worker(&["--shift", "20"]);
    // These know the first workers, and go on with later ones.
    let pausing = |number| Order {
        pause_seconds: Some(number),
        ..order(&format!("pausing-{number}"), 1)
    };
    let mut handles = Vec::new();
    for number in 1..=5 {
        handles.push(scene.place(&pausing(number)).await);
    }
    for number in 1..=40 {
        handles.push(scene.place(&order(&format!("order-{number}"), 1)).await);
    }
    for handle in &handles {
        result(ended(handle).await);
        waited_for_nobody(handle).await;
    }
    // 45 orders have 180 activities and more. Two workers count side by side while one takes over.
    shifts(&worker, 4).await;
    assert!(worker.is_running(), "{}", worker.log());
    scene.audit().await;

    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().await.success(), "{}", worker.log());
}
