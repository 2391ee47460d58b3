//! A worker is killed with SIGKILL at each point where it hurts, on a real server; another one
//! takes over, and everything has happened exactly once.

mod common;

use std::time::{Duration, Instant, SystemTime};

use activities::Activity;
use common::{Scene, WorkerProcess, cancel, ended, history, order, pending, result, status, until};
use inventory::{Inventory, Standing};
use nix::sys::signal::Signal;
use orders::{Item, Order};
use starter::follow::{Followed, OrderHandle};
use temporalio_client::WorkflowSignalOptions;
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{HistoryEvent, history_event::Attributes},
};
use workflows::{OrderOutcome, OrderStatus, ProcessOrder, policies::HEARTBEAT_TIMEOUT};

/// With the SDK's defaults an order stands still for more than 10 seconds. The figures that are
/// aimed at, 2 and 5 seconds, are measured by the chaos demo; a busy machine may miss them here.
const STANDSTILL: Duration = Duration::from_secs(9);

const EFFECTS: [&str; 4] = ["reserved", "charged", "shipped", "restocked"];

/// The order is done, everything has happened once, and it all adds up.
async fn exactly_once(scene: &Scene, handle: &OrderHandle) {
    let result = result(ended(handle).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects(&result.order_id).await, EFFECTS);
    assert_eq!(scene.stock().await, 10_000);
    scene.audit().await;
}

/// Kills a worker at a point of an activity, and has another one take over.
async fn killed_at(activity: Activity, point: &str) {
    killed_in(order("order-1", 999), activity, point).await;
}

async fn killed_in(order: Order, activity: Activity, point: &str) {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("{}:{point}={}", activity.name(), held.display());
    let worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order).await;
    until("the point", async || held.exists().then_some(())).await;
    worker.kill().await;

    let position = Activity::ALL
        .iter()
        .position(|one| *one == activity)
        .unwrap();
    let done_before = position.saturating_sub(1) + usize::from(point == "after" && position > 0);
    assert_eq!(scene.effects("order-1").await, EFFECTS[..done_before]);

    let worker = scene.worker(&[]);
    worker.says("worker ready").await;
    let ready = Instant::now();
    exactly_once(&scene, &handle).await;
    assert!(
        ready.elapsed() < STANDSTILL,
        "stood still for {:?}",
        ready.elapsed()
    );

    // What was done and not reported was found by the next attempt, and says so.
    let expected: &[Activity] = if point == "after" && position > 0 {
        &[activity]
    } else {
        &[]
    };
    let told = status(&handle).await;
    let found = told.steps.iter().filter(|it| it.found);
    let found: Vec<_> = found.map(|it| it.step).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn killed_before_and_after_the_fraud_check() {
    killed_at(Activity::CheckFraud, "before").await;
    killed_at(Activity::CheckFraud, "after").await;
}

#[tokio::test]
async fn killed_in_a_fraud_check_within_the_workflows_task() {
    for point in ["before", "after"] {
        let checked_locally = Order {
            local_check: true,
            ..order("order-1", 999)
        };
        killed_in(checked_locally, Activity::CheckFraud, point).await;
    }
}

#[tokio::test]
async fn killed_before_and_after_the_stock_is_reserved() {
    killed_at(Activity::PrepareShipment, "before").await;
    killed_at(Activity::PrepareShipment, "after").await;
}

#[tokio::test]
async fn killed_before_and_after_the_charge() {
    killed_at(Activity::Charge, "before").await;
    killed_at(Activity::Charge, "after").await;
}

#[tokio::test]
async fn killed_before_and_after_the_shipment() {
    killed_at(Activity::Ship, "before").await;
    killed_at(Activity::Ship, "after").await;
}

#[tokio::test]
async fn killed_before_and_after_the_suppliers_delivery() {
    killed_at(Activity::SupplierOrder, "before").await;
    killed_at(Activity::SupplierOrder, "after").await;
}

