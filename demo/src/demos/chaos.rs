//! Chaos: many orders, while workers and the server are killed at random; then all is checked.

use std::time::{Duration, SystemTime};

use anyhow::ensure;
use inventory::{Audit, Finding, Standing};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use temporalio_client::WorkflowFetchHistoryOptions;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};

use crate::{
    args::ChaosArgs,
    demos::{
        numbered_order,
        storm::{self, Kill, Placed, Storm},
    },
    stage::Stage,
    voice::Voice,
};

/// Of so many orders one is placed again.
const TWICE: usize = 5;

/// Of so many kills one is the server's.
const SERVER: u32 = 5;

/// Units that one order asks for at most: the supplier is needed every few dozen orders.
const MOST_UNITS: u32 = 400;

/// Plays it.
pub async fn play(stage: &mut Stage, args: &ChaosArgs) -> anyhow::Result<()> {
    let voice = stage.voice;
    let seed = args.seed.unwrap_or_else(rand::random);
    voice.title("chaos", "many orders, and nothing that lasts");
    voice
        .scene(&format!(
            "{} orders on {} workers; {} kills; fault rate {}; seed {seed}.",
            args.orders, args.workers, args.kills, args.fault_rate
        ))
        .await;
    let mut random = StdRng::seed_from_u64(seed);
    let storm = Storm {
        orders: (1..=args.orders)
            .map(|number| numbered_order(number, random.random_range(1..=MOST_UNITS)))
            .collect(),
        workers: args.workers,
        kills: args.kills,
        server_every: Some(SERVER),
        twice_every: Some(TWICE),
        fault_rate: args.fault_rate,
        seed,
    };
    let (placed, kills) = storm::run(stage, &storm).await?;

    let mut histories = Vec::new();
    for handle in placed.iter().filter_map(|placed| placed.handle.as_ref()) {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        histories.push(history.into_events().await?);
    }
    let audit = inventory::audit(stage.inventory().path())?;
    let tally = Tally::new(&placed, &kills, &histories, &audit);
    tally.show(voice);
    for finding in &audit.findings {
        voice.say(&format!("WRONG: {finding}"));
    }
    ensure!(audit.is_clean(), "the ledger does not add up");
    ensure!(tally.lost.is_empty(), "lost: {}", tally.lost.join(", "));
    ensure!(
        tally.doubled.is_empty(),
        "doubled: {}",
        tally.doubled.join(", ")
    );
    ensure!(
        tally.recognised == tally.again,
        "{} of {} repeated submissions were not recognised",
        tally.again - tally.recognised,
        tally.again
    );
    voice.shown("whatever died, every order was reserved, charged and shipped exactly once.");
    Ok(())
}

/// What is left to say at the end.
struct Tally {
    rows: Vec<(&'static str, String)>,
    lost: Vec<String>,
    doubled: Vec<String>,
    again: usize,
    recognised: usize,
}

impl Tally {
    fn new(
        placed: &[Placed],
        kills: &[Kill],
        histories: &[Vec<HistoryEvent>],
        audit: &Audit,
    ) -> Self {
        let stands = |placed: &Placed| audit.order(&placed.order_id).map(|order| order.standing());
        let lost = named(placed, |placed| {
            placed.handle.is_none() || stands(placed) != Some(Standing::Completed)
        });
        let mut doubled = named(placed, |placed| {
            let order = audit.order(&placed.order_id);
            order.is_some_and(|order| {
                let count = |what: fn(&inventory::SubmissionAudit) -> u32| {
                    order.submissions.iter().map(what).sum::<u32>()
                };
                count(|it| it.reserved) > 1
                    || count(|it| it.charged) > 1
                    || count(|it| it.shipped) > 1
            })
        });
        doubled.extend(audit.findings.iter().filter_map(|finding| match finding {
            Finding::KeyTwice { key, .. } => Some(key.clone()),
            _ => None,
        }));
        let again = placed.iter().map(|placed| placed.again).sum();
        let recognised = placed.iter().map(|placed| placed.recognised).sum();
        let retries: i32 = histories.iter().flatten().map(retries).sum();
        let of_server = kills.iter().filter(|kill| kill.of_server).count();
        let completed = placed.len() - lost.len();
        let mut rows = vec![
            ("orders", placed.len().to_string()),
            ("completed", completed.to_string()),
            (
                "duplicates",
                format!("{recognised} of {again} repeated submissions recognised"),
            ),
            (
                "kills",
                format!(
                    "{} ({} workers, {of_server} server)",
                    kills.len(),
                    kills.len() - of_server
                ),
            ),
            ("retries", retries.to_string()),
            ("lost", lost.len().to_string()),
            ("doubled", doubled.len().to_string()),
        ];
        for product in &audit.products {
            let found = product
                .found
                .map_or_else(|| "no record".to_owned(), |found| found.to_string());
            rows.push((
                "stock",
                format!("{} expected, {found} found", product.expected),
            ));
        }
        for (what, server) in [("standstill, worker", false), ("standstill, server", true)] {
            if let Some(longest) = standstill(kills, histories, server) {
                rows.push((
                    what,
                    format!(
                        "{:.1} s at the longest, retry pauses included",
                        longest.as_secs_f64()
                    ),
                ));
            }
        }
        Self {
            rows,
            lost,
            doubled,
            again,
            recognised,
        }
    }

    fn show(&self, voice: Voice) {
        voice.say("");
        for (name, value) in &self.rows {
            voice.say(&format!("{name:<20} {value}"));
        }
    }
}

fn named(placed: &[Placed], is_so: impl Fn(&Placed) -> bool) -> Vec<String> {
    let those = placed.iter().filter(|placed| is_so(placed));
    those.map(|placed| placed.order_id.clone()).collect()
}

fn retries(event: &HistoryEvent) -> i32 {
    match &event.attributes {
        Some(Attributes::ActivityTaskStartedEventAttributes(started)) => started.attempt - 1,
        _ => 0,
    }
}

/// The longest that any order under way did nothing, from the moment on which what was killed had
/// been replaced. The pauses between the attempts that fail at random are in it.
fn standstill(
    kills: &[Kill],
    histories: &[Vec<HistoryEvent>],
    of_server: bool,
) -> Option<Duration> {
    let kills = kills.iter().filter(|kill| kill.of_server == of_server);
    kills
        .flat_map(|kill| {
            histories.iter().filter_map(|history| {
                let times: Vec<SystemTime> = history
                    .iter()
                    .filter_map(|event| event.event_time?.try_into().ok())
                    .collect();
                let under_way = times.first()? < &kill.at;
                let next = times.iter().find(|time| **time > kill.at)?;
                under_way.then(|| next.duration_since(kill.replaced_at).unwrap_or_default())
            })
        })
        .max()
}
