//! What people ask of orders under way, on a real server with real worker processes.

mod common;

use clap::Parser;
use common::{
    PATIENCE, Scene, TASK_QUEUE, WorkerProcess, cancel, ended, order, refused, result, status,
    until, until_status,
};
use futures::future::join_all;
use inventory::Change;
use orders::{ApprovalRule, Order};
use starter::{
    follow::{self, Followed, OrderHandle, Watch, follow},
    progress::{OrderEvent, StepState},
    submit::place_or_ask,
};
use temporalio_client::{
    UntypedSignal, UntypedUpdate, WorkflowCancelOptions, WorkflowExecuteUpdateOptions,
    WorkflowQueryOptions, WorkflowSignalOptions, errors::WorkflowUpdateError,
};
use temporalio_common::{
    data_converters::RawValue,
    protos::temporal::api::{common::v1::Payload, history::v1::history_event::Attributes},
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use workflows::{
    ORDER_STATUS, OrderOutcome, OrderStatus, ProcessOrder, requests::AddressChange,
    status::StepStatus,
};

/// An order that waits for an address, for longer than any test takes.
fn awaiting_address(order_id: &str) -> Order {
    Order {
        await_address_seconds: Some(600),
        ..order(order_id, 10)
    }
}

/// An order that waits for approval, for longer than any test takes.
fn awaiting_approval(order_id: &str) -> Order {
    Order {
        approval: Some(ApprovalRule {
            above_quantity: 5,
            within_seconds: 600,
        }),
        ..order(order_id, 10)
    }
}

async fn change_address(
    handle: &OrderHandle,
    address: &str,
) -> Result<AddressChange, WorkflowUpdateError> {
    let options = WorkflowExecuteUpdateOptions::default();
    let address = address.to_owned();
    handle
        .execute_update(ProcessOrder::change_address, address.into(), options)
        .await
}

async fn approve(handle: &OrderHandle) -> Result<(), WorkflowUpdateError> {
    let options = WorkflowExecuteUpdateOptions::default();
    handle
        .execute_update(ProcessOrder::approve, ().into(), options)
        .await
}

/// Where the order's parcels went, by the ledger.
async fn shipped_to(scene: &Scene, order_id: &str) -> Vec<Option<String>> {
    let entries = scene.entries(order_id).await.into_iter();
    entries
        .filter(|entry| entry.change == Change::Shipped)
        .map(|entry| entry.address)
        .collect()
}

#[tokio::test]
async fn an_order_tells_how_it_stands_during_the_run_and_after_it() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&["--fault-rate", "0.5", "--fault-seed", "4"]);
    let handle = scene.place(&awaiting_address("order-1")).await;
    let waiting = until_status(&handle, OrderStatus::AwaitingAddress).await;
    assert_eq!(
        (waiting.order_id.as_str(), waiting.percent),
        ("order-1", 60)
    );
    let steps: Vec<_> = waiting.steps.iter().map(|it| it.step.name()).collect();
    assert_eq!(steps, ["CheckFraud", "PrepareShipment", "Charge"]);
    let charge = &waiting.steps[2];
    assert_eq!(charge.status, StepStatus::Done);
    let entries = scene.entries("order-1").await;
    assert_eq!(charge.confirmation, entries[1].confirmation);

    change_address(&handle, "12 Main Street").await.unwrap();
    let result = result(ended(&handle).await);
    let after = status(&handle).await;
    assert_eq!((after.status, after.percent), (OrderStatus::Completed, 100));
    assert_eq!(after.address.as_deref(), Some("12 Main Street"));
    assert_eq!(after.steps.len(), 5);
    assert_eq!(
        after.steps[3].confirmation.as_ref(),
        Some(&result.shipments[0].confirmation)
    );
    let attempts: u32 = after.steps.iter().map(|step| step.attempts).sum();
    let told: i32 = common::history(&handle)
        .await
        .into_iter()
        .filter_map(|event| match event.attributes {
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => Some(started.attempt),
            _ => None,
        })
        .sum();
    assert_eq!(i64::from(attempts), i64::from(told));
    assert!(attempts > 5, "no attempt failed");
}

