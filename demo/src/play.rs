//! Plays the demos: one of them, or all.

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::{Args, Command, Demo, ShowArgs},
    demos::{
        approval, cancel, change_address, change_code, chaos, declined_card, duplicate_order,
        errors, first_order, fix_a_bug, kill_worker, order, payment_down, progress,
        recurring_order, several_items, without_temporal,
    },
    stage::Stage,
    voice::Voice,
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

/// Plays a demo, or all of them.
///
/// # Errors
/// Returns an error if a demo could not show what it is about.
pub async fn run(demo: Demo, show: ShowArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    // What a demo started is dropped with it, and so ended.
    tokio::select! {
        played = play_all(demo, show) => played,
        _ = tokio::signal::ctrl_c() => bail!("the demo was stopped before it was finished"),
        _ = terminate.recv() => bail!("the demo was stopped before it was finished"),
    }
}

async fn play_all(demo: Demo, show: ShowArgs) -> anyhow::Result<()> {
    if !matches!(demo, Demo::All) {
        return play(demo, &show).await;
    }
    // As the command line would give them: with the default of every flag.
    let names = Demo::augment_subcommands(clap::Command::new("demo"));
    let names = names.get_subcommands().map(|demo| demo.get_name());
    for name in names.filter(|name| *name != "all") {
        anstream::println!();
        let Some(Command::Demo(demo)) = Args::try_parse_from(["demo", name])?.command else {
            continue;
        };
        play(demo, &show)
            .await
            .with_context(|| format!("demo {name}"))?;
    }
    Ok(())
}

async fn play(demo: Demo, show: &ShowArgs) -> anyhow::Result<()> {
    // It plays on files alone.
    if matches!(demo, Demo::ChangeCode) {
        return change_code::play(Voice::new(show.step, show.slow)).await;
    }
    let mut stage = match &demo {
        // They kill what they play on, or measure it.
        Demo::Chaos(_) | Demo::WithoutTemporal(_) => Stage::with_own_server(show).await?,
        _ => Stage::set(show).await?,
    };
    match &demo {
        Demo::FirstOrder => first_order::play(&mut stage).await?,
        Demo::KillWorker => kill_worker::play(&mut stage).await?,
        Demo::Order(args) => order::play(&mut stage, args).await?,
        Demo::Errors => errors::play(&mut stage).await?,
        Demo::DuplicateOrder => duplicate_order::play(&mut stage).await?,
        Demo::Progress => progress::play(&mut stage).await?,
        Demo::ChangeAddress => change_address::play(&mut stage).await?,
        Demo::Approval => approval::play(&mut stage).await?,
        Demo::Cancel => cancel::play(&mut stage).await?,
        Demo::PaymentDown => payment_down::play(&mut stage).await?,
        Demo::DeclinedCard => declined_card::play(&mut stage).await?,
        Demo::SeveralItems => several_items::play(&mut stage).await?,
        Demo::RecurringOrder => recurring_order::play(&mut stage).await?,
        Demo::FixABug => fix_a_bug::play(&mut stage).await?,
        Demo::WithoutTemporal(args) => without_temporal::play(&mut stage, args).await?,
        Demo::Chaos(args) => chaos::play(&mut stage, args).await?,
        Demo::ChangeCode | Demo::All => unreachable!("both were handled above"),
    }
    stage.strike().await
}
