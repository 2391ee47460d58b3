//! Errors everywhere: the same order at rising fault rates.

use activities::Activity;

use crate::{
    demos::checks::{attempts, check_once},
    stage::{Stage, check_success},
};

const RATES: [&str; 3] = ["0.2", "0.5", "0.8"];

/// Draws faults that every step meets at the highest rate, and that a room has the time for.
const SEED: u64 = 1760;

/// The number of the first of the orders.
const FIRST_NUMBER: usize = 1001;

/// Plays it.
pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    voice.title("errors", "many attempts fail, and every order completes");
    stage.fault_seed = SEED;
    let mut columns = Vec::new();
    for (index, rate) in RATES.into_iter().enumerate() {
        let number = (FIRST_NUMBER + index).to_string();
        let order_id = format!("order-{number}");
        stage.free(&order_id).await?;
        let percent = 100.0 * rate.parse::<f64>()?;
        voice
            .scene(&format!(
                "Place an order while {percent:.0} % of all attempts fail."
            ))
            .await;
        let worker = stage.worker(&["--fault-rate", rate]).await?;
        let starter = stage.starter(&[&number, "123456", "10", "VISA-123456"])?;
        check_success("the order", starter.wait().await?)?;
        stage.stop(worker).await?;
        columns.push(attempts(&stage.find_order(&order_id).await?).await?);

        check_once(stage, &order_id).await?;
    }

    voice.scene("Count the attempts of each step.").await;
    let mut table = vec![format!(
        "{:<16} {:>5} {:>5} {:>5}",
        "fault rate", RATES[0], RATES[1], RATES[2]
    )];
    let taken = |activity: &Activity| columns.iter().any(|it| it.contains_key(activity.name()));
    for activity in Activity::ALL.into_iter().filter(taken) {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| format!("{:>5}", column.get(activity.name()).copied().unwrap_or(0)))
            .collect();
        table.push(format!("{:<16} {}", activity.name(), cells.join(" ")));
    }
    voice.table(&table);
    voice.shown("more errors cost more attempts and nothing else.");
    Ok(())
}
