//! A deploy: builds come and go while orders run, and a bad one is taken back.

use std::{collections::BTreeMap, ops::Range};

use anyhow::{Context, ensure};
use orders::{ApprovalRule, Order};
use starter::{follow::OrderHandle, submit::submit};
use temporalio_client::WorkflowDescribeOptions;
use workflows::OrderStatus;

use crate::{
    demos::checks::{ask, build_of, check_once, code_failure, completed, until_status},
    process::WorkerProcess,
    sample::numbered_order,
    stage::Stage,
};

/// The deployment that the workers of all builds belong to.
const DEPLOYMENT: &str = "orders";

/// An order that waits for a person while builds come and go.
const WAITING: u32 = 3696;

/// The orders of the scenes. By an order's ID the server chooses whether it goes to a build that gets a share,
/// so the same orders go there each time.
const FIRST: Range<u32> = 3697..3701;
const SHARED: Range<u32> = 3701..3713;
const SECOND: Range<u32> = 3721..3725;
const SHARED_WITH_A_BUG: Range<u32> = 3741..3749;

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("deploy", "new builds while orders run, and one with a bug");

    voice
        .scene("Start a worker of build 1, give it all new orders, and place five. One waits for approval.")
        .await;
    let mut workers = vec![worker(stage, "1", &[]).await?];
    builds(stage, &["deploy", "1"]).await?;
    let waiting = placed(stage, waiting_order()).await?;
    let waiting_id = &waiting.info().workflow_id;
    until_status(stage, waiting_id, OrderStatus::AwaitingApproval).await?;
    let first = all_placed(stage, FIRST).await?;
    let on = completed_on(stage, &first).await?;
    ensure!(on.keys().eq(["1"]), "the orders went to builds {on:?}");
    voice.checked(&format!(
        "{} orders completed on build 1, and {waiting_id} waits there for approval.",
        first.len()
    ));

    voice
        .scene("Start a worker of build 2, give it a quarter of the new orders, and place twelve.")
        .await;
    workers.push(worker(stage, "2", &[]).await?);
    builds(stage, &["deploy", "2", "--percent", "25"]).await?;
    let shared = all_placed(stage, SHARED).await?;
    let on = completed_on(stage, &shared).await?;
    ask(stage, &["list", "--limit", "6"]).await?;
    ensure!(on.keys().eq(["1", "2"]), "the orders went to builds {on:?}");
    voice.checked(&format!(
        "{} orders completed on build 2, and {} on build 1.",
        on["2"], on["1"]
    ));

    voice
        .scene("Give build 2 all new orders, place four, and approve the order that waits.")
        .await;
    builds(stage, &["deploy", "2"]).await?;
    let second = all_placed(stage, SECOND).await?;
    let on = completed_on(stage, &second).await?;
    ensure!(on.keys().eq(["2"]), "the orders went to builds {on:?}");
    voice.checked(&format!("{} orders completed on build 2.", second.len()));
    ask(stage, &["approve", waiting_id]).await?;
    let on = completed_on(stage, std::slice::from_ref(&waiting)).await?;
    ensure!(on.keys().eq(["1"]), "{waiting_id} ended on build {on:?}");
    voice.checked(&format!(
        "{waiting_id} completed on build 1, where it began: no deploy changes an order halfway."
    ));

    voice
        .scene("Start a worker of build 3, which has a bug, give it a quarter, and place eight.")
        .await;
    workers.push(worker(stage, "3", &["--bug", "workflow"]).await?);
    builds(stage, &["deploy", "3", "--percent", "25"]).await?;
    let risky = all_placed(stage, SHARED_WITH_A_BUG).await?;
    let mut good = Vec::new();
    let mut stuck = Vec::new();
    for order in risky {
        let order_id = order.info().workflow_id.clone();
        let error = stage
            .until_some(&format!("{order_id} to complete or to hang"), async || {
                let description = order.describe(WorkflowDescribeOptions::default()).await?;
                match description.close_time() {
                    Some(_) => Ok(Some(None)),
                    None => Ok(code_failure(&order).await?.map(Some)),
                }
            })
            .await?;
        match error {
            None => good.push(order),
            Some(error) => {
                let build = build_of(&order).await?;
                ensure!(
                    build.as_deref() == Some("3"),
                    "{order_id} hangs on {build:?}"
                );
                voice.checked(&format!("{order_id} hangs on build 3: {error}"));
                stuck.push(order);
            }
        }
    }
    ensure!(!stuck.is_empty(), "no order went to build 3");
    let on = completed_on(stage, &good).await?;
    ensure!(on.keys().eq(["2"]), "the orders went to builds {on:?}");
    voice.checked(&format!("{} orders completed on build 2.", good.len()));

    voice
        .scene("Take build 3 back with one command, which also moves its orders to build 2.")
        .await;
    builds(stage, &["take-back", "3", "--to", "2"]).await?;
    let on = completed_on(stage, &stuck).await?;
    ensure!(on.keys().eq(["2"]), "the orders are on builds {on:?}");
    let last = &stuck[stuck.len() - 1].info().workflow_id;
    ask(stage, &["status", last]).await?;
    voice.checked(&format!(
        "The {} orders of build 3 completed on build 2.",
        stuck.len()
    ));
    for worker in workers {
        stage.stop(worker).await?;
    }

    let all = 1 + first.len() + shared.len() + second.len() + good.len() + stuck.len();
    voice.shown(&format!(
        "{all} orders on three builds, of which one has a bug: all {all} completed, each charged and \
         shipped once."
    ));
    Ok(())
}

