//! Somebody with the Go demo drives this worker: its type names, workflow IDs, input and answers. The
//! Temporal CLI plays its starter; it is a Go program, and sends what it is told.

mod common;

use common::{Scene, TASK_QUEUE, cancel, ended, until};
use inventory::Change;
use servers::{CliSearch, project_dir};
use starter::follow::{self, Followed};
use tokio::process::Command;
use workflows::{OrderOutcome, OrderStatus, ProcessOrder};

/// A command that does with an order what the Go demo's starter would. That one names the workflow, and sets
/// no search attribute.
async fn go_starter(scene: &Scene, does: &str, kind: &str, order_id: &str) -> Command {
    let cli = CliSearch::from_env(&project_dir())
        .find_or_fetch(|_| ())
        .await
        .unwrap();
    let mut command = Command::new(cli);
    command
        .args(["workflow", does, "--output", "json"])
        .args(["--address", &scene.server.address()])
        .args(["--task-queue", TASK_QUEUE, "--type", kind])
        .args(["--workflow-id", &format!("ordermanagement-wkfl-{order_id}")])
        .arg("--input")
        .arg(format!(
            r#"{{"OrderID":"{order_id}","Item":"123456","Quantity":999,"PaymentInfo":"VISA-5551212"}}"#
        ));
    command
}

/// What the Go demo's starter would be answered.
async fn answer(scene: &Scene, kind: &str, order_id: &str) -> serde_json::Value {
    let mut command = go_starter(scene, "execute", kind, order_id).await;
    let output = command.output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let printed: serde_json::Value =
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    printed["result"].clone()
}

#[tokio::test]
async fn an_order_of_the_go_demo_gets_its_answer_and_is_found_by_its_number() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let order_id = "order-11235";
    assert_eq!(
        answer(&scene, "ProcessOrder", order_id).await,
        "Order Managed"
    );
    assert_eq!(scene.stock().await, 10_000);
    assert_eq!(
        answer(&scene, "ProcessOrder", order_id).await,
        "Duplicate order"
    );
    assert_eq!(scene.effects(order_id).await.len(), 4);

    let found = follow::find(&scene.client, order_id).await.unwrap();
    let Followed::Completed(result) = ended(&found).await else {
        panic!("should have completed");
    };
    assert_eq!(result.outcome, OrderOutcome::Duplicate);
    assert_eq!(common::status(&found).await.order_id, order_id);
}

#[tokio::test]
async fn the_go_demos_other_type_name_runs_the_same_order() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let order_id = "order-27182";
    for expected in ["Order Managed", "Duplicate order"] {
        assert_eq!(answer(&scene, "InventoryTask", order_id).await, expected);
    }
    assert_eq!(scene.effects(order_id).await.len(), 4);
}

#[tokio::test]
async fn an_order_of_the_go_demo_is_cancelled_by_its_number() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    for kind in ["ProcessOrder", "InventoryTask"] {
        // The Go demo pauses the order of this number.
        let mut start = go_starter(&scene, "start", kind, "order-37005").await;
        assert!(start.output().await.unwrap().status.success());
        let order = until("the order to pause", async || {
            let order = follow::find(&scene.client, "order-37005").await.ok()?;
            let asked = order.query(ProcessOrder::status, ().into(), Default::default());
            let progress = asked.await.ok()?;
            (progress.status == OrderStatus::Pausing).then_some(order)
        });
        let order = order.await;
        cancel(&order).await.unwrap();
        assert!(matches!(ended(&order).await, Followed::Cancelled(_)));
    }
    let charged = |change: &String| *change == Change::Charged.to_string();
    assert!(!scene.effects("order-37005").await.iter().any(charged));
}
