//! Standing orders, on a real server with real worker processes.

mod common;

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use clap::Parser;
use common::{PATIENCE, Scene, TASK_QUEUE, ended, order, result, until};
use starter::follow;
use temporalio_client::{Client, WorkflowHandle, WorkflowStartOptions};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use workflows::{ORDER_STATUS, Standing, StandingOrder};

const NAME: &str = "weekly";

/// Runs the starter with these arguments.
async fn starter(scene: &Scene, arguments: &[&str]) -> anyhow::Result<std::process::ExitCode> {
    let address = scene.server.address();
    let to = ["--address", address.as_str()];
    let arguments = [&["starter", "standing-order"], arguments, &to[..]].concat();
    starter::run(starter::Args::try_parse_from(arguments).unwrap()).await
}

async fn create(scene: &Scene, flags: &[&str]) -> WorkflowHandle<Client, StandingOrder> {
    let create = ["create", NAME, "--every", "1s", "--quantity", "3"];
    let to = ["--task-queue", TASK_QUEUE];
    starter(scene, &[&create[..], &to, flags].concat())
        .await
        .unwrap();
    scene.client.get_workflow_handle(NAME)
}

async fn end(scene: &Scene, handle: &WorkflowHandle<Client, StandingOrder>) -> u64 {
    starter(scene, &["end", NAME]).await.unwrap();
    let result = handle.get_result(Default::default());
    let result = tokio::time::timeout(PATIENCE, result).await;
    result.expect("it should end").unwrap()
}

/// How it stands, as soon as it is as `wanted` says.
async fn until_it_stands(
    handle: &WorkflowHandle<Client, StandingOrder>,
    wanted: impl Fn(&Standing) -> bool,
) -> Standing {
    until("the standing order to get there", async || {
        let asked = handle.query(StandingOrder::standing, ().into(), Default::default());
        asked.await.ok().flatten().filter(&wanted)
    })
    .await
}

/// The orders that the ledger tells of.
async fn orders(scene: &Scene) -> BTreeSet<String> {
    let orders = scene.audit().await.orders.into_iter();
    orders.map(|order| order.order_id).collect()
}

#[tokio::test]
async fn it_outlives_kills_and_renewals_and_places_each_order_once() {
    let scene = Scene::new().await;
    let mut worker = scene.worker(&[]);
    let handle = create(&scene, &["--renew-after", "2"]).await;
    let mut runs = BTreeSet::new();
    // Workers die at whatever point they have come to, until it has renewed itself three times.
    while runs.len() < 4 {
        // The ledger is asked, because a question that a dying worker took is not answered.
        let before = orders(&scene).await.len();
        until("another order", async || {
            (orders(&scene).await.len() > before).then_some(())
        })
        .await;
        worker.kill().await;
        worker = scene.worker(&[]);
        let there = handle.describe(Default::default()).await.unwrap();
        runs.insert(there.run_id().to_owned());
    }
    let placed = end(&scene, &handle).await;
    until("all orders to be done", async || {
        (orders(&scene).await.len() as u64 == placed).then_some(())
    })
    .await;
    for order_id in orders(&scene).await {
        assert!(order_id.starts_with("weekly-20"), "{order_id}");
        let order = follow::find(&scene.client, &order_id).await.unwrap();
        result(ended(&order).await);
        let effects = scene.effects(&order_id).await;
        let charges = effects.iter().filter(|effect| *effect == "charged");
        assert_eq!(charges.count(), 1, "{order_id}: {effects:?}");
    }
    drop(worker);
}

