//! One file for each demo. Each sets what it needs, tells its story, and checks its own ending.

mod chaos;
mod duplicate_order;
mod first_order;
mod kill_worker;

use clap::Subcommand;

use crate::{
    args::{Demo, ShowArgs},
    stage::Stage,
};

/// Names the demos.
pub fn list() {
    let command = Demo::augment_subcommands(clap::Command::new("demo"));
    for demo in command.get_subcommands() {
        let about = demo
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        anstream::println!("{:<18} {about}", demo.get_name());
    }
}

/// Plays a demo.
///
/// # Errors
/// Where what it set out to show did not happen.
pub async fn run(demo: Demo, show: ShowArgs) -> anyhow::Result<()> {
    let mut stage = match &demo {
        // It kills the server, so it needs one of its own.
        Demo::Chaos(_) => Stage::with_own_server(&show).await?,
        _ => Stage::set(&show).await?,
    };
    match demo {
        Demo::FirstOrder => first_order::play(&mut stage).await?,
        Demo::KillWorker => kill_worker::play(&mut stage).await?,
        Demo::DuplicateOrder => duplicate_order::play(&mut stage).await?,
        Demo::Chaos(args) => chaos::play(&mut stage, &args).await?,
    }
    stage.strike().await
}

/// What an order from the inventory's first state does to the world, once each.
const HAPPENED_ONCE: [&str; 4] = ["reserved", "charged", "shipped", "restocked"];

/// What an order did to the world, by the ledger.
fn effects(stage: &Stage, order_id: &str) -> anyhow::Result<Vec<&'static str>> {
    let entries = stage.inventory().effects(order_id)?;
    Ok(entries.iter().map(|entry| entry.change.name()).collect())
}