#[tokio::test]
async fn the_search_attribute_follows_the_order() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&awaiting_approval("order-1")).await;
    let listed = async || {
        let description = handle.describe(Default::default()).await.unwrap();
        description.search_attributes().get(&ORDER_STATUS)
    };
    until("the status to be listed", async || {
        (listed().await.as_deref() == Some("AwaitingApproval")).then_some(())
    })
    .await;
    approve(&handle).await.unwrap();
    result(ended(&handle).await);
    assert_eq!(listed().await.as_deref(), Some("Completed"));
    // The visibility store follows a little later.
    until("one order to be counted", async || {
        let query = "WorkflowType = 'ProcessOrder' AND OrderStatus = 'Completed'";
        let count = scene.client.count_workflows(query, Default::default());
        (count.await.ok()?.count() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_order_without_the_search_attribute_goes_on_without_it() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let input = r#"{"item":"123456","quantity":5,"paymentInfo":"VISA-1"}"#;
    let handle = scene.place_by_cli("order-1", Some(input)).await;
    // An order without an ID of its own takes the workflow's.
    assert_eq!(result(ended(&handle).await).order_id, "order-1");
    let description = handle.describe(Default::default()).await.unwrap();
    assert_eq!(description.search_attributes().get(&ORDER_STATUS), None);
}

#[tokio::test]
async fn an_address_is_changed_by_update_and_by_signal_until_the_order_ships() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut by_update = awaiting_address("order-1");
    by_update.address = Some("1 Old Road".to_owned());
    let by_update = scene.place(&by_update).await;
    until_status(&by_update, OrderStatus::AwaitingAddress).await;
    let wrong = refused(change_address(&by_update, "Main Street").await);
    assert!(wrong.contains("house number"), "{wrong}");
    let change = change_address(&by_update, "12 Main Street").await.unwrap();
    assert_eq!(change.before.as_deref(), Some("1 Old Road"));
    let shipped = result(ended(&by_update).await);
    assert_eq!(shipped.address.as_deref(), Some("12 Main Street"));
    assert_eq!(
        shipped_to(&scene, "order-1").await,
        [Some("12 Main Street".to_owned())]
    );
    assert!(matches!(
        change_address(&by_update, "13 Main Street").await,
        Err(WorkflowUpdateError::NotFound(_))
    ));

    let by_signal = scene.place(&awaiting_address("order-2")).await;
    until_status(&by_signal, OrderStatus::AwaitingAddress).await;
    for address in ["no number", "7 Low Road"] {
        by_signal
            .signal(
                ProcessOrder::new_address,
                address.to_owned().into(),
                WorkflowSignalOptions::default(),
            )
            .await
            .unwrap();
    }
    result(ended(&by_signal).await);
    assert_eq!(
        shipped_to(&scene, "order-2").await,
        [Some("7 Low Road".to_owned())]
    );
    let ignored = status(&by_signal).await.ignored;
    assert_eq!(ignored.len(), 1);
    assert!(ignored[0].contains("no number"), "{ignored:?}");
}

/// What an order answers to an update. A busy worker needs several attempts at a task with much text, and
/// the server takes no update meanwhile.
async fn answer<T>(
    ask: impl AsyncFn() -> Result<T, WorkflowUpdateError>,
) -> Result<T, WorkflowUpdateError> {
    until("an answer", async || {
        let answer = ask().await;
        (!matches!(answer, Err(WorkflowUpdateError::Rpc(_)))).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn nothing_that_is_sent_to_an_order_stops_it() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&awaiting_address("order-1")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    let long = format!("12 {}", "x".repeat(1_000_000));
    let json = |value: &serde_json::Value| Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: value.to_string().into_bytes(),
        ..Payload::default()
    };
    let mut signals = vec![
        vec![],
        vec![json(&7.into())],
        vec![json(&"12 Main Street".into()); 2],
        vec![Payload::default()],
    ];
    signals.extend(vec![vec![json(&long.as_str().into())]; 6]);
    for payloads in signals {
        let options = WorkflowSignalOptions::default();
        let bad = handle.signal(
            UntypedSignal::new("changeAddress"),
            RawValue::new(payloads),
            options,
        );
        bad.await.unwrap();
    }
    for update in ["approve", "changeAddress", "reject", "cancel", "unknown"] {
        let answer = answer(async || {
            let answer = handle.execute_update(
                UntypedUpdate::new(update),
                RawValue::new(vec![json(&long.as_str().into())]),
                WorkflowExecuteUpdateOptions::default(),
            );
            answer.await.map(|_| ())
        });
        let refusal = refused(answer.await);
        assert!(refusal.chars().count() < 500, "{update}: {refusal}");
    }
    let told = until("the signals to be ignored", async || {
        let options = WorkflowQueryOptions::default();
        let asked = handle.query(ProcessOrder::status, ().into(), options);
        asked.await.ok().filter(|told| told.ignored.len() == 10)
    })
    .await;
    assert!(told.ignored.iter().all(|note| note.chars().count() < 500));
    let changed = answer(async || change_address(&handle, "12 Main Street").await);
    changed.await.unwrap();
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
}

#[tokio::test]
async fn a_wait_for_an_address_ends_and_the_order_goes_on_with_the_one_it_has() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut patient = awaiting_address("order-1");
    patient.await_address_seconds = Some(1);
    patient.address = Some("1 Old Road".to_owned());
    let shipped = result(scene.process(&patient).await);
    assert_eq!(shipped.outcome, OrderOutcome::Managed);
    assert_eq!(
        shipped_to(&scene, "order-1").await,
        [Some("1 Old Road".to_owned())]
    );
}

#[tokio::test]
async fn an_address_that_is_changed_before_it_is_waited_for_is_not_waited_for() {
    let scene = Scene::new().await;
    let mut order = awaiting_address("order-1");
    order.await_address_seconds = Some(3_600);
    // Nobody has taken it up yet, and the signal waits with it.
    let handle = scene.place(&order).await;
    handle
        .signal(
            ProcessOrder::new_address,
            "12 Main Street".to_owned().into(),
            WorkflowSignalOptions::default(),
        )
        .await
        .unwrap();
    let _worker = scene.worker(&[]);
    result(ended(&handle).await);
    assert_eq!(
        shipped_to(&scene, "order-1").await,
        [Some("12 Main Street".to_owned())]
    );
}

#[tokio::test]
async fn an_order_that_asks_for_approval_waits_for_a_decision() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let approved = scene.place(&awaiting_approval("order-1")).await;
    let rejected = scene.place(&awaiting_approval("order-2")).await;
    let mut small = awaiting_approval("order-3");
    small.quantity = 5;
    assert_eq!(
        result(scene.process(&small).await).outcome,
        OrderOutcome::Managed
    );
    let mut forgotten = awaiting_approval("order-4");
    forgotten.approval = Some(ApprovalRule {
        above_quantity: 5,
        within_seconds: 1,
    });
    let forgotten = result(scene.process(&forgotten).await);
    assert_eq!(forgotten.outcome, OrderOutcome::Rejected);
    assert!(
        forgotten.message.contains("nobody decided"),
        "{forgotten:?}"
    );

    until_status(&approved, OrderStatus::AwaitingApproval).await;
    approve(&approved).await.unwrap();
    assert_eq!(
        result(ended(&approved).await).outcome,
        OrderOutcome::Managed
    );
    until_status(&rejected, OrderStatus::AwaitingApproval).await;
    let options = WorkflowExecuteUpdateOptions::default();
    rejected
        .execute_update(ProcessOrder::reject, "too many".to_owned().into(), options)
        .await
        .unwrap();
    let rejected = result(ended(&rejected).await);
    assert_eq!(rejected.outcome, OrderOutcome::Rejected);
    assert!(rejected.message.contains("too many"), "{rejected:?}");
    for nothing in ["order-2", "order-4"] {
        assert_eq!(scene.effects(nothing).await, [""; 0]);
    }
    scene.audit().await;
}

