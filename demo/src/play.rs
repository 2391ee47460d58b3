//! Plays the demos: one of them, or all.

use std::io::Write;

use anyhow::{Context, anyhow};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::{Args, Command, Demo, ShowArgs},
    demos::{
        approval, cancel, change_address, change_code, chaos, declined_card, deploy,
        duplicate_order, errors, first_order, fix_a_bug, kill_worker, order, payment_down,
        progress, recurring_order, several_items, several_machines, without_temporal,
    },
    live, report,
    stage::Stage,
    voice::{Silenced, Voice},
};

/// Names the demos.
pub fn list() {
    let mut out = anstream::stdout();
    let command = Demo::augment_subcommands(clap::Command::new("demo"));
    for demo in command.get_subcommands() {
        let about = demo
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        // A pipe that nobody reads any more is no reason to fail.
        let _ = writeln!(out, "{:<16} {about}", demo.get_name());
    }
}

/// Plays a demo, or all of them.
///
/// # Errors
/// Returns an error if a demo could not show what it is about.
pub async fn run(demo: Demo, show: ShowArgs) -> anyhow::Result<()> {
    let _silenced = Silenced::stdin();
    let mut stop = Stop::listen()?;
    let voice = Voice::new(show.step, show.slow);
    if let Demo::Live(args) = &demo {
        return live::run(args, &show, &voice, stop.asked()).await;
    }
    let mut stage = None;
    let played = tokio::select! {
        played = play_all(demo, &show, &voice, &mut stage) => played,
        () = stop.asked() => Err(anyhow!("the demo was stopped before it was finished")),
    };
    // Dropped with its play, everything else that the demo started has ended.
    let Some(stage) = stage else { return played };
    if played.is_ok() {
        stage.say_where_to_look();
        if show.keep && stage.has_own_server() {
            voice.say("The server runs until Ctrl-C.");
            stop.asked().await;
        }
    }
    let struck = stage.strike().await;
    played.and(struck)
}

/// Plays a demo, or all of them, on a stage that is left for the caller to strike.
async fn play_all(
    demo: Demo,
    show: &ShowArgs,
    voice: &Voice,
    stage: &mut Option<Stage>,
) -> anyhow::Result<()> {
    if !matches!(demo, Demo::All) {
        return play(demo, show, voice, stage).await;
    }
    // As the command line would give them: with the default of every flag.
    let names = Demo::augment_subcommands(clap::Command::new("demo"));
    let names = names.get_subcommands().map(|demo| demo.get_name());
    // The page has no end.
    for name in names.filter(|name| !["all", "live"].contains(name)) {
        voice.say("");
        let Some(Command::Demo(demo)) = Args::try_parse_from(["demo", name])?.command else {
            continue;
        };
        play(demo, show, voice, stage)
            .await
            .with_context(|| format!("demo {name}"))?;
    }
    Ok(())
}

async fn play(
    demo: Demo,
    show: &ShowArgs,
    voice: &Voice,
    slot: &mut Option<Stage>,
) -> anyhow::Result<()> {
    if let Demo::Chaos(args) = &demo
        && let Some(file) = &args.report
    {
        report::check_writable(file)?;
    }
    let stage = match (&demo, &mut *slot) {
        // It plays on files alone.
        (Demo::ChangeCode, _) => return change_code::play(voice).await,
        // They kill what they play on, measure it, cut it off, or leave builds on it.
        (Demo::Chaos(_) | Demo::WithoutTemporal(_) | Demo::SeveralMachines | Demo::Deploy, _) => {
            if let Some(stage) = slot.take() {
                stage.strike().await?;
            }
            slot.insert(match demo {
                Demo::SeveralMachines => Stage::with_machines(show, voice).await?,
                _ => Stage::with_own_server(show, voice).await?,
            })
        }
        (_, Some(stage)) => {
            stage.clear().await?;
            stage
        }
        (_, None) => slot.insert(Stage::set(show, voice).await?),
    };
    match &demo {
        Demo::FirstOrder => first_order::play(stage).await,
        Demo::KillWorker => kill_worker::play(stage).await,
        Demo::Order(args) => order::play(stage, args).await,
        Demo::Errors => errors::play(stage).await,
        Demo::DuplicateOrder => duplicate_order::play(stage).await,
        Demo::Progress => progress::play(stage).await,
        Demo::ChangeAddress => change_address::play(stage).await,
        Demo::Approval => approval::play(stage).await,
        Demo::Cancel => cancel::play(stage).await,
        Demo::PaymentDown => payment_down::play(stage).await,
        Demo::DeclinedCard => declined_card::play(stage).await,
        Demo::SeveralItems => several_items::play(stage).await,
        Demo::RecurringOrder => recurring_order::play(stage).await,
        Demo::FixABug => fix_a_bug::play(stage).await,
        Demo::Deploy => deploy::play(stage).await,
        Demo::SeveralMachines => several_machines::play(stage).await,
        Demo::WithoutTemporal(args) => without_temporal::play(stage, args).await,
        Demo::Chaos(args) => chaos::play(stage, args).await,
        Demo::Live(_) | Demo::ChangeCode | Demo::All => {
            unreachable!("these were handled above")
        }
    }
}

/// What asks a demo to stop: Ctrl-C, SIGTERM, or a terminal that is closed.
struct Stop([Signal; 3]);

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
