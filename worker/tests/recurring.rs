//! Recurring orders, on a real server with a real worker process.

mod common;

use std::collections::BTreeSet;

use clap::Parser;
use common::{Scene, TASK_QUEUE, until};
use futures::TryStreamExt;
use workflows::ORDER_STATUS;

/// Runs the starter with these arguments.
async fn starter(scene: &Scene, arguments: &[&str]) -> anyhow::Result<std::process::ExitCode> {
    let address = scene.server.address();
    let to = ["--address", address.as_str()];
    let arguments = [&["starter", "schedule"], arguments, &to[..]].concat();
    starter::run(starter::Args::try_parse_from(arguments).unwrap()).await
}

/// The orders that the ledger tells of.
async fn orders(scene: &Scene) -> BTreeSet<String> {
    let orders = scene.audit().await.orders.into_iter();
    orders.map(|order| order.order_id).collect()
}

#[tokio::test]
async fn a_recurring_order_is_made_paused_resumed_and_deleted() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    worker.says("worker ready").await;
    let create = ["create", "weekly", "--every", "1s", "--quantity", "3"];
    let create = [&create[..], &["--task-queue", TASK_QUEUE]].concat();
    starter(&scene, &create).await.unwrap();
    let again = starter(&scene, &create).await.unwrap_err();
    assert!(again.to_string().contains("weekly"), "{again}");
    assert!(again.to_string().contains("nothing was changed"), "{again}");

    // Each is an order of its own, named after the recurring one.
    until("two orders", async || {
        (orders(&scene).await.len() >= 2).then_some(())
    })
    .await;
    assert!(
        orders(&scene)
            .await
            .iter()
            .all(|id| id.starts_with("weekly-"))
    );
    let first = orders(&scene).await.into_iter().next().unwrap();
    let handle = starter::follow::find(&scene.client, &first).await.unwrap();
    common::result(common::ended(&handle).await);
    let description = handle.describe(Default::default()).await.unwrap();
    let listed = description.search_attributes().get(&ORDER_STATUS);
    assert_eq!(listed.as_deref(), Some("Completed"));

    let schedule = scene.client.get_schedule_handle("weekly");
    let paused = async || {
        schedule
            .describe(Default::default())
            .await
            .unwrap()
            .paused()
    };
    assert!(!paused().await);
    // A second time changes nothing, and is no error.
    for _ in 0..2 {
        starter(&scene, &["pause", "weekly"]).await.unwrap();
        assert!(paused().await);
    }
    starter(&scene, &["list"]).await.unwrap();
    starter(&scene, &["resume", "weekly"]).await.unwrap();
    assert!(!paused().await);
    let before = orders(&scene).await.len();
    until("another order", async || {
        (orders(&scene).await.len() > before).then_some(())
    })
    .await;

    starter(&scene, &["delete", "weekly"]).await.unwrap();
    until("the schedule to be gone", async || {
        let all = scene.client.list_schedules(Default::default());
        let all: Vec<_> = all.try_collect().await.ok()?;
        all.is_empty().then_some(())
    })
    .await;
    assert!(orders(&scene).await.len() > 2);
}

#[tokio::test]
async fn a_recurring_order_that_is_not_there_is_named() {
    let scene = Scene::new().await;
    for command in ["pause", "resume", "delete"] {
        let error = starter(&scene, &[command, "weekly"]).await.unwrap_err();
        assert!(error.to_string().contains("\"weekly\""), "{error}");
        assert!(error.to_string().contains("schedule list"), "{error}");
    }
}
