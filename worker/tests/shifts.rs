//! A fresh worker takes over within the process again and again, and orders go on.

mod common;

use common::{Scene, WorkerProcess, ended, history, order, result, status, until};
use nix::sys::signal::Signal;
use orders::Order;
use starter::follow::OrderHandle;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use worker::run::FRESH;

/// How often a task of the order waited in vain for a worker that had it in memory, which is for a second
/// at most. A step is never left with a worker that stopped.
async fn waits(handle: &OrderHandle) -> usize {
    let timed_out = history(handle).await.into_iter().filter(|event| {
        let attributes = event.attributes.as_ref();
        matches!(
            attributes,
            Some(Attributes::WorkflowTaskTimedOutEventAttributes(_))
        )
    });
    timed_out.count()
}

/// How many fresh workers took over so far, once they are so many.
async fn shifts(worker: &WorkerProcess, at_least: usize) -> usize {
    until("fresh workers", async || {
        let shifts = worker.log().matches(FRESH).count();
        (shifts >= at_least).then_some(shifts)
    })
    .await
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
    }
    // 45 orders have 180 activities and more. Two workers count side by side while one takes over.
    let shifts = shifts(&worker, 4).await;
    for handle in &handles {
        assert!(waits(handle).await <= shifts);
    }
    assert!(worker.is_running(), "{}", worker.log());
    scene.audit().await;

    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().await.success(), "{}", worker.log());
}

#[tokio::test]
async fn orders_go_on_while_the_worker_before_is_not_done() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let worker = scene.worker(&["--shift", "2", "--hold", &hold]);
    let first = scene.place(&order("order-1", 1)).await;
    until("the charge", async || held.exists().then_some(())).await;
    worker.says(FRESH).await;
    result(scene.process(&order("order-2", 1)).await);
    // What the first worker has under way is not taken from it.
    assert!(held.exists());
    std::fs::remove_file(&held).unwrap();
    result(ended(&first).await);
    let told = status(&first).await;
    assert!(told.steps.iter().all(|step| step.attempts == 1));
    scene.audit().await;
}