#[tokio::test]
async fn what_is_asked_at_the_wrong_time_or_twice_is_refused_and_changes_nothing() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Ship:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&awaiting_address("order-1")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    let early = refused(approve(&handle).await);
    assert!(early.contains("AwaitingAddress"), "{early}");
    change_address(&handle, "12 Main Street").await.unwrap();
    until("the courier", async || held.exists().then_some(())).await;
    let late = refused(change_address(&handle, "13 Main Street").await);
    assert!(late.contains("shipped already"), "{late}");
    std::fs::remove_file(&held).unwrap();
    result(ended(&handle).await);
    assert_eq!(
        shipped_to(&scene, "order-1").await,
        [Some("12 Main Street".to_owned())]
    );
    assert_eq!(scene.effects("order-1").await.len(), 4);

    let twice = scene.place(&awaiting_approval("order-2")).await;
    until_status(&twice, OrderStatus::AwaitingApproval).await;
    cancel(&twice).await.unwrap();
    assert!(matches!(ended(&twice).await, Followed::Cancelled(_)));
    assert!(matches!(
        cancel(&twice).await,
        Err(WorkflowUpdateError::NotFound(_))
    ));
    assert!(follow::find(&scene.client, "order-3").await.is_err());
}

#[tokio::test]
async fn a_cancelled_order_undoes_what_it_did_in_reverse() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let handle = scene.place(&awaiting_address("order-1")).await;
    until_status(&handle, OrderStatus::AwaitingAddress).await;
    assert_eq!(scene.stock().await, 990);
    cancel(&handle).await.unwrap();
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "refunded", "released"]
    );
    assert_eq!(scene.stock().await, 1_000);
    assert_eq!(status(&handle).await.status, OrderStatus::Cancelled);
    // What was undone may be placed again.
    let again = result(scene.process(&order("order-1", 10)).await);
    assert_eq!(again.outcome, OrderOutcome::Managed);
    scene.audit().await;
}