/// Starts a worker of a build.
async fn worker(stage: &mut Stage, build: &str, further: &[&str]) -> anyhow::Result<WorkerProcess> {
    let version = ["--deployment-name", DEPLOYMENT, "--build-id", build];
    let further = [&version[..], &["--fault-rate", "0"], further].concat();
    stage.worker(&further).await
}

/// Has a starter say which build gets new orders, and shows the command.
async fn builds(stage: &Stage, arguments: &[&str]) -> anyhow::Result<()> {
    let command = arguments.join(" ");
    stage
        .voice
        .quote(&format!("$ cargo run -p starter -- builds {command}"));
    let deployment = ["--deployment-name", DEPLOYMENT];
    let arguments = [&["builds"], arguments, &deployment].concat();
    let asking = ask(stage, &arguments);
    stage
        .voice
        .during("waiting for the starter", asking)
        .await?;
    Ok(())
}

fn waiting_order() -> Order {
    Order {
        approval: Some(ApprovalRule {
            above_quantity: 1,
            within_seconds: 3600,
        }),
        ..numbered_order(WAITING, 10)
    }
}

async fn placed(stage: &Stage, order: Order) -> anyhow::Result<OrderHandle> {
    stage.free(&order.order_id).await?;
    let submitted = submit(&stage.client, stage.task_queue(), &order).await?;
    Ok(submitted.into_handle())
}

async fn all_placed(stage: &Stage, numbers: Range<u32>) -> anyhow::Result<Vec<OrderHandle>> {
    let mut orders = Vec::new();
    for number in numbers {
        orders.push(placed(stage, numbered_order(number, 10)).await?);
    }
    Ok(orders)
}

/// Waits until the orders are completed, checks that each happened once, and counts them by the build that
/// each is on at its end.
async fn completed_on(
    stage: &Stage,
    orders: &[OrderHandle],
) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut on = BTreeMap::new();
    for order in orders {
        let order_id = &order.info().workflow_id;
        completed(stage, order).await?;
        check_once(stage, order_id).await?;
        let build = build_of(order).await?;
        let build = build.with_context(|| format!("{order_id} is on no build"))?;
        *on.entry(build).or_default() += 1;
    }
    Ok(on)
}
