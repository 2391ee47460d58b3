//! Trouble that a worker lives through, on a real server with real worker processes.

mod common;

use common::{Scene, WorkerProcess, ended, order, pending, result, until};
use nix::sys::signal::Signal;
use servers::{CliSearch, DevServer, project_dir};
use starter::submit::Submitted;
use workflows::OrderOutcome;

#[tokio::test]
async fn a_damaged_inventory_file_is_named_and_left_alone_and_the_order_goes_on_when_it_is_mended()
{
    let scene = Scene::new().await;
    let damaged =
        "{\n    \"orderID\": \"000\",\n    \"productID\": \"123456\",\n    \"inStock\": many\n}\n";
    let worker = scene.worker(&[]);
    worker.says("worker ready").await;
    std::fs::write(scene.database(), damaged).unwrap();
    let handle = scene.place(&order("order-1", 999)).await;
    let failure = until("an attempt to fail", async || {
        let mut pending = pending(&handle).await.into_iter();
        pending.find_map(|activity| Some(activity.last_failure?.message))
    })
    .await;
    let file = scene.database().display().to_string();
    for word in [file.as_str(), "line 4", "column 16"] {
        assert!(failure.contains(word), "{failure}");
    }
    assert_eq!(std::fs::read_to_string(scene.database()).unwrap(), damaged);
    std::fs::write(scene.database(), damaged.replace("many", "1000")).unwrap();
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects("order-1").await.len(), 4);
}

#[tokio::test]
async fn a_worker_without_a_server_says_so_and_goes_on_when_there_is_one() {
    let cli = CliSearch::from_env(&project_dir())
        .find_or_fetch(|_| ())
        .await
        .unwrap();
    // A port that was free a moment ago, for both.
    let mut server = DevServer::builder(cli).start().await.unwrap();
    server.stop().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerProcess::start(
        &server.address(),
        &folder.path().join("inventory.json"),
        &[],
        folder.path().join("worker.log"),
    );
    worker.says(&server.address()).await;
    worker.says("cargo run -p demo -- server").await;
    server.restart().await.unwrap();
    worker.says("worker ready").await;
}

#[tokio::test]
async fn ctrl_c_and_sigterm_stop_a_worker_in_order() {
    let scene = Scene::new().await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut worker = scene.worker(&[]);
        worker.says("worker ready").await;
        worker.signal(signal);
        assert!(worker.ended().await.success(), "{}", worker.log());
        worker.says("worker stopped").await;
    }
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_ends_the_step_under_way() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let mut worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    worker.signal(Signal::SIGTERM);
    worker.says("stopping").await;
    std::fs::remove_file(&held).unwrap();
    assert!(worker.ended().await.success(), "{}", worker.log());
    assert_eq!(scene.effects("order-1").await, ["reserved", "charged"]);
    let _next = scene.worker(&[]);
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects("order-1").await.len(), 4);
}

#[tokio::test]
async fn a_search_attribute_that_cannot_be_had_is_said_and_done_without() {
    // There is one of this name already, of another kind.
    let scene = Scene::with(|server, _| server.search_attribute("OrderStatus", "Int")).await;
    let worker = scene.worker(&[]);
    worker.says("OrderStatus that is no Keyword").await;
    let submitted = scene.submit(&order("order-1", 10)).await;
    let Submitted::Started { handle, unlisted } = submitted else {
        panic!("should be started");
    };
    let reason = unlisted.expect("a reason").to_string();
    assert!(reason.contains("OrderStatus"), "{reason}");
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
}

/// The dev server looks search attributes up each time; others remember them for a minute.
#[tokio::test]
async fn a_search_attribute_that_is_not_known_everywhere_yet_is_done_without() {
    let remembering = "system.forceSearchAttributesCacheRefreshOnRead=false";
    let scene = Scene::with(|server, _| server.dynamic_config(remembering)).await;
    let Submitted::Started { handle, unlisted } = scene.submit(&order("order-1", 10)).await else {
        panic!("should be started");
    };
    let reason = unlisted.expect("a reason").to_string();
    assert!(reason.contains("OrderStatus was just added"), "{reason}");
    let _worker = scene.worker(&[]);
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
}

#[tokio::test]
async fn a_search_attribute_that_is_missing_is_registered() {
    let scene = Scene::new().await;
    // No worker has been here.
    let Submitted::Started { handle, unlisted } = scene.submit(&order("order-1", 10)).await else {
        panic!("should be started");
    };
    assert!(unlisted.is_none(), "{unlisted:?}");
    let description = handle.describe(Default::default()).await.unwrap();
    let listed = description
        .search_attributes()
        .get(&workflows::ORDER_STATUS);
    assert_eq!(listed.as_deref(), Some("Received"));
}