#[tokio::test]
async fn temporals_own_cancellation_undoes_too_and_comes_too_late_in_the_same_way() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("SupplierOrder:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let early = scene.place(&awaiting_address("order-1")).await;
    until_status(&early, OrderStatus::AwaitingAddress).await;
    let options = WorkflowCancelOptions::default();
    early.cancel(options.clone()).await.unwrap();
    assert!(matches!(ended(&early).await, Followed::Cancelled(_)));
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "refunded", "released"]
    );
    let late = scene.place(&order("order-2", 10)).await;
    until("the supplier", async || held.exists().then_some(())).await;
    // The supplier's step is being tried again when the cancellation comes.
    let file = std::fs::read(scene.database()).unwrap();
    std::fs::write(scene.database(), "{").unwrap();
    std::fs::remove_file(&held).unwrap();
    until("an attempt to fail", async || {
        let pending = common::pending(&late).await;
        let failed = pending.iter().any(|it| it.last_failure.is_some());
        failed.then_some(())
    })
    .await;
    late.cancel(options).await.unwrap();
    let too_late = refused(cancel(&late).await);
    assert!(too_late.contains("shipped"), "{too_late}");
    std::fs::write(scene.database(), file).unwrap();
    assert_eq!(result(ended(&late).await).outcome, OrderOutcome::Managed);
    assert_eq!(
        scene.effects("order-2").await,
        ["reserved", "charged", "shipped", "restocked"]
    );
    scene.audit().await;
}

#[tokio::test]
async fn a_cancelled_order_waits_for_the_step_under_way_and_undoes_it() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    cancel(&handle).await.unwrap();
    // Nobody can tell whether it will be made yet, so nothing is undone yet.
    assert_eq!(status(&handle).await.status, OrderStatus::Charging);
    assert_eq!(scene.effects("order-1").await, ["reserved"]);
    std::fs::remove_file(&held).unwrap();
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "closed", "refunded", "released"]
    );
}

#[tokio::test]
async fn a_cancelled_order_does_not_wait_for_a_service_that_is_down() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("PrepareShipment:before={}", held.display());
    let _worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 10)).await;
    until("the reservation", async || held.exists().then_some(())).await;
    std::fs::write(scene.database(), "{").unwrap();
    std::fs::remove_file(&held).unwrap();
    until("an attempt to fail", async || {
        let pending = common::pending(&handle).await;
        pending
            .iter()
            .any(|it| it.last_failure.is_some())
            .then_some(())
    })
    .await;
    cancel(&handle).await.unwrap();
    until_status(&handle, OrderStatus::Undoing).await;
    std::fs::remove_file(scene.database()).unwrap();
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    assert_eq!(scene.effects("order-1").await, ["closed"]);
}

/// Hears why steps are tried again.
struct Retries(UnboundedSender<String>);

impl Watch for Retries {
    fn event(&mut self, event: &OrderEvent) {
        if let OrderEvent::Step(step) = event
            && let StepState::Retrying { error } = &step.state
        {
            let _ = self.0.send(format!("{}: {error}", step.step));
        }
    }

    fn say(&mut self, _: &str) {}
}

