//! Several machines: two workers with one database. One of them is cut off from the network right before
//! it charges the customer, the other charges, and then the first one comes back.

use activities::Activity;
use anyhow::ensure;

use crate::{
    demos::checks::{attempts, check_once},
    stage::{Stage, check_success},
};

const ORDER: [&str; 4] = ["4101", "123456", "10", "VISA-123456"];
const ORDER_ID: &str = "order-4101";

/// What the log of a worker says whose charge found that of another attempt.
const FOUND: &str = "activity=\"Charge\" attempt=1 found=true";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title(
        "several-machines",
        "a machine is cut off in the middle of a charge",
    );

    voice
        .scene("Place an order, and cut its machine off right before the charge.")
        .await;
    let held = stage.path("held");
    let hold = format!("Charge:before={}", held.display());
    // The server cannot know that nobody listens to the requests for tasks that machine 1 has left open.
    // A task that it hands to one is lost for the time of a heartbeat timeout, so there is only one.
    let one_poller = ["--fault-rate", "0", "--activity-pollers", "1"];
    let first = stage
        .worker_on(0, &[&one_poller[..], &["--hold", &hold]].concat())
        .await?;
    let starter = stage.starter(&ORDER)?;
    stage
        .until_held("machine 1 to reach the charge", &held)
        .await?;
    stage.cut_off(0, &first, true).await?;
    starter.shows(Activity::Charge.name()).await?;
    voice.checked("Machine 1 is about to charge the customer, and nobody hears of it any more.");

    voice
        .scene("Start a worker on machine 2, with the same database.")
        .await;
    let second = stage.worker_on(1, &["--fault-rate", "0"]).await?;
    check_success("the order", starter.wait().await?)?;
    check_once(stage, ORDER_ID).await?;
    let attempts = attempts(&stage.find_order(ORDER_ID).await?).await?;
    let charged = attempts.get(Activity::Charge.name()).copied();
    ensure!(
        charged > Some(1) && !first.said(FOUND)?,
        "machine 1 was not cut off before its charge"
    );
    voice.checked("Machine 2 charged the customer, and completed the order.");

    voice
        .scene("Connect machine 1 again. As far as it knows, the charge is still to be made.")
        .await;
    stage.cut_off(0, &first, false).await?;
    std::fs::remove_file(&held)?;
    stage
        .until("machine 1 to try the charge", async || first.said(FOUND))
        .await?;
    check_once(stage, ORDER_ID).await?;
    voice.checked("Machine 1 tried, and found the charge of machine 2 in the database:");
    stage.show_ledger(&[ORDER_ID]).await?;
    stage.stop(first).await?;
    stage.stop(second).await?;

    voice.shown("two machines had the same charge to make, and the customer was charged once.");
    Ok(())
}