/// Waits until the order is in its pause.
async fn in_its_pause(handle: &OrderHandle) {
    until("the pause", async || {
        let events = history(handle).await;
        let mut types = events.iter().map(HistoryEvent::event_type);
        types.any(|it| it == EventType::TimerStarted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn killed_in_the_pause() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let mut order = order("order-1", 999);
    order.pause_seconds = Some(3);
    let handle = scene.place(&order).await;
    in_its_pause(&handle).await;
    worker.kill().await;
    // The pause ends while nobody is there.
    until("the end of the pause", async || {
        let events = history(&handle).await;
        events
            .iter()
            .any(|event| event.event_type() == EventType::TimerFired)
            .then_some(())
    })
    .await;
    let worker = scene.worker(&[]);
    worker.says("worker ready").await;
    let ready = Instant::now();
    exactly_once(&scene, &handle).await;
    assert!(
        ready.elapsed() < STANDSTILL,
        "stood still for {:?}",
        ready.elapsed()
    );
}

/// Kills a worker at a point of the undoing, and has another one take over.
async fn killed_while_undoing(activity: Activity, point: &str) {
    let scene = Scene::new().await;
    scene.shelves(&[("123456", 6_000), ("234567", 6_000)]);
    let held = scene.path("held");
    let hold = format!("{}:{point}={}", activity.name(), held.display());
    let courier = scene.path("courier");
    let hold_courier = format!("Ship:before={}", courier.display());
    let worker = scene.worker(&["--hold", &hold, "--hold", &hold_courier]);
    let mut parts = order("order-1", 10);
    parts.more_items = vec![Item::new("234567", 20)];
    let handle = scene.place(&parts).await;
    until("one part to ship", async || {
        let shipped = scene
            .effects("order-1")
            .await
            .contains(&"shipped".to_owned());
        (courier.exists() && shipped).then_some(())
    })
    .await;
    cancel(&handle).await.unwrap();
    std::fs::remove_file(&courier).unwrap();
    until("the point", async || held.exists().then_some(())).await;
    worker.kill().await;

    let _worker = scene.worker(&[]);
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    let effects = scene.effects("order-1").await;
    let count = |effect: &str| effects.iter().filter(|it| *it == effect).count();
    assert_eq!(count("recalled"), count("shipped"), "{effects:?}");
    assert_eq!((count("refunded"), count("released")), (1, 2));
    let undone = effects.iter().position(|it| it == "recalled").unwrap();
    assert!(
        effects[undone..].is_sorted_by_key(|it| match it.as_str() {
            "recalled" => 0,
            "refunded" => 1,
            _ => 2,
        }),
        "{effects:?}"
    );
    assert_eq!(scene.stock().await, 6_000);
    scene.audit().await;
}

#[tokio::test]
async fn killed_before_and_after_the_recall() {
    killed_while_undoing(Activity::Recall, "before").await;
    killed_while_undoing(Activity::Recall, "after").await;
}

#[tokio::test]
async fn killed_before_and_after_the_refund() {
    killed_while_undoing(Activity::Refund, "before").await;
    killed_while_undoing(Activity::Refund, "after").await;
}

#[tokio::test]
async fn killed_before_and_after_the_release() {
    killed_while_undoing(Activity::Release, "before").await;
    killed_while_undoing(Activity::Release, "after").await;
}

/// The charge is made, nobody knows of it, and the order is to be cancelled.
#[tokio::test]
async fn killed_after_a_step_whose_report_is_lost_while_the_order_is_cancelled() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:after={}", held.display());
    let worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 999)).await;
    until("the point", async || held.exists().then_some(())).await;
    cancel(&handle).await.unwrap();
    worker.kill().await;
    let _worker = scene.worker(&[]);
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "refunded", "released"]
    );
    scene.audit().await;
}

#[tokio::test]
async fn killed_while_a_person_is_waited_for() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let mut waiting = order("order-1", 999);
    waiting.await_address_seconds = Some(3_600);
    let handle = scene.place(&waiting).await;
    common::until_status(&handle, OrderStatus::AwaitingAddress).await;
    worker.kill().await;
    // The message waits on the server for a worker.
    let told = handle.signal(
        ProcessOrder::new_address,
        "12 Main Street".to_owned().into(),
        WorkflowSignalOptions::default(),
    );
    told.await.unwrap();
    let _worker = scene.worker(&[]);
    exactly_once(&scene, &handle).await;
    let shipped = &scene.entries("order-1").await[2];
    assert_eq!(shipped.address.as_deref(), Some("12 Main Street"));
}

