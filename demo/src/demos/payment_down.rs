//! The payment service is down: the order waits for it.

use activities::{
    Activity,
    services::{BACK_AT_ATTEMPT, OUTAGE},
};
use anyhow::ensure;

use crate::{
    demos::checks::{ask, attempts, check_once},
    stage::{Stage, check_success},
};

const ORDER_ID: &str = "order-3401";

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice;
    voice.title("payment-down", "the payment service is down for a while");
    stage.free(ORDER_ID).await?;
    let hold = stage.path("charged");
    let at_hold = format!("Charge:after={}", hold.display());
    let worker = stage
        .worker(&["--fault-rate", "0", "--hold", &at_hold])
        .await?;

    voice
        .scene("An order is placed while the payment service is down.")
        .await;
    let starter = stage.starter(&["3401", "123456", "10", OUTAGE])?;
    stage
        .until("the payment service to be back", async || Ok(hold.exists()))
        .await?;
    voice
        .scene("The service is back. While it is at work, the order is asked how it stands.")
        .await;
    let said = ask(stage, &["status", ORDER_ID]).await?;
    let attempt = format!("{BACK_AT_ATTEMPT} attempts");
    ensure!(
        said.contains("the payment service is down") && said.contains(&attempt),
        "the status does not tell of the attempts"
    );
    voice
        .scene("The charge is done, and the order goes on.")
        .await;
    std::fs::remove_file(&hold)?;
    check_success(ORDER_ID, starter.wait().await?)?;
    worker.stop().await?;

    let attempts = attempts(&stage.find_order(ORDER_ID).await?).await?;
    let charged = attempts.get(Activity::Charge.name()).copied();
    ensure!(
        charged == Some(BACK_AT_ATTEMPT.cast_signed()),
        "the charge took {charged:?} attempts"
    );
    check_once(stage, ORDER_ID)?;
    voice.shown("four attempts failed, the fifth was taken; nobody had to do anything.");
    Ok(())
}
