//! Chaos: many orders, some of them changed, cancelled or declined, while workers and the server are
//! killed at random; then all is checked.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use activities::services::DECLINED;
use anyhow::ensure;
use inventory::{Audit, Change, Finding, Standing};
use orders::{Item, Order};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use starter::follow::OrderHandle;
use temporalio_client::WorkflowFetchHistoryOptions;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};

use crate::{
    args::ChaosArgs,
    demos::{
        fate::{End, Fate, Placed},
        storm::{self, Kill, Storm},
    },
    report::{self, About, Killed},
    sample::numbered_order,
    stage::Stage,
    voice::Voice,
};

/// The products that orders are for: those of several items take one of each.
const PRODUCTS: [&str; 3] = [inventory::DEFAULT_PRODUCT, "234567", "345678"];

/// Units of each product at the start.
const FIRST_STOCK: u32 = 1_000;

/// How long an order that is to be told another address waits for it.
const AWAIT_ADDRESS: Duration = Duration::from_secs(2);

/// The longest that an order which is to be cancelled is left alone: by then some have shipped.
const CANCEL_WITHIN: Duration = Duration::from_millis(3_000);

/// Of so many kills one is the server's.
const SERVER: u32 = 5;

/// Units that one order asks for at most: the supplier is needed every few dozen orders.
const MOST_UNITS: u32 = 400;

/// How long the report waits for an order that has ended to tell so, on a machine that is busy.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// Plays it.
pub async fn play(stage: &mut Stage, args: &ChaosArgs) -> anyhow::Result<()> {
    let voice = stage.voice.clone();
    let seed = args.seed.unwrap_or_else(rand::random);
    voice.title(
        "chaos",
        "many orders while workers and the server are killed",
    );
    voice
        .scene(&format!(
            "Place {} orders on {} workers; {} kills; fault rate {}; seed {seed}.",
            args.orders, args.workers, args.kills, args.fault_rate
        ))
        .await;
    stage
        .stock(&PRODUCTS.map(|product| (product, FIRST_STOCK)))
        .await?;
    let mut random = StdRng::seed_from_u64(seed);
    let storm = Storm {
        orders: (1..=args.orders)
            .map(|number| order(number, &mut random))
            .collect(),
        workers: args.workers,
        kills: args.kills,
        server_every: Some(SERVER),
        fault_rate: args.fault_rate,
        seed,
    };
    let (placed, kills) = storm::run(stage, &storm).await?;

    let mut histories = Vec::new();
    for handle in placed.iter().filter_map(|placed| placed.handle.as_ref()) {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        histories.push(history.into_events().await?);
    }
    let audit = stage.inventory().audit().await?;
    let mut shipped_to: HashMap<String, Vec<Option<String>>> = HashMap::new();
    for placed in &placed {
        for entry in stage.inventory().effects(&placed.order.order_id).await? {
            if entry.change == Change::Shipped {
                let to = shipped_to.entry(entry.order_id).or_default();
                to.push(entry.address);
            }
        }
    }
    let tally = Tally::new(&placed, &kills, &histories, &audit, &shipped_to);
    voice
        .scene("Check the ledger, and what each order said.")
        .await;
    tally.show(&voice);
    if let Some(file) = &args.report {
        let about = about(args, seed, &tally, &kills);
        let orders = placed.iter().filter_map(|placed| placed.handle.as_ref());
        let orders = orders.map(|it| OrderHandle::new(stage.client.clone(), it.info().clone()));
        let page = report::page(&about, orders, stage.inventory(), TOLD_WITHIN).await?;
        report::write(file, &page)?;
        voice.say(&format!("The report: {}", file.display()));
    }
    for finding in &audit.findings {
        voice.say(&format!("WRONG: {finding}"));
    }
    ensure!(audit.is_clean(), "the ledger does not add up");
    for (what, orders) in [
        ("lost", &tally.lost),
        ("doubled", &tally.doubled),
        ("ended otherwise than the ledger says", &tally.otherwise),
        ("shipped to another address than agreed", &tally.astray),
    ] {
        ensure!(orders.is_empty(), "{what}: {}", orders.join(", "));
    }
    ensure!(
        tally.recognized == tally.again,
        "{} of {} repeated submissions were not recognized",
        tally.again - tally.recognized,
        tally.again
    );
    voice.shown(
        "whatever was killed, every order was reserved, charged and shipped exactly once, or undone \
         exactly once.",
    );
    Ok(())
}

fn about(args: &ChaosArgs, seed: u64, tally: &Tally, kills: &[Kill]) -> About {
    let kill = |kill: &Kill| Killed {
        at: kill.at,
        what: kill.what.clone(),
    };
    About {
        title: format!("{} orders in chaos", args.orders),
        command: Some(format!(
            "cargo run -p demo -- chaos --orders {} --workers {} --kills {} --fault-rate {} --seed {seed}",
            args.orders, args.workers, args.kills, args.fault_rate
        )),
        facts: [vec![("seed", seed.to_string())], tally.rows.clone()].concat(),
        kills: kills.iter().map(kill).collect(),
    }
}

