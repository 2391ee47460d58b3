//! Another address: an order is told something while it is under way.

use anyhow::{bail, ensure};
use starter::progress::innermost;
use temporalio_client::{WorkflowExecuteUpdateOptions, errors::WorkflowUpdateError};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use workflows::{OrderStatus, ProcessOrder};

use crate::{
    demos::checks::{ask, check_address, check_once, count_events, refused, until_status},
    stage::{Stage, check_success},
};

const NO_ADDRESS: &str = "Main Street";
const ADDRESS: &str = "12 Main Street";
const OLD_ADDRESS: &str = "7 Low Road";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title(
        "change-address",
        "an order gets a new address while it is running",
    );
    for order_id in ["order-3101", "order-3102", "order-3103"] {
        stage.free(order_id).await?;
    }
    let worker = stage.worker(&["--fault-rate", "0"]).await?;

    by_update(stage).await?;
    by_signal(stage).await?;
    by_nobody(stage).await?;
    worker.stop().await?;
    voice.shown("an order waited for its customer, but no longer than it was asked to.");
    Ok(())
}

/// The order answers: what is wrong is refused, and leaves no trace.
async fn by_update(stage: &Stage) -> anyhow::Result<()> {
    const ORDER_ID: &str = "order-3101";
    let voice = stage.voice;
    voice
        .scene("Before it ships, an order waits up to 10 minutes for another address.")
        .await;
    let order = ["3101", "123456", "10", "VISA-123456"];
    let wait = ["--deliver-to", OLD_ADDRESS, "--await-address", "10m"];
    let starter = stage.starter(&[&order[..], &wait[..]].concat())?;
    until_status(stage, ORDER_ID, OrderStatus::AwaitingAddress).await?;

    voice.scene("The customer forgets the house number.").await;
    let rule = "house number";
    refused(stage, &["change-address", ORDER_ID, NO_ADDRESS], rule).await?;
    voice.say("The starter noticed it and sent nothing.");
    voice
        .scene("Another program sends the same address without checking it.")
        .await;
    let handle = stage.find_order(ORDER_ID).await?;
    let options = WorkflowExecuteUpdateOptions::default();
    let update = handle.execute_update(
        ProcessOrder::change_address,
        NO_ADDRESS.to_owned().into(),
        options,
    );
    match update.await {
        Err(WorkflowUpdateError::Failed(failure)) => {
            voice.quote(&innermost(&failure));
            voice.say("The order itself refused it.");
        }
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("the order took {NO_ADDRESS:?} for an address"),
    }

    voice
        .scene("The right address is sent as an update, which the order answers.")
        .await;
    ask(stage, &["change-address", ORDER_ID, ADDRESS]).await?;
    check_success(ORDER_ID, starter.wait().await?)?;

    check_once(stage, ORDER_ID)?;
    check_address(stage, ORDER_ID, ADDRESS)?;
    let accepted = count_events(&handle, EventType::WorkflowExecutionUpdateAccepted).await?;
    ensure!(accepted == 1, "{accepted} updates are in the history");
    Ok(())
}

/// The sender does not wait for an answer.
async fn by_signal(stage: &Stage) -> anyhow::Result<()> {
    const ORDER_ID: &str = "order-3102";
    stage
        .voice
        .scene("Another address is sent as a signal, to which nobody waits for an answer.")
        .await;
    let order = ["3102", "123456", "10", "VISA-123456"];
    let wait = ["--await-address", "10m"];
    let starter = stage.starter(&[&order[..], &wait[..]].concat())?;
    until_status(stage, ORDER_ID, OrderStatus::AwaitingAddress).await?;
    ask(stage, &["change-address", ORDER_ID, ADDRESS, "--no-reply"]).await?;
    check_success(ORDER_ID, starter.wait().await?)?;

    check_once(stage, ORDER_ID)?;
    check_address(stage, ORDER_ID, ADDRESS)?;
    let order = stage.find_order(ORDER_ID).await?;
    let signals = count_events(&order, EventType::WorkflowExecutionSignaled).await?;
    ensure!(signals == 1, "{signals} signals are in the history");
    Ok(())
}

/// No address arrives, and the order continues with the one it has.
async fn by_nobody(stage: &Stage) -> anyhow::Result<()> {
    const ORDER_ID: &str = "order-3103";
    stage
        .voice
        .scene("If no address arrives within 2 seconds, the order ships to the one it has.")
        .await;
    let order = ["3103", "123456", "10", "VISA-123456"];
    let wait = ["--deliver-to", OLD_ADDRESS, "--await-address", "2s"];
    ask(stage, &[&order[..], &wait[..]].concat()).await?;

    check_once(stage, ORDER_ID)?;
    check_address(stage, ORDER_ID, OLD_ADDRESS)?;
    let order = stage.find_order(ORDER_ID).await?;
    let fired = count_events(&order, EventType::TimerFired).await?;
    ensure!(fired == 1, "{fired} timers went off");
    Ok(())
}
