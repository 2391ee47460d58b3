//! A recurring order: Temporal places it again and again, until it is told to stop.

use std::process::{Command, Stdio};

use anyhow::ensure;
use inventory::Standing;
use temporalio_client::{Client, WorkflowCountOptions, schedules::ScheduleHandle};

use crate::{
    demos::checks::{ask, check_once},
    stage::Stage,
};

/// Orders to wait for before it is paused.
const ORDERS: usize = 3;

/// An order of a customer's own, which takes longer than a recurring one takes to come again.
const MEANWHILE: [&str; 6] = ["3801", "123456", "10", "VISA-123456", "--pause", "3s"];
const MEANWHILE_ID: &str = "order-3801";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("recurring-order", "an order that is placed again and again");
    stage.free(MEANWHILE_ID).await?;
    // On one server a name is given once.
    let name = format!("standing-{:04x}", rand::random::<u16>());
    let worker = stage.worker(&["--fault-rate", "0"]).await?;

    voice
        .scene("Have Temporal place an order every second, by a schedule.")
        .await;
    let mut deletion = Deletion::of(stage, &name)?;
    let create = ["schedule", "create", &name, "--every", "1s"];
    ask(stage, &create).await?;
    until_completed(stage, &name, ORDERS).await?;
    voice.checked(&format!("{ORDERS} orders were charged and shipped."));
    ask(stage, &["list", "--limit", "3"]).await?;

    voice
        .scene("Pause the schedule while another order takes 3 seconds.")
        .await;
    ask(stage, &["schedule", "pause", &name]).await?;
    let schedule = stage.client.get_schedule_handle(&name);
    let paused_at = until_paused(stage, &schedule, &name).await?;
    ask(stage, &MEANWHILE).await?;
    let now = placed(&schedule).await?;
    ensure!(
        now == paused_at,
        "the schedule had placed {paused_at} orders, and in the pause it came to {now}"
    );
    voice.checked(&format!(
        "The schedule has placed {now} orders, none of them in the pause."
    ));
    let listed = ask(stage, &["schedule", "list"]).await?;
    let line = listed.lines().find(|line| line.starts_with(&name));
    ensure!(
        line.is_some_and(|line| line.ends_with("paused")),
        "{name} is not listed as paused"
    );

    voice.scene("Resume the schedule.").await;
    ask(stage, &["schedule", "resume", &name]).await?;
    until_completed(stage, &name, now + 1).await?;
    voice.checked(&format!("{} orders were charged and shipped.", now + 1));

    voice
        .scene("Delete the schedule. The orders that it placed stay.")
        .await;
    ask(stage, &["schedule", "delete", &name]).await?;
    deletion.done();
    stage
        .until("the schedule to be gone", async || {
            let listed = ask(stage, &["schedule", "list"]).await?;
            Ok(!listed.contains(&name))
        })
        .await?;
    until_ended(stage, &name).await?;
    stage.stop(worker).await?;

    check_once(stage, MEANWHILE_ID).await?;
    for order_id in completed(stage, &name).await? {
        check_once(stage, &order_id).await?;
    }
    voice.shown("the schedule placed orders, paused, and resumed; each was an order of its own.");
    Ok(())
}

/// How many orders a schedule has placed.
async fn placed(schedule: &ScheduleHandle<Client>) -> anyhow::Result<usize> {
    let description = schedule.describe(Default::default()).await?;
    Ok(description.action_count().try_into()?)
}

/// Waits until a schedule says that it is paused, and all that it placed is done. Returns how many
/// orders that is.
async fn until_paused(
    stage: &Stage,
    schedule: &ScheduleHandle<Client>,
    name: &str,
) -> anyhow::Result<usize> {
    stage
        .until_some("the schedule to be paused", async || {
            let description = schedule.describe(Default::default()).await?;
            let placed = placed(schedule).await?;
            let done = completed(stage, name).await?.len() == placed;
            Ok((description.paused() && done).then_some(placed))
        })
        .await
}

/// The IDs of the orders of a schedule that are done, by the ledger.
async fn completed(stage: &Stage, name: &str) -> anyhow::Result<Vec<String>> {
    let audit = stage.inventory().audit().await?;
    let done = audit
        .orders
        .iter()
        .filter(|order| order.order_id.starts_with(name))
        .filter(|order| order.standing() == Standing::Completed);
    Ok(done.map(|order| order.order_id.clone()).collect())
}

async fn until_completed(stage: &Stage, name: &str, orders: usize) -> anyhow::Result<()> {
    stage
        .until("the recurring order to be done", async || {
            Ok(completed(stage, name).await?.len() >= orders)
        })
        .await
}

/// Waits until none of a schedule's orders is running: no worker would continue it.
async fn until_ended(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let query = format!("WorkflowId STARTS_WITH '{name}' AND ExecutionStatus = 'Running'");
    stage
        .until("the last recurring order to end", async || {
            let options = WorkflowCountOptions::default();
            let running = stage.client.count_workflows(query.clone(), options).await?;
            Ok(running.count() == 0)
        })
        .await
}

/// Deletes the schedule however the demo ends, Ctrl-C included: it would place orders for ever, on
/// a server that may not be the demo's own.
struct Deletion(Option<Command>);

impl Deletion {
    fn of(stage: &Stage, name: &str) -> anyhow::Result<Self> {
        let mut command = stage.starter_command(&["schedule", "delete", name])?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(Some(command)))
    }

    /// It is deleted.
    fn done(&mut self) {
        self.0 = None;
    }
}

impl Drop for Deletion {
    fn drop(&mut self) {
        if let Some(mut command) = self.0.take() {
            // The demo has failed already, and says why.
            let _ = command.status();
        }
    }
}
