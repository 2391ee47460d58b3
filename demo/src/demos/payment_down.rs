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
    let voice = stage.voice.clone();
    voice.title("payment-down", "the payment service is down for a while");
    stage.free(ORDER_ID).await?;
    let (worker, hold) = stage
        .worker_held_at("Charge:after", &["--fault-rate", "0"])
        .await?;

    voice
        .scene("Place an order while the payment service is down.")
        .await;
    let starter = stage.starter(&["3401", "123456", "10", OUTAGE])?;
    stage
        .until_held("the payment service to be back", &hold)
        .await?;
    let said = ask(stage, &["status", ORDER_ID]).await?;
    let attempt = format!("{BACK_AT_ATTEMPT} attempts");
    ensure!(
        said.contains("the payment service is down") && said.contains(&attempt),
        "the status does not mention the attempts"
    );
    starter.shows(Activity::Charge.name()).await?;
    voice.checked(&format!(
        "The service was back at attempt {BACK_AT_ATTEMPT}, as the order itself says."
    ));
    std::fs::remove_file(&hold)?;
    check_success(ORDER_ID, starter.wait().await?)?;
    stage.stop(worker).await?;

    let attempts = attempts(&stage.find_order(ORDER_ID).await?).await?;
    let charged = attempts.get(Activity::Charge.name()).copied();
    ensure!(
        charged == Some(BACK_AT_ATTEMPT.cast_signed()),
        "the charge took {charged:?} attempts"
    );
    check_once(stage, ORDER_ID).await?;
    voice.shown("four attempts failed and the fifth succeeded; nobody had to do anything.");
    Ok(())
}
