//! Orders that were left behind with stock or money: they are found and undone, and no others are.

mod common;

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Parser;
use common::{
    PATIENCE, Scene, TASK_QUEUE, WorkerProcess, ended, order, result, until, until_status,
};
use futures::future::join;
use inventory::{Clock, Inventory, Placement};
use orders::Order;
use starter::{
    abandoned::{self, Abandoned, End},
    follow::{Followed, OrderHandle},
};
use temporalio_client::WorkflowTerminateOptions;
use workflows::{OrderOutcome, OrderStatus};

/// Runs a command of the starter.
async fn starter(scene: &Scene, database: &Path, words: &[&str]) -> ExitCode {
    let address = scene.server.address();
    let database = database.to_str().unwrap();
    let server = ["--address", &address, "--database", database];
    let args = starter::Args::parse_from([&["starter"], words, &server].concat());
    let done = tokio::time::timeout(PATIENCE, starter::run(args)).await;
    done.expect("the command should end").unwrap()
}

async fn audit(scene: &Scene) -> ExitCode {
    starter(scene, &scene.database(), &["audit"]).await
}

async fn reconcile(scene: &Scene, flags: &[&str]) -> ExitCode {
    let words = [&["reconcile", "--task-queue", TASK_QUEUE], flags].concat();
    starter(scene, &scene.database(), &words).await
}

async fn left_behind(scene: &Scene) -> Vec<Abandoned> {
    let inventory = scene.inventory().await;
    let audit = inventory.audit().await.unwrap();
    let found = abandoned::find(&scene.client, &inventory, &audit).await;
    found.unwrap()
}

async fn terminate(order: &OrderHandle) {
    let options = WorkflowTerminateOptions::default();
    order.terminate(options).await.unwrap();
}

/// Places an order that a worker holds at `place`, and terminates it there.
async fn terminated_at(scene: &Scene, order: &Order, place: &str) {
    let held = scene.path("held");
    let worker = scene.worker(&["--hold", &format!("{place}={}", held.display())]);
    let handle = scene.place(order).await;
    until(place, async || held.exists().then_some(())).await;
    terminate(&handle).await;
    worker.kill().await;
    std::fs::remove_file(&held).unwrap();
}

fn waits_for_an_address(order_id: &str) -> Order {
    Order {
        await_address_seconds: Some(3_600),
        ..order(order_id, 10)
    }
}

#[tokio::test]
async fn what_was_terminated_is_undone_and_nothing_else() {
    let scene = Scene::new().await;
    terminated_at(&scene, &order("order-1", 100), "Charge:before").await;
    terminated_at(&scene, &order("order-2", 200), "Ship:before").await;
    let worker = scene.worker(&[]);
    let running = scene.place(&waits_for_an_address("order-3")).await;
    until_status(&running, OrderStatus::AwaitingAddress).await;
    scene.process(&order("order-4", 5)).await;
    let cancelled = scene.place(&waits_for_an_address("order-5")).await;
    until_status(&cancelled, OrderStatus::AwaitingAddress).await;
    let inventory = scene.inventory().await;
    let before = inventory.audit().await.unwrap();
    common::cancel(&cancelled).await.unwrap();
    ended(&cancelled).await;
    // It was under way when the ledger was read, and has ended since.
    let found = abandoned::find(&scene.client, &inventory, &before).await;
    let found = found.unwrap();
    assert!(found.iter().all(|it| it.order_id != "order-5"), "{found:?}");
    // Placed again while the first submission holds its stock: its workflow is another one's.
    let again = result(scene.process(&order("order-1", 100)).await);
    assert_eq!(again.outcome, OrderOutcome::Duplicate);
    worker.kill().await;

    let found: Vec<_> = left_behind(&scene).await;
    let said: Vec<_> = found.iter().map(Abandoned::to_string).collect();
    let terminated = "and its workflow was terminated";
    assert_eq!(
        said,
        [
            format!("order-1 holds 100 units of product 123456, {terminated}"),
            format!("order-2 holds 200 units of product 123456, a charge, {terminated}"),
        ]
    );
    assert_eq!(audit(&scene).await, ExitCode::FAILURE);
    let before = scene.inventory().await.ledger(0, 1_000).await.unwrap();
    assert_eq!(reconcile(&scene, &[]).await, ExitCode::SUCCESS);
    let after = scene.inventory().await.ledger(0, 1_000).await.unwrap();
    assert_eq!(before, after, "nothing was to be changed");

    let _worker = scene.worker(&[]);
    assert_eq!(reconcile(&scene, &["--apply"]).await, ExitCode::SUCCESS);
    let effects = scene.effects("order-1").await;
    assert_eq!(effects, ["reserved", "closed", "released"]);
    let effects = scene.effects("order-2").await;
    let undone = ["reserved", "charged", "closed", "refunded", "released"];
    assert_eq!(effects, undone);
    assert_eq!(scene.effects("order-3").await, ["reserved", "charged"]);
    let ended_well = scene.effects("order-4").await;
    assert!(
        !ended_well.contains(&"recalled".to_owned()),
        "{ended_well:?}"
    );

    // The order that is still running is nobody's to undo.
    assert_eq!(audit(&scene).await, ExitCode::SUCCESS);
    assert_eq!(reconcile(&scene, &["--apply"]).await, ExitCode::SUCCESS);
    assert_eq!(scene.effects("order-3").await, ["reserved", "charged"]);
    let again = result(scene.process(&order("order-2", 200)).await);
    assert_eq!(again.outcome, OrderOutcome::Managed);
    scene.audit().await;
}