/// An order, and what happens to it: of ten, two are placed again, two told another address, two
/// cancelled and one has its payment declined. Every third is for several items, and of those every
/// other ships apart.
fn order(number: u32, random: &mut StdRng) -> (Order, Fate) {
    let mut order = numbered_order(number, random.random_range(1..=MOST_UNITS));
    if number.is_multiple_of(3) {
        order.more_items = PRODUCTS[1..]
            .iter()
            .map(|product| Item::new(*product, random.random_range(1..=MOST_UNITS)))
            .collect();
        order.ship_apart = number.is_multiple_of(6);
    }
    let fate = match number % 10 {
        1 | 6 => Fate::PlacedAgain,
        2 | 7 => {
            order.await_address_seconds = Some(AWAIT_ADDRESS.as_secs());
            Fate::Readdressed(format!("{number} Main Street"))
        }
        3 | 8 => Fate::Cancelled(random.random_range(Duration::ZERO..CANCEL_WITHIN)),
        4 => {
            order.payment_info = DECLINED.to_owned();
            Fate::Declined
        }
        _ => Fate::Placed,
    };
    (order, fate)
}

/// What is left to say at the end.
struct Tally {
    rows: Vec<(&'static str, String)>,
    lost: Vec<String>,
    doubled: Vec<String>,
    otherwise: Vec<String>,
    astray: Vec<String>,
    again: usize,
    recognized: usize,
}

impl Tally {
    fn new(
        placed: &[Placed],
        kills: &[Kill],
        histories: &[Vec<HistoryEvent>],
        audit: &Audit,
        shipped_to: &HashMap<String, Vec<Option<String>>>,
    ) -> Self {
        // An order that was undone before it reserved anything has no lines.
        let stands = |placed: &Placed| {
            audit
                .order(&placed.order.order_id)
                .map_or(Standing::Undone, |order| order.standing())
        };
        let lost = named(placed, |placed| placed.end == End::Lost);
        let otherwise = named(placed, |placed| {
            let expected: &[End] = match &placed.fate {
                Fate::Cancelled(_) if placed.agreed => &[End::Cancelled],
                Fate::Cancelled(_) => &[End::Cancelled, End::Completed],
                Fate::Declined => &[End::Failed],
                _ => &[End::Completed],
            };
            let standing = match placed.end {
                End::Completed => Standing::Completed,
                _ => Standing::Undone,
            };
            !expected.contains(&placed.end) || stands(placed) != standing
        });
        let mut doubled = named(placed, |placed| {
            let items = u32::try_from(placed.order.items().len()).unwrap_or(u32::MAX);
            audit.order(&placed.order.order_id).is_some_and(|order| {
                let count = |what: fn(&inventory::SubmissionAudit) -> u32| {
                    order.submissions.iter().map(what).sum::<u32>()
                };
                count(|it| it.reserved) > items
                    || count(|it| it.charged) > 1
                    || count(|it| it.shipped) > items
                    || count(|it| it.refunded) > 1
                    || count(|it| it.released) > items
            })
        });
        doubled.extend(audit.findings.iter().filter_map(|finding| match finding {
            Finding::KeyTwice { key, .. } => Some(key.clone()),
            _ => None,
        }));
        let astray = named(placed, |placed| {
            let Fate::Readdressed(address) = &placed.fate else {
                return false;
            };
            let none = Vec::new();
            let to = shipped_to.get(&placed.order.order_id).unwrap_or(&none);
            placed.agreed && to.iter().any(|to| to.as_ref() != Some(address))
        });
        let again = placed.iter().map(|placed| placed.again).sum();
        let recognized = placed.iter().map(|placed| placed.recognized).sum();
        let retries: i32 = histories.iter().flatten().map(retries).sum();
        let of_server = kills.iter().filter(|kill| kill.of_server).count();
        let ended = |end: End| placed.iter().filter(|placed| placed.end == end).count();
        let readdressed = |agreed: bool| {
            let told = placed.iter().filter(|placed| {
                matches!(placed.fate, Fate::Readdressed(_)) && (placed.agreed || !agreed)
            });
            told.count()
        };
        let mut rows = vec![
            ("orders", placed.len().to_string()),
            ("completed", ended(End::Completed).to_string()),
            (
                "cancelled",
                format!("{}, and undone", ended(End::Cancelled)),
            ),
            ("declined", format!("{}, and undone", ended(End::Failed))),
            (
                "readdressed",
                format!("{} of {} in time", readdressed(true), readdressed(false)),
            ),
            (
                "duplicates",
                format!("{recognized} of {again} repeated submissions recognized"),
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
                format!(
                    "{} of product {} expected, {found} found",
                    product.expected, product.product
                ),
            ));
        }
        if let Some(longest) = placed.iter().max_by_key(|placed| placed.took) {
            rows.push((
                "longest order",
                format!(
                    "{}: {:.1} s",
                    longest.order.order_id,
                    longest.took.as_secs_f64()
                ),
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
            otherwise,
            astray,
            again,
            recognized,
        }
    }

    fn show(&self, voice: &Voice) {
        for (name, value) in &self.rows {
            voice.quote(&format!("{name:<20} {value}"));
        }
    }
}

fn named(placed: &[Placed], is_so: impl Fn(&Placed) -> bool) -> Vec<String> {
    let those = placed.iter().filter(|placed| is_so(placed));
    those.map(|placed| placed.order.order_id.clone()).collect()
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
