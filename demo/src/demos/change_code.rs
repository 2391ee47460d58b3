//! Changing the workflow's code: histories of orders say whether orders under way go on with it.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use activities::{Activity, OrderActivities, Payment, Reserving};
use anyhow::{Context, bail, ensure};
use inventory::Placement;
use orders::Order;
use servers::project_dir;
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult,
    workflow_replayer::{
        WorkflowReplayFailure, WorkflowReplayResult, WorkflowReplayer, WorkflowReplayerOptions,
    },
};
use workflows::{ORDER_STATUS, OrderInput, OrderStatus, ProcessOrder, policies};

use crate::voice::Voice;

/// The folder of the histories, relative to the project's folder: a folder for each version.
const HISTORIES: &str = "workflows/tests/histories";

/// The history of an order that failed before orders were undone.
const BEFORE_UNDO: &str = "before-undo/unknown-product.json";

/// Plays it. Replaying needs no server and no worker.
pub async fn play(voice: &Voice) -> anyhow::Result<()> {
    voice.title("change-code", "new code for orders that old code began");
    let kept = kept(&project_dir().join(HISTORIES))?;

    voice
        .scene("Replay the histories of orders that earlier versions ran, with today's code.")
        .await;
    let today = WorkflowReplayerOptions::new().register_workflow::<ProcessOrder>()?;
    let replayer = WorkflowReplayer::new(today.build())?;
    let mut before_undo = false;
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    let results = voice
        .during("replaying", replayed(&replayer, &kept))
        .await?;
    for (name, result) in results {
        if let Some(failure) = result.replay_failure {
            let why = failure.to_string();
            bail!(
                "{name} does not go on with the code as it is: {}",
                place(&why)
            );
        }
        let version = name.split('/').next().unwrap_or_default();
        *versions.entry(version.to_owned()).or_default() += 1;
        before_undo |=
            name == BEFORE_UNDO && !asked_for(result.history.events(), Activity::Release);
    }
    ensure!(
        before_undo,
        "{BEFORE_UNDO} is gone, or is no order that failed and was not undone"
    );
    for (version, orders) in versions {
        voice.checked(&format!(
            "{orders} orders in the folder {version} go on with today's code."
        ));
    }
    voice.say(&format!(
        "The order in {BEFORE_UNDO} failed when the code could not undo orders yet. Today's code would \
         release its stock, so a patch tells old orders from new ones: see workflows/src/patches.rs."
    ));

    voice
        .scene("Replay them with a careless change: the order is charged before it is reserved.")
        .await;
    let careless = WorkflowReplayerOptions::new().register_workflow::<ChargesFirst>()?;
    let replayer = WorkflowReplayer::new(careless.build())?;
    let mut stuck = Vec::new();
    let results = voice
        .during("replaying", replayed(&replayer, &kept))
        .await?;
    for (name, result) in results {
        let reserved = asked_for(result.history.events(), Activity::PrepareShipment);
        match result.replay_failure {
            None if reserved => bail!("{name} went on with code that asks for other things"),
            None => {}
            Some(WorkflowReplayFailure::Nondeterminism { message }) => {
                stuck.push((name, place(&message).to_owned()));
            }
            Some(other) => bail!("{name}: {other}"),
        }
    }
    // Some stop where a message came at another time. Where a step is out of place, it is plain why.
    let misplaced =
        |(_, place): &&(String, String)| place.contains(Activity::PrepareShipment.name());
    let found = stuck.iter().find(misplaced);
    let (name, place) = found.context("no history was affected")?;
    voice.quote(&format!("STOP: {name}: {place}"));
    voice.checked(&format!(
        "{} of {} orders do not go on with this change, and {} are not affected.",
        stuck.len(),
        kept.len(),
        kept.len() - stuck.len()
    ));
    voice.shown(&format!(
        "{} of {} orders would have been stuck; the replay says where before the release.",
        stuck.len(),
        kept.len()
    ));
    Ok(())
}

/// The histories that are kept, by version and name.
fn kept(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for version in entries(folder)? {
        if !version.is_dir() {
            continue;
        }
        for file in entries(&version)? {
            let name = file.strip_prefix(folder)?.display().to_string();
            found.push((name, file));
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?;
    entries
        .map(|entry| Ok(entry.with_context(unreadable)?.path()))
        .collect()
}

/// Replays the histories, in their order.
async fn replayed(
    replayer: &WorkflowReplayer,
    kept: &[(String, PathBuf)],
) -> anyhow::Result<Vec<(String, WorkflowReplayResult)>> {
    let mut histories = Vec::new();
    // The SDK's replayer can lose the outcome of the last history that it is given, and calls it a success
    // then. So the last one is given twice, and its first outcome counts.
    for (name, file) in kept.iter().chain(kept.last()) {
        let json = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let history = WorkflowHistory::from_json(&json)
            .with_context(|| format!("{name} is not the history of an order"))?;
        histories.push(history);
    }
    let results = replayer.replay_workflows(histories).await?;
    let names = kept.iter().map(|(name, _)| name.clone());
    Ok(names.zip(results).collect())
}

fn asked_for(events: &[HistoryEvent], activity: Activity) -> bool {
    events.iter().any(|event| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled
            .activity_type
            .as_ref()
            .is_some_and(|kind| kind.name == activity.name()),
        _ => false,
    })
}

/// The place where code and history part, out of all that the SDK says of it.
fn place(message: &str) -> &str {
    let place = message.split_once("Nondeterminism error: ");
    place
        .and_then(|(_, place)| place.split('"').next())
        .unwrap_or(message)
}

/// `ProcessOrder` after a careless change.
#[workflow]
struct ChargesFirst {
    order: Result<Order, String>,
}

#[workflow_methods]
impl ChargesFirst {
    #[init]
    fn new(ctx: &WorkflowContextView, input: OrderInput) -> Self {
        Self {
            order: input.order(ctx.workflow_id()),
        }
    }

    #[run(name = "ProcessOrder")]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let order = ctx.state(|workflow| workflow.order.clone());
        let order = order.map_err(|reason| ApplicationFailure::builder(reason).build())?;
        let placement = Placement::new(&order.order_id, ctx.info().first_execution_run_id());
        let payment = Payment {
            placement: placement.clone(),
            payment_info: order.payment_info.clone(),
        };
        let listed = ctx.search_attributes().get(&ORDER_STATUS).is_some();
        let enter = |status: OrderStatus| {
            if listed {
                ctx.upsert_search_attributes([ORDER_STATUS.value_set(status.to_string())]);
            }
        };
        let options = policies::activity_options(&WorkflowCancellationToken::new(), None);
        enter(OrderStatus::CheckingFraud);
        ctx.execute_activity(
            OrderActivities::check_fraud,
            payment.clone(),
            options.clone(),
        )
        .await?;
        if let Some(pause) = order.pause() {
            enter(OrderStatus::Pausing);
            ctx.timer(pause).await;
        }
        enter(OrderStatus::Charging);
        ctx.execute_activity(OrderActivities::charge, payment, options.clone())
            .await?;
        enter(OrderStatus::PreparingShipment);
        let reserving = Reserving {
            placement,
            items: order.items(),
        };
        ctx.execute_activity(OrderActivities::prepare_shipment, reserving, options)
            .await?;
        Ok(())
    }
}