#[tokio::test]
async fn an_undoing_happens_once_whoever_is_killed_and_however_often_it_is_asked_for() {
    let scene = Scene::new().await;
    terminated_at(&scene, &order("order-1", 100), "Ship:after").await;
    let effects = scene.effects("order-1").await;
    assert_eq!(effects, ["reserved", "charged", "shipped"]);
    // What has shipped as a whole is done, whatever became of its workflow.
    assert_eq!(audit(&scene).await, ExitCode::SUCCESS);

    terminated_at(&scene, &order("order-2", 100), "Ship:before").await;
    let held = scene.path("held");
    let worker = scene.worker(&["--hold", &format!("Refund:after={}", held.display())]);
    let refunded = until("the refund", async || held.exists().then_some(()));
    tokio::select! {
        _ = reconcile(&scene, &["--apply"]) => panic!("it was to be held"),
        () = refunded => {}
    }
    worker.kill().await;
    let _worker = scene.worker(&[]);
    let flags = ["--apply"];
    let both = join(reconcile(&scene, &flags), reconcile(&scene, &flags)).await;
    assert_eq!(both, (ExitCode::SUCCESS, ExitCode::SUCCESS));
    let effects = scene.effects("order-2").await;
    let undone = ["reserved", "charged", "closed", "refunded", "released"];
    assert_eq!(effects, undone);
    scene.audit().await;
}

async fn charged_an_hour_ago(database: &Path, order_id: &str, submission: &str) -> Inventory {
    let hour_ago = || SystemTime::now() - Duration::from_hours(1);
    charged(database, hour_ago, order_id, submission).await
}

/// An inventory with one order in it that was charged at this time.
async fn charged(database: &Path, at: Clock, order_id: &str, submission: &str) -> Inventory {
    let location = database.to_owned().into();
    let inventory = Inventory::open(&location, at).await.unwrap();
    let placement = Placement::new(order_id, submission);
    let items = order(order_id, 100).items();
    inventory.reserve(&placement, &items).await.unwrap();
    let charge = inventory.record_charge(&placement, "*******456").await;
    charge.unwrap();
    inventory
}

#[tokio::test]
async fn an_order_that_the_server_does_not_know_any_more_is_undone() {
    let scene = Scene::new().await;
    let submission = "01234567-89ab-cdef-0123-456789abcdef";
    charged_an_hour_ago(&scene.database(), "order-1", submission).await;
    let [gone] = &left_behind(&scene).await[..] else {
        panic!("one was to be found")
    };
    assert_eq!(gone.workflow, End::Gone);
    // One that was begun a moment ago may not be listed yet.
    let new = scene.path("new/inventory.json");
    let new = charged(&new, SystemTime::now, "order-1", submission).await;
    let audit = new.audit().await.unwrap();
    let found = abandoned::find(&scene.client, &new, &audit).await;
    assert_eq!(found.unwrap(), []);

    // It may run elsewhere, so it is not undone before somebody says that it does not.
    assert_eq!(reconcile(&scene, &["--apply"]).await, ExitCode::FAILURE);
    assert_eq!(scene.effects("order-1").await, ["reserved", "charged"]);

    // A worker with another inventory leaves it to the one whose order it is.
    let elsewhere = scene.path("elsewhere/inventory.json");
    let log = scene.path("elsewhere.log");
    let other = WorkerProcess::start(&scene.server.address(), &elsewhere, &[], log);
    let flags = ["--apply", "--orders-are-gone"];
    let (done, _worker) = join(reconcile(&scene, &flags), async {
        other.says("belongs to the inventory of").await;
        scene.worker(&[])
    })
    .await;
    assert_eq!(done, ExitCode::SUCCESS);
    let elsewhere = Inventory::at(&elsewhere.into(), SystemTime::now).unwrap();
    assert_eq!(elsewhere.effects("order-1").await.unwrap(), []);
    other.kill().await;
    let effects = scene.effects("order-1").await;
    let undone = ["reserved", "charged", "closed", "refunded", "released"];
    assert_eq!(effects, undone);
    let again = result(scene.process(&order("order-1", 100)).await);
    assert_eq!(again.outcome, OrderOutcome::Managed);
}

#[tokio::test]
async fn an_order_whose_workflow_completed_is_left_to_a_person() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let handle = scene.place(&order("order-1", 10)).await;
    let completed = ended(&handle).await;
    assert!(matches!(completed, Followed::Completed(_)), "{completed:?}");
    worker.kill().await;
    let database = scene.path("restored/inventory.json");
    let run_id = handle.run_id().unwrap();
    let inventory = charged_an_hour_ago(&database, "order-1", run_id).await;
    let _worker = scene.worker(&[]);
    let words = ["reconcile", "--apply", "--task-queue", TASK_QUEUE];
    let code = starter(&scene, &database, &words).await;
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(inventory.effects("order-1").await.unwrap().len(), 2);
}

/// The server finds it by its run only, and lists that a moment after its start.
#[tokio::test]
async fn an_order_whose_workflow_has_another_name_is_not_taken_for_gone() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let input = r#"{"orderID":"order-1","item":"123456","quantity":10,"paymentInfo":"VISA-1","awaitAddressSeconds":3600}"#;
    let handle = scene.place_by_cli("another-name", Some(input)).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    // Here it is an hour old.
    let database = scene.path("restored/inventory.json");
    let run_id = handle.run_id().unwrap();
    let inventory = charged_an_hour_ago(&database, "order-1", run_id).await;
    let audit = inventory.audit().await.unwrap();
    assert_eq!(left_behind(&scene).await, []);
    until("the server to list the workflow", async || {
        let found = abandoned::find(&scene.client, &inventory, &audit).await;
        found.unwrap().is_empty().then_some(())
    })
    .await;
    terminate(&handle).await;
    let found = abandoned::find(&scene.client, &inventory, &audit)
        .await
        .unwrap();
    assert_eq!(found[0].workflow, End::Terminated);
}
