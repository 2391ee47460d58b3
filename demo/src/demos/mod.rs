//! One file for each demo. Each sets what it needs, tells its story, and checks its own ending.

mod approval;
mod cancel;
mod change_address;
mod change_code;
mod chaos;
mod checks;
mod declined_card;
mod duplicate_order;
mod errors;
mod fate;
mod first_order;
mod fix_a_bug;
mod kill_worker;
mod order;
mod payment_down;
mod progress;
mod recurring_order;
mod several_items;
mod storm;
mod without_temporal;

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand};
use inventory::Change;
use orders::Order;
use starter::follow::OrderHandle;
use temporalio_client::WorkflowFetchHistoryOptions;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::{Args, Command, Demo, ShowArgs},
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
/// Where what it set out to show did not happen.
pub async fn run(demo: Demo, show: ShowArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    // What a demo started is dropped with it, and so ended.
    tokio::select! {
        played = play_all(demo, show) => played,
        _ = tokio::signal::ctrl_c() => bail!("stopped before its end"),
        _ = terminate.recv() => bail!("stopped before its end"),
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
        Demo::ChangeCode | Demo::All => {}
    }
    stage.strike().await
}

/// An order for the first product.
pub fn numbered_order(number: u32, quantity: u32) -> Order {
    Order::new(
        format!("order-{number}"),
        inventory::DEFAULT_PRODUCT,
        quantity,
        starter::args::DEFAULT_PAYMENT_INFO,
    )
}

/// The attempts that each of an order's activities took, by the activity's name.
async fn attempts(handle: &OrderHandle) -> anyhow::Result<HashMap<String, i32>> {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let mut names = HashMap::new();
    let mut attempts = HashMap::new();
    for event in history.into_events().await? {
        match event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                let name = scheduled.activity_type.unwrap_or_default().name;
                names.insert(event.event_id, name);
            }
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => {
                if let Some(name) = names.get(&started.scheduled_event_id) {
                    *attempts.entry(name.clone()).or_default() += started.attempt;
                }
            }
            _ => {}
        }
    }
    Ok(attempts)
}

/// Fails the demo unless the order was reserved, charged and shipped once each, and it all adds up.
fn check_once(stage: &Stage, order_id: &str) -> anyhow::Result<()> {
    let entries = stage.inventory().effects(order_id)?;
    for change in [Change::Reserved, Change::Charged, Change::Shipped] {
        let times = entries
            .iter()
            .filter(|entry| entry.change == change)
            .count();
        ensure!(times == 1, "{order_id} was {change} {times} times");
    }
    stage.check_audit()
}