#[tokio::test]
async fn a_slow_step_that_lives_is_not_started_a_second_time() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let _slow = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 999)).await;
    until("the charge", async || held.exists().then_some(())).await;
    // Another worker is there to start it again, and the time to do so passes twice.
    let _other = scene.worker(&[]);
    until("heartbeats", async || {
        let activity = pending(&handle).await.into_iter().next()?;
        let started = SystemTime::try_from(activity.last_started_time?).ok()?;
        let beat = SystemTime::try_from(activity.last_heartbeat_time?).ok()?;
        (beat.duration_since(started).ok()? > 2 * HEARTBEAT_TIMEOUT).then_some(())
    })
    .await;
    std::fs::remove_file(&held).unwrap();
    exactly_once(&scene, &handle).await;
    assert_eq!(repeated(&handle).await, [""; 0]);
}

/// Why steps took more than one attempt: the failure before the last one, of each of them.
async fn repeated(handle: &OrderHandle) -> Vec<String> {
    let events = history(handle).await.into_iter();
    let started = events.filter_map(|event| match event.attributes {
        Some(Attributes::ActivityTaskStartedEventAttributes(started)) => Some(started),
        _ => None,
    });
    let again = started.filter(|it| it.attempt > 1);
    again.map(|it| format!("{:?}", it.last_failure)).collect()
}

#[tokio::test]
async fn a_deploy_costs_orders_under_way_nothing() {
    let scene = Scene::new().await;
    let mut old = scene.worker(&[]);
    old.says("worker ready").await;
    let mut handles = Vec::new();
    for number in 1..=30 {
        handles.push(scene.place(&order(&format!("order-{number}"), 10)).await);
        if number == 10 {
            old.signal(Signal::SIGTERM);
        }
        if number == 15 {
            assert!(old.ended().await.success(), "{}", old.log());
        }
    }
    let _new = scene.worker(&[]);
    for handle in &handles {
        assert_eq!(result(ended(handle).await).outcome, OrderOutcome::Managed);
        assert_eq!(repeated(handle).await, [""; 0]);
    }
    scene.audit().await;
}

#[tokio::test]
async fn orders_outlive_a_killed_server() {
    let mut scene = Scene::on_disk().await;
    let held = scene.path("held");
    let hold = format!("Charge:after={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let mut pausing = order("order-2", 1);
    pausing.pause_seconds = Some(3);
    let in_a_step = scene.place(&order("order-1", 999)).await;
    until("the charge", async || held.exists().then_some(())).await;
    let in_a_pause = scene.place(&pausing).await;
    in_its_pause(&in_a_pause).await;

    scene.server.kill().await.unwrap();
    std::fs::remove_file(&held).unwrap();
    scene.server.restart().await.unwrap();
    for handle in [in_a_step, in_a_pause] {
        let result = result(ended(&handle).await);
        assert_eq!(result.outcome, OrderOutcome::Managed);
        let effects = scene.effects(&result.order_id).await;
        for once in ["reserved", "charged", "shipped"] {
            assert_eq!(effects.iter().filter(|effect| *effect == once).count(), 1);
        }
    }
    scene.audit().await;
}

#[tokio::test]
async fn an_order_that_failed_and_left_nothing_behind_may_be_placed_again() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut refused = order("order-1", 999);
    refused.payment_info = "STOLEN-CARD".to_owned();
    common::reason(scene.process(&refused).await);
    let handle = scene.place(&order("order-1", 999)).await;
    exactly_once(&scene, &handle).await;
}

#[tokio::test]
async fn an_order_that_is_reset_is_not_charged_again() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let first = scene.place(&order("order-1", 999)).await;
    exactly_once(&scene, &first).await;
    let again = reset(&scene, "order-1").await;
    assert_ne!(again.run_id(), first.run_id());
    exactly_once(&scene, &again).await;
}

