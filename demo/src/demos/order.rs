//! Another order: what is ordered is up to the audience.

use crate::{
    args::OrderArgs,
    demos::checks::check_once,
    stage::{Stage, check_success},
};

/// Plays it.
pub async fn play(stage: &mut Stage, args: &OrderArgs) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("order", "another order number, another quantity");
    let order_id = format!("order-{}", args.order_number);
    stage.free(&order_id).await?;
    let worker = stage.worker(&[]).await?;
    stage.show_stock().await?;

    voice
        .scene(&format!(
            "Place {order_id}: {} units of product {}.",
            args.quantity, args.product
        ))
        .await;
    let (number, quantity) = (args.order_number.to_string(), args.quantity.to_string());
    let words = [&number, &args.product, &quantity, &args.payment_info];
    let starter = stage.starter(&words.map(String::as_str))?;
    check_success("the order", starter.wait().await?)?;
    stage.stop(worker).await?;
    check_once(stage, &order_id).await?;
    voice.checked("The ledger has one line for each effect of the order.");
    stage.show_ledger(&[&order_id]).await?;
    stage.show_stock().await?;

    voice.shown("every order takes the same way.");
    Ok(())
}
