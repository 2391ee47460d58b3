//! Killing the worker: order 37005 pauses, its worker dies, and a new worker continues it.

use anyhow::ensure;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::OrderStatus;

use crate::{
    demos::checks::{check_once, count_events, until_status},
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["37005", "123456", "999", "VISA-123456"];
const ORDER_ID: &str = "order-37005";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("kill-worker", "the worker dies in the middle of an order");
    stage.free(ORDER_ID).await?;

    voice.scene("A worker starts.").await;
    let mut worker = stage.worker(&[]).await?;

    voice
        .scene("A customer places order 37005, which pauses for 15 seconds after the fraud check.")
        .await;
    let starter = stage.starter(&ORDER)?;
    until_status(stage, ORDER_ID, OrderStatus::Pausing).await?;

    let pid = worker.pid();
    voice
        .scene(&format!(
            "The worker, process {pid}, is killed with SIGKILL."
        ))
        .await;
    worker.kill().await?;
    let order = stage.find_order(ORDER_ID).await?;
    let timers = count_events(&order, EventType::TimerStarted).await?;
    ensure!(timers == 1, "the server has {timers} timers of the order");
    voice.say("No worker runs the order now. The timer keeps running on the server.");
    stage.show_inventory()?;

    voice
        .scene("A new worker starts. It knows nothing of the order.")
        .await;
    let worker = stage.worker(&[]).await?;
    voice.say(&format!("It is process {}.", worker.pid()));
    check_success("the order", starter.wait().await?)?;

    voice
        .scene("The inventory and the ledger after the order.")
        .await;
    stage.show_books()?;
    worker.stop().await?;

    check_once(stage, ORDER_ID)?;
    voice.shown(&closing_line());
    Ok(())
}

/// What the audience takes home. It is said after the ledger was checked.
fn closing_line() -> String {
    "the worker died, but the order completed; no step was done twice.".to_owned()
}