/// Has an order run again from its beginning, without the messages that it was sent.
async fn reset(scene: &Scene, order_id: &str) -> OrderHandle {
    let which = ["--workflow-id", order_id, "--type", "FirstWorkflowTask"];
    let afresh = ["--reapply-exclude", "All"];
    scene.reset(&[&which[..], &afresh].concat()).await;
    starter::follow::find(&scene.client, order_id)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_order_that_was_undone_and_is_reset_is_refused() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut waiting = order("order-1", 999);
    waiting.await_address_seconds = Some(3_600);
    let first = scene.place(&waiting).await;
    common::until_status(&first, OrderStatus::AwaitingAddress).await;
    cancel(&first).await.unwrap();
    assert!(matches!(ended(&first).await, Followed::Cancelled(_)));
    let undone = ["reserved", "charged", "refunded", "released"];
    assert_eq!(scene.effects("order-1").await, undone);

    let again = reset(&scene, "order-1").await;
    let reason = common::reason(ended(&again).await);
    assert!(reason.contains("has been undone"), "{reason}");
    assert_eq!(scene.effects("order-1").await, undone);
    scene.audit().await;
}

/// The worker stands still before the charge, so the server gives the attempt up, and another worker
/// undoes the order. Then the first one goes on where it stood.
#[tokio::test]
async fn a_charge_that_hangs_until_the_order_is_undone_takes_no_money() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hangs = scene.worker(&["--hold", &format!("Charge:before={}", held.display())]);
    let handle = scene.place(&order("order-1", 999)).await;
    until("the charge", async || held.exists().then_some(())).await;
    // The order is to be cancelled before the attempt is given up, so that it is not tried again.
    cancel(&handle).await.unwrap();
    hangs.signal(Signal::SIGSTOP);
    let _other = scene.worker(&[]);
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    let undone = ["reserved", "closed", "released"];
    assert_eq!(scene.effects("order-1").await, undone);

    std::fs::remove_file(&held).unwrap();
    hangs.signal(Signal::SIGCONT);
    hangs.says("order-1 cannot be charged").await;
    assert_eq!(scene.effects("order-1").await, undone);
    scene.audit().await;
}

/// Two workers of one task queue were started in different folders.
#[tokio::test]
async fn an_order_ends_in_the_inventory_in_which_it_began() {
    let scene = Scene::new().await;
    let elsewhere = scene.path("elsewhere/inventory.json");
    // Each step is for whichever worker comes first.
    let flags = ["--eager-activities", "0"];
    let workers = [
        scene.worker(&flags),
        WorkerProcess::start(
            &scene.server.address(),
            &elsewhere,
            &flags,
            scene.path("elsewhere.log"),
        ),
    ];
    for worker in &workers {
        worker.says("worker ready").await;
    }
    let order_ids: Vec<_> = (1..=12).map(|number| format!("order-{number}")).collect();
    let mut handles = Vec::new();
    for order_id in &order_ids {
        handles.push(scene.place(&order(order_id, 1)).await);
    }
    for handle in &handles {
        assert_eq!(result(ended(handle).await).outcome, OrderOutcome::Managed);
    }
    let elsewhere = Inventory::at(&elsewhere.into(), SystemTime::now).unwrap();
    let both = [scene.audit().await, elsewhere.audit().await.unwrap()];
    let mut completed = Vec::new();
    for audit in &both {
        assert!(audit.is_clean(), "{:?}", audit.findings);
        assert_eq!(audit.count(Standing::Completed), audit.orders.len());
        completed.extend(audit.orders.iter().map(|order| &order.order_id));
    }
    completed.sort();
    let mut all: Vec<_> = order_ids.iter().collect();
    all.sort();
    assert_eq!(completed, all, "each order is in one inventory");
    let told = |worker: &WorkerProcess| worker.log().contains("belongs to the inventory of");
    assert!(workers.iter().any(told), "no worker left a step alone");
}

#[tokio::test]
async fn a_cancellation_that_comes_with_the_end_of_the_pause_is_carried_out_at_once() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let mut pausing = order("order-1", 999);
    pausing.pause_seconds = Some(5);
    let (handle, _worker) = common::cancelled_as_its_pause_ends(&scene, worker, &pausing).await;
    let events = history(&handle).await;
    let failed = |event: &&HistoryEvent| event.event_type() == EventType::WorkflowTaskFailed;
    assert_eq!(events.iter().find(failed), None);
    assert_eq!(scene.effects("order-1").await, [""; 0]);
}
