//! What an order says of itself while it waits, and at its end.

mod common;

use std::time::{Duration, SystemTime};

use common::{Scene, cancel, ended, order, until_status};
use orders::{ApprovalRule, Order};
use servers::{CliSearch, project_dir};
use starter::follow::{Followed, OrderHandle};
use workflows::OrderStatus;

/// What the Web UI shows as the workflow's current details.
async fn current_details(scene: &Scene, handle: &OrderHandle) -> String {
    let cli = CliSearch::from_env(&project_dir());
    let cli = cli.find_or_fetch(|_| ()).await.unwrap();
    let output = tokio::process::Command::new(cli)
        .args(["workflow", "metadata", "--output", "json"])
        .args(["--address", &scene.server.address()])
        .args(["--workflow-id", &handle.info().workflow_id])
        .output()
        .await
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let details = metadata["queryResult"][0]["currentDetails"].as_str();
    details.unwrap_or_else(|| panic!("{metadata}")).to_owned()
}

#[tokio::test]
async fn an_order_says_what_it_waits_for_until_when_and_why_it_was_cancelled() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let approval = ApprovalRule {
        above_quantity: 5,
        within_seconds: 60,
    };
    let placed_at = SystemTime::now();
    let handle = scene
        .place(&Order {
            approval: Some(approval),
            ..order("order-1", 10)
        })
        .await;
    let progress = until_status(&handle, OrderStatus::AwaitingApproval).await;
    let waiting = progress.waiting.unwrap();
    assert_eq!(waiting.what, "waiting for approval");
    let minute = Duration::from_secs(60);
    assert!(waiting.until >= placed_at + minute, "{waiting}");
    assert!(waiting.until <= SystemTime::now() + minute, "{waiting}");
    assert_eq!(
        current_details(&scene, &handle).await,
        format!("AwaitingApproval, {waiting}")
    );

    cancel(&handle).await.unwrap();
    let Followed::Cancelled(Some(reason)) = ended(&handle).await else {
        panic!("no reason");
    };
    let progress = until_status(&handle, OrderStatus::Cancelled).await;
    assert_eq!(progress.reason.as_ref(), Some(&reason));
    assert_eq!(progress.waiting, None);
    assert_eq!(
        current_details(&scene, &handle).await,
        format!("Cancelled: {reason}")
    );
}
