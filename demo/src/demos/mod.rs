//! One file for each demo. Each sets what it needs, tells its story, and checks its own ending.

mod first_order;

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
    let mut stage = Stage::set(&show).await?;
    match demo {
        Demo::FirstOrder => first_order::play(&mut stage).await?,
    }
    stage.strike().await
}
