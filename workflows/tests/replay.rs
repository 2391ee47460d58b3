//! Histories of orders, replayed with the code as it is now: a change that would break orders under
//! way fails here, before it is rolled out.
//!
//! `histories/README.md` says where they come from.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test reads files, and one of these workflows does what none should"
)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use activities::{OrderActivities, Payment};
use common::replay;
use inventory::Placement;
use orders::Order;
use temporalio_client::WorkflowHistory;
use temporalio_common::{WorkflowDefinition, protos::temporal::api::history::v1::HistoryEvent};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    WorkflowCancellationToken, WorkflowContext, WorkflowResult,
    workflow_replayer::WorkflowReplayFailure, workflows::WorkflowImplementation,
};
use workflows::{ProcessOrder, StandingOrder, policies::activity_options};

/// The events of a history that is kept as JSON.
async fn events(json: &[u8]) -> Vec<HistoryEvent> {
    let history = WorkflowHistory::from_json(json).unwrap();
    history.into_events().await.unwrap()
}

/// Every history that is kept in this folder, with its path.
async fn histories(folder: &str) -> Vec<(PathBuf, Vec<HistoryEvent>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut found = Vec::new();
    for version in fs::read_dir(folder).unwrap() {
        let version = version.unwrap().path();
        if !version.is_dir() {
            continue;
        }
        for file in fs::read_dir(version).unwrap() {
            let path = file.unwrap().path();
            let history = events(&fs::read(&path).unwrap()).await;
            found.push((path, history));
        }
    }
    assert!(!found.is_empty());
    found
}

/// What replaying all histories of orders with this workflow comes to.
async fn replayed<W>() -> Vec<(PathBuf, Option<WorkflowReplayFailure>)>
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    replayed_from::<W>("histories").await
}

async fn replayed_from<W>(folder: &str) -> Vec<(PathBuf, Option<WorkflowReplayFailure>)>
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    let (paths, histories): (Vec<_>, Vec<_>) = histories(folder).await.into_iter().unzip();
    paths
        .into_iter()
        .zip(replay::<W>(&histories).await)
        .collect()
}

/// The result for one of the histories, by its folder and name.
fn of<'a>(
    results: &'a [(PathBuf, Option<WorkflowReplayFailure>)],
    name: &str,
) -> &'a Option<WorkflowReplayFailure> {
    let found = results.iter().find(|(path, _)| path.ends_with(name));
    &found.unwrap_or_else(|| panic!("no history {name}")).1
}

#[tokio::test]
async fn every_order_of_every_version_goes_on_with_the_code_as_it_is() {
    let results = replayed::<ProcessOrder>().await;
    let standing = replayed_from::<StandingOrder>("standing-orders").await;
    for (path, result) in results.iter().chain(&standing) {
        if let Some(error) = result {
            panic!("{}: {error}", path.display());
        }
    }
    // Both sides of each patch are among them: an order that was refused, and one that left enough in
    // stock.
    for name in [
        "before-undo/unknown-product.json",
        "with-undo/unknown-product.json",
        "with-own-inputs/enough-left.json",
        "supplier-when-low/enough-left.json",
    ] {
        assert!(of(&results, name).is_none());
    }
}

fn payment(order: Order, submission: &str) -> Payment {
    Payment {
        placement: Placement::new(order.order_id, submission),
        payment_info: order.payment_info,
    }
}

/// `ProcessOrder` as somebody might change it: it charges before it reserves.
#[workflow]
#[derive(Default)]
struct ChargesFirst;

#[workflow_methods]
impl ChargesFirst {
    #[run(name = "ProcessOrder")]
    async fn run(ctx: &mut WorkflowContext<Self>, order: Order) -> WorkflowResult<()> {
        let payment = payment(order, ctx.info().first_execution_run_id());
        let options = activity_options(&WorkflowCancellationToken::new(), None);
        ctx.execute_activity(
            OrderActivities::check_fraud,
            payment.clone(),
            options.clone(),
        )
        .await?;
        ctx.execute_activity(OrderActivities::charge, payment, options)
            .await?;
        Ok(())
    }
}

/// `ProcessOrder` as somebody might write it who does not know that it is run again: it asks the
/// machine's clock.
#[workflow]
#[derive(Default)]
struct AsksTheClock;

#[workflow_methods]
impl AsksTheClock {
    #[run(name = "ProcessOrder")]
    async fn run(ctx: &mut WorkflowContext<Self>, order: Order) -> WorkflowResult<()> {
        let placed = ctx.workflow_time().unwrap();
        let payment = payment(order, ctx.info().first_execution_run_id());
        let options = activity_options(&WorkflowCancellationToken::new(), None);
        // True when the order is placed, and not when it is replayed.
        if SystemTime::now().duration_since(placed).unwrap_or_default() < Duration::from_secs(60) {
            ctx.execute_activity(OrderActivities::check_fraud, payment, options)
                .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn code_that_asks_for_other_things_is_caught() {
    for results in [
        replayed::<ChargesFirst>().await,
        replayed::<AsksTheClock>().await,
    ] {
        for name in ["before-undo/managed.json", "with-undo/managed.json"] {
            let Some(WorkflowReplayFailure::Nondeterminism { .. }) = of(&results, name) else {
                panic!("{name}: {:?}", of(&results, name));
            };
        }
    }
}

/// Each of these histories has a patch's mark. Without it, the order is taken for one from before the
/// patch, which undid nothing, or asked the supplier every time.
#[tokio::test]
async fn the_patch_is_what_keeps_the_two_sides_apart() {
    for name in [
        "with-undo/unknown-product.json",
        "supplier-when-low/enough-left.json",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.contains("core_patch"), "{name}");
        let unmarked = without_marker(&text);
        let outcomes = replay::<ProcessOrder>(&[events(unmarked.as_bytes()).await]).await;
        assert!(
            matches!(
                outcomes[..],
                [Some(WorkflowReplayFailure::Nondeterminism { .. })]
            ),
            "{name}"
        );
    }
}

/// The history with the patch's marker made that of another patch.
fn without_marker(text: &str) -> String {
    let mut history: serde_json::Value = serde_json::from_str(text).unwrap();
    let events = history["events"].as_array_mut().unwrap();
    events.retain(|event| {
        let attributes = &event["attributes"];
        attributes.get("MarkerRecordedEventAttributes").is_none()
    });
    for (index, event) in events.iter_mut().enumerate() {
        event["event_id"] = (index + 1).into();
    }
    history.to_string()
}
