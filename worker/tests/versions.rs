//! Worker versioning: an order ends on the build that it began on, unless that build is taken back.

mod common;

use std::time::Duration;

use common::{Scene, TASK_QUEUE, WorkerProcess, ended, order, result, until};
use orders::{Item, Order};
use starter::{builds::Deployment, list};
use temporalio_client::{WorkflowDescribeOptions, WorkflowStartOptions};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::{Standing, StandingOrder};

const DEPLOYMENT: &str = "orders";

fn build(scene: &Scene, build_id: &str, flags: &[&str]) -> WorkerProcess {
    let version = ["--deployment-name", DEPLOYMENT, "--build-id", build_id];
    scene.worker(&[&version[..], flags].concat())
}

fn deployment(scene: &Scene) -> Deployment {
    Deployment::new(scene.client.clone(), DEPLOYMENT)
}

/// Each build, how many percent of the new orders go to it, and how many orders are under way on it.
async fn builds(scene: &Scene) -> Vec<(String, f32, usize)> {
    let builds = deployment(scene).builds().await.unwrap();
    let builds = builds.into_iter();
    builds.map(|it| (it.id, it.percent, it.under_way)).collect()
}

#[tokio::test]
async fn an_order_stays_on_its_build_and_new_ones_go_to_the_current() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let old = build(&scene, "1", &["--hold", &hold]);
    deployment(&scene).deploy("1", 100.0).await.unwrap();
    let first = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;

    let new = build(&scene, "2", &[]);
    deployment(&scene).deploy("2", 100.0).await.unwrap();
    let wanted = [("1".to_owned(), 0.0, 1), ("2".to_owned(), 100.0, 0)];
    until("order-1 to be listed", async || {
        (builds(&scene).await == wanted).then_some(())
    })
    .await;
    result(scene.process(&order("order-2", 10)).await);
    new.says("order ended").await;
    std::fs::remove_file(&held).unwrap();
    result(ended(&first).await);
    old.says("order ended").await;
    for (worker, own, other) in [(&old, "order-1", "order-2"), (&new, "order-2", "order-1")] {
        let log = worker.log();
        assert!(log.contains(own) && !log.contains(other), "{log}");
    }
}

/// The build's worker is killed, so nothing but the move can have continued the orders.
#[tokio::test]
async fn a_build_is_taken_back_with_all_that_is_under_way_on_it() {
    let scene = Scene::new().await;
    scene.shelves(&[("123456", 1000), ("234567", 1000)]);
    let deployment = deployment(&scene);
    let _old = build(&scene, "1", &[]);
    deployment.deploy("1", 100.0).await.unwrap();
    // A hold stops one shipment, and there are two.
    let held = [scene.path("held"), scene.path("held-too")];
    let holds = held
        .each_ref()
        .map(|file| format!("Ship:before={}", file.display()));
    let new = build(&scene, "2", &["--hold", &holds[0], "--hold", &holds[1]]);
    deployment.deploy("2", 100.0).await.unwrap();
    // Each of its items ships in a workflow of its own, which is on the build, too.
    let parts = Order {
        more_items: vec![Item::new("234567", 1)],
        ship_apart: true,
        ..order("order-1", 10)
    };
    let first = scene.place(&parts).await;
    until("both shipments", async || {
        held.iter().all(|file| file.exists()).then_some(())
    })
    .await;
    until("all three to be listed", async || {
        let query = format!("{} = '{DEPLOYMENT}:2'", list::VERSION.name());
        let count = scene.client.count_workflows(query, Default::default());
        (count.await.ok()?.count() == 3).then_some(())
    })
    .await;
    new.kill().await;

    let moved = deployment.take_back("2", "1").await.unwrap();
    assert_eq!(moved.len(), 3, "{moved:?}");
    assert!(moved.contains(&"order-1".to_owned()), "{moved:?}");
    let on_old = result(scene.process(&order("order-2", 10)).await);
    assert_eq!(on_old.outcome, workflows::OrderOutcome::Managed);
    result(ended(&first).await);
    let description = first.describe(WorkflowDescribeOptions::default()).await;
    let description = description.unwrap();
    let build = list::build(&description.search_attributes());
    assert_eq!(build.as_deref(), Some("1"));
    assert!(scene.audit().await.is_clean());
}

#[tokio::test]
async fn a_build_gets_a_share_of_the_new_orders_until_it_is_taken_back() {
    let scene = Scene::new().await;
    let deployment = deployment(&scene);
    let unknown = deployment.builds().await.unwrap_err().to_string();
    assert!(unknown.contains("start a worker with"), "{unknown}");
    let _first = build(&scene, "1", &[]);
    deployment.deploy("1", 100.0).await.unwrap();
    let _second = build(&scene, "2", &[]);
    deployment.deploy("2", 25.0).await.unwrap();
    let both = [("1".to_owned(), 75.0, 0), ("2".to_owned(), 25.0, 0)];
    assert_eq!(builds(&scene).await, both);
    let refused = deployment.deploy("1", 50.0).await.unwrap_err().to_string();
    assert!(refused.contains("gets all new orders"), "{refused}");

    let one = [("1".to_owned(), 100.0, 0), ("2".to_owned(), 0.0, 0)];
    deployment.deploy("1", 100.0).await.unwrap();
    assert_eq!(builds(&scene).await, one);

    deployment.deploy("2", 25.0).await.unwrap();
    assert!(deployment.take_back("2", "1").await.unwrap().is_empty());
    assert_eq!(builds(&scene).await, one);
    assert!(deployment.take_back("2", "2").await.is_err());
}

/// A standing order may run for years, and no build does.
#[tokio::test]
async fn a_standing_order_moves_to_the_current_build_after_its_next_order() {
    let scene = Scene::new().await;
    let old = build(&scene, "1", &[]);
    deployment(&scene).deploy("1", 100.0).await.unwrap();
    let standing = Standing::new(order("", 3), Duration::from_secs(1), true);
    let options = WorkflowStartOptions::new(TASK_QUEUE, "weekly").build();
    let client = &scene.client;
    let started = client.start_workflow(StandingOrder::run, standing.into(), options);
    let first = started.await.unwrap();
    old.says("order ended").await;

    let new = build(&scene, "2", &[]);
    deployment(&scene).deploy("2", 100.0).await.unwrap();
    new.says("StandingOrder").await;
    let ended = first.fetch_history(Default::default()).into_events().await;
    let last = ended.unwrap().pop().unwrap().event_type();
    assert_eq!(last, EventType::WorkflowExecutionContinuedAsNew);
}