#[tokio::test]
async fn a_cancelled_order_is_undone_by_a_worker_with_its_inventory_and_says_that_it_waits_for_one()
{
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let worker = scene.worker(&["--hold", &hold]);
    let handle = scene.place(&order("order-1", 100)).await;
    until("the charge", async || held.exists().then_some(())).await;
    worker.kill().await;
    let elsewhere = scene.path("elsewhere/inventory.json");
    let log = scene.path("elsewhere.log");
    let _other = WorkerProcess::start(&scene.server.address(), &elsewhere, &[], log);

    let (tell, mut told) = unbounded_channel();
    let mut watch = Retries(tell);
    let mut waits_for = async |step: &str| {
        let reason = format!("{step}: order-1 belongs to the inventory of ");
        while !told.recv().await.unwrap().starts_with(&reason) {}
    };
    let play = async {
        waits_for("Charge").await;
        cancel(&handle).await.unwrap();
        waits_for("Refund").await;
        assert_eq!(scene.effects("order-1").await, ["reserved"]);
        scene.worker(&[])
    };
    let (followed, _worker) = tokio::time::timeout(PATIENCE, async {
        tokio::join!(follow(&handle, &mut watch), play)
    })
    .await
    .expect("the order should be undone");
    assert!(matches!(followed.unwrap(), Followed::Cancelled(_)));
    let undone = ["reserved", "closed", "released"];
    assert_eq!(scene.effects("order-1").await, undone);
}

#[tokio::test]
async fn a_declined_payment_is_not_retried_and_all_is_undone() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut declined = order("order-1", 10);
    declined.payment_info = activities::services::DECLINED.to_owned();
    let handle = scene.place(&declined).await;
    let reason = common::reason(ended(&handle).await);
    assert!(reason.contains("declined"), "{reason}");
    let effects = scene.effects("order-1").await;
    // There was no charge to give back, and there can be none any more.
    assert_eq!(effects, ["reserved", "closed", "released"]);
    assert_eq!(scene.stock().await, 1_000);
    let told = status(&handle).await;
    assert_eq!(told.status, OrderStatus::Failed);
    let charges = told
        .steps
        .iter()
        .filter(|step| step.step == activities::Activity::Charge);
    assert_eq!(charges.count(), 1);
}

#[tokio::test]
async fn a_payment_service_that_is_down_is_tried_until_it_is_back() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut down = order("order-1", 10);
    down.payment_info = activities::services::OUTAGE.to_owned();
    let handle = scene.place(&down).await;
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    let told = status(&handle).await;
    let charge = told
        .steps
        .iter()
        .find(|step| step.step == activities::Activity::Charge);
    assert_eq!(
        charge.unwrap().attempts,
        activities::services::BACK_AT_ATTEMPT
    );
    assert_eq!(scene.effects("order-1").await.len(), 4);
}

#[tokio::test]
async fn an_order_is_placed_or_tells_how_it_stands() {
    let scene = Scene::new().await;
    let order = awaiting_address("order-1");
    let place_or_ask = async || {
        let asked = place_or_ask(&scene.client, TASK_QUEUE, &order).await;
        let (handle, progress) = asked.unwrap();
        (handle.run_id().unwrap().to_owned(), handle, progress.status)
    };
    // It is placed although there is no worker yet, and once although several place it.
    let (placed, _worker) = tokio::join!(
        join_all([place_or_ask(), place_or_ask(), place_or_ask()]),
        async {
            until("the order to be placed", async || {
                follow::find(&scene.client, "order-1").await.ok()
            })
            .await;
            scene.worker(&[])
        }
    );
    let (run, handle, _) = &placed[0];
    assert!(placed.iter().all(|(other, ..)| other == run));
    assert!(
        placed
            .iter()
            .any(|(.., status)| *status == OrderStatus::Received)
    );

    until_status(handle, OrderStatus::AwaitingAddress).await;
    let (again, _, status) = place_or_ask().await;
    assert_eq!((&again, status), (run, OrderStatus::AwaitingAddress));
    let changed = handle.execute_update(
        ProcessOrder::change_address,
        "12 Main Street".to_owned().into(),
        WorkflowExecuteUpdateOptions::default(),
    );
    changed.await.unwrap();
    ended(handle).await;
    let (again, _, status) = place_or_ask().await;
    assert_eq!((&again, status), (run, OrderStatus::Completed));
    // By the command line, too: an order that is placed twice would be a duplicate by now.
    let address = scene.server.address();
    let words = ["starter", "1", "123456", "10", "VISA-123456", "--or-status"];
    let to = ["--address", &address, "--task-queue", TASK_QUEUE];
    let args = starter::Args::try_parse_from([&words[..], &to].concat()).unwrap();
    starter::run(args).await.unwrap();
    let newest = follow::find(&scene.client, "order-1").await.unwrap();
    assert_eq!(newest.run_id(), Some(run.as_str()));
}