#[tokio::test]
async fn it_is_paused_resumed_and_ended_and_its_orders_go_on() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    // Its orders outlive it: they are still waiting when it ends.
    let handle = create(&scene, &["--pause", "3s", "--renew-after", "3"]).await;
    let again = starter(&scene, &["create", NAME, "--every", "1s"]).await;
    let again = again.unwrap_err().to_string();
    assert!(again.contains("nothing was changed"), "{again}");

    until_it_stands(&handle, |standing| standing.placed >= 2).await;
    starter(&scene, &["pause", NAME]).await.unwrap();
    until_it_stands(&handle, |standing| standing.paused).await;
    // An order may have been on its way already.
    until("it to be placed", async || {
        let history = handle.fetch_history(Default::default());
        let history = history.into_events().await.unwrap();
        let count = |kind| history.iter().filter(|it| it.event_type() == kind).count();
        let asked_for = count(EventType::StartChildWorkflowExecutionInitiated);
        (asked_for == count(EventType::ChildWorkflowExecutionStarted)).then_some(())
    })
    .await;
    let paused = until_it_stands(&handle, |standing| standing.paused).await;
    // The next order is due, and is not placed.
    until("it to be due", async || {
        let due = SystemTime::UNIX_EPOCH + Duration::from_secs(paused.due.unwrap() + 1);
        (due < SystemTime::now()).then_some(())
    })
    .await;
    let still = until_it_stands(&handle, |standing| standing.paused).await;
    assert_eq!(still.placed, paused.placed);
    starter(&scene, &["resume", NAME]).await.unwrap();
    let resumed = until_it_stands(&handle, |standing| standing.placed > paused.placed).await;
    assert!(resumed.due > paused.due);
    starter(&scene, &["status", NAME]).await.unwrap();

    let placed = end(&scene, &handle).await;
    until("all orders to be done", async || {
        (orders(&scene).await.len() as u64 == placed).then_some(())
    })
    .await;
    for order_id in orders(&scene).await {
        let order = follow::find(&scene.client, &order_id).await.unwrap();
        result(ended(&order).await);
        let there = order.describe(Default::default()).await.unwrap();
        let status = there.search_attributes().get(&ORDER_STATUS);
        assert_eq!(status.as_deref(), Some("Completed"));
    }
    for command in ["pause", "resume", "end"] {
        let error = starter(&scene, &[command, NAME]).await.unwrap_err();
        assert!(error.to_string().contains("\"weekly\""), "{error}");
    }
    assert!(worker.log().contains("order started"));
}

/// One of which an order is due now, and the next in an hour.
async fn hourly(scene: &Scene, renew_after: u32) -> (Standing, String) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let standing = Standing {
        due: Some(now.unwrap().as_secs()),
        renew_after,
        ..Standing::new(order("", 3), Duration::from_secs(3_600), false)
    };
    let options = WorkflowStartOptions::new(TASK_QUEUE, NAME).build();
    let input = standing.clone().into();
    let started = scene
        .client
        .start_workflow(StandingOrder::run, input, options);
    let run_id = started.await.unwrap().run_id().unwrap().to_owned();
    (standing, run_id)
}

/// Has a run go on from an earlier point.
async fn reset(scene: &Scene, run_id: &str, point: &str) {
    let which = ["--workflow-id", NAME, "--run-id", run_id, "--type", point];
    scene.reset(&which).await;
}

#[tokio::test]
async fn it_places_no_order_again_when_it_is_reset() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let (standing, run_id) = hourly(&scene, 100).await;
    let handle = scene.client.get_workflow_handle(NAME);
    until_it_stands(&handle, |standing| standing.placed == 1).await;
    let order_id = standing.order_due(NAME).order_id;
    let order = follow::find(&scene.client, &order_id).await.unwrap();
    result(ended(&order).await);

    reset(&scene, &run_id, "FirstWorkflowTask").await;
    until_it_stands(&handle, |standing| standing.placed == 1).await;
    let newest = follow::find(&scene.client, &order_id).await.unwrap();
    assert_eq!(newest.run_id(), order.run_id());
}

/// It is paused while it places the last order of a run, which only a reset makes happen each time.
#[tokio::test]
async fn a_renewal_hands_on_how_it_stands() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let (standing, first) = hourly(&scene, 1).await;
    let handle = scene.client.get_workflow_handle(NAME);
    until_it_stands(&handle, |standing| standing.placed == 1).await;
    starter(&scene, &["pause", NAME]).await.unwrap();
    until_it_stands(&handle, |standing| standing.paused).await;

    // The server hands the pause, which came after the renewal, to the run from which it goes on.
    reset(&scene, &first, "LastWorkflowTask").await;
    until("another renewal", async || {
        let history = handle.fetch_history(Default::default());
        let history = history.into_events().await.unwrap();
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
            &history[0].attributes
        else {
            panic!("{:?}", history[0]);
        };
        let before = &started.continued_execution_run_id;
        (!before.is_empty() && *before != first).then_some(())
    })
    .await;
    let expected = Standing {
        placed: 1,
        due: standing.due.map(|due| due + standing.every_seconds),
        paused: true,
        ..standing
    };
    assert_eq!(until_it_stands(&handle, |_| true).await, expected);
}
