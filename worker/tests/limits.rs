//! How much a worker takes on, and how long it takes to stop.

mod common;

use common::{Scene, ended, order, result, until};
use nix::sys::signal::Signal;

#[tokio::test]
async fn what_is_not_done_within_the_limit_is_cut_off_and_done_by_another_worker() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let mut worker = scene.worker(&["--hold", &hold, "--shutdown-limit", "300ms"]);
    let handle = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.ended().await.code(), Some(1), "{}", worker.log());
    worker.says("worker stopped after 300ms").await;
    assert_eq!(scene.effects("order-1").await, ["reserved"]);
    let _next = scene.worker(&[]);
    result(ended(&handle).await);
    assert_eq!(scene.effects("order-1").await.len(), 4);
}

/// The least of everything still runs orders.
#[tokio::test]
async fn the_smallest_worker_processes_orders() {
    let scene = Scene::new().await;
    let smallest = [
        "--max-cached-workflows=0",
        "--max-workflow-tasks=2",
        "--max-activities=1",
        "--workflow-pollers=2",
        "--activity-pollers=1",
        "--eager-activities=0",
    ];
    let _worker = scene.worker(&smallest);
    let first = scene.place(&order("order-1", 10)).await;
    let second = scene.place(&order("order-2", 10)).await;
    result(ended(&first).await);
    result(ended(&second).await);
}
