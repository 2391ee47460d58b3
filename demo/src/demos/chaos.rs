//! Chaos: many orders, while workers and the server are killed at random; then all is checked.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use activities::faults::FaultRate;
use anyhow::ensure;
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use inventory::{Audit, Finding, Order, Standing};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use starter::{
    follow::{self, Followed, OrderHandle, Watch},
    progress::Change,
    submit::{Submitted, submit},
};
use temporalio_client::{Client, WorkflowFetchHistoryOptions};
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};
use workflows::OrderOutcome;

use crate::{args::ChaosArgs, process::WorkerProcess, stage::Stage, voice::Voice};

/// Orders under way at a time: enough that a kill hits several, and few enough that the last kill
/// still finds some.
const AT_A_TIME: usize = 8;

/// Of so many orders one is placed twice.
const TWICE: u32 = 5;

/// Of so many kills one is the server's.
const SERVER: u32 = 5;

/// An order that takes longer than this is lost.
const LOST_AFTER: Duration = Duration::from_secs(120);

/// The pause before a server that is gone is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Units that one order asks for at most: the supplier is needed every few dozen orders.
const MOST_UNITS: u32 = 400;

/// One kill.
struct Kill {
    of_server: bool,
    at: SystemTime,
    /// When the one that takes the place was ready.
    replaced_at: SystemTime,
}

/// What came of one order.
struct Placed {
    order_id: String,
    handle: Option<OrderHandle>,
    managed: bool,
    /// Further submissions, and how many of them were found to be duplicates or were attached to
    /// the order under way.
    again: usize,
    recognised: usize,
}

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
    stage.fault_seed = seed;
    let mut random = StdRng::seed_from_u64(seed);
    let orders: Vec<Order> = (1..=args.orders)
        .map(|number| order(number, random.random_range(1..=MOST_UNITS)))
        .collect();

    let mut workers = Vec::new();
    for _ in 0..args.workers {
        workers.push(worker(stage, args.fault_rate).await?);
    }
    let bar = ProgressBar::new(args.orders.into());
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos} of {len} orders done",
    )?);
    let done = AtomicUsize::new(0);
    let (client, task_queue) = (stage.client.clone(), stage.task_queue().to_owned());
    let placing = async {
        let placed: Vec<Placed> = stream::iter(orders.iter().enumerate())
            .map(|(index, order)| {
                let twice = (index as u32).is_multiple_of(TWICE);
                place(&client, &task_queue, order, twice)
            })
            .buffer_unordered(AT_A_TIME)
            .inspect(|_| {
                done.fetch_add(1, Ordering::Relaxed);
                bar.inc(1);
            })
            .collect()
            .await;
        anyhow::Ok(placed)
    };
    let killing = kill_all(stage, args, &mut workers, &mut random, &done, &bar);
    let (placed, kills) = tokio::try_join!(placing, killing)?;
    bar.finish_and_clear();
    for worker in workers {
        worker.stop().await?;
    }

    let mut histories = Vec::new();
    for handle in placed.iter().filter_map(|placed| placed.handle.as_ref()) {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        histories.push(history.into_events().await?);
    }
    let audit = inventory::audit(stage.inventory().path())?;
    let tally = Tally::new(&placed, &kills, &histories, &audit);
    tally.show(voice);
    voice.say("");
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

fn order(number: u32, quantity: u32) -> Order {
    Order {
        order_id: format!("order-{number}"),
        item: inventory::DEFAULT_PRODUCT.to_owned(),
        quantity,
        payment_info: starter::args::DEFAULT_PAYMENT_INFO.to_owned(),
        pause_seconds: None,
    }
}

async fn worker(stage: &mut Stage, fault_rate: FaultRate) -> anyhow::Result<WorkerProcess> {
    stage
        .worker(&["--fault-rate", &fault_rate.to_string()])
        .await
}

/// Kills as often as was asked for, spread over the orders' progress.
async fn kill_all(
    stage: &mut Stage,
    args: &ChaosArgs,
    workers: &mut [WorkerProcess],
    random: &mut StdRng,
    done: &AtomicUsize,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Kill>> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let voice = stage.voice;
    let mut kills = Vec::new();
    for number in 1..=args.kills {
        let due = args.orders as usize * (number as usize - 1) / args.kills as usize;
        while done.load(Ordering::Relaxed) < due {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // Somewhere in a step, not always right after an order's end.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        let at = SystemTime::now();
        let of_server = number.is_multiple_of(SERVER);
        let what = if of_server {
            stage.kill_server().await?;
            "the server".to_owned()
        } else {
            let victim = &mut workers[random.random_range(0..args.workers as usize)];
            let pid = victim.pid();
            let replaced = victim.kill_and_replace(stage, args.fault_rate);
            replaced.await?;
            format!("worker {pid}")
        };
        let done = done.load(Ordering::Relaxed);
        let line = format!(
            "kill {number}: {what}; {done} of {} orders done",
            args.orders
        );
        bar.suspend(|| voice.quote(&line));
        kills.push(Kill {
            of_server,
            at,
            replaced_at: SystemTime::now(),
        });
    }
    Ok(kills)
}

impl WorkerProcess {
    async fn kill_and_replace(
        &mut self,
        stage: &mut Stage,
        fault_rate: FaultRate,
    ) -> anyhow::Result<()> {
        self.kill().await?;
        *self = worker(stage, fault_rate).await?;
        Ok(())
    }
}

struct Unwatched;

impl Watch for Unwatched {
    fn change(&mut self, _: &Change) {}
    fn say(&mut self, _: &str) {}
}

/// Places an order and waits for its end; `twice`, also a second time at once and again when it
/// is done.
async fn place(client: &Client, task_queue: &str, order: &Order, twice: bool) -> Placed {
    let first = processed(client, task_queue, order);
    let (first, second) = if twice {
        let (first, second) = futures::join!(first, processed(client, task_queue, order));
        (first, Some(second))
    } else {
        (first.await, None)
    };
    let third = match twice {
        true => Some(processed(client, task_queue, order).await),
        false => None,
    };
    let submissions: Vec<_> = [Some(first), second, third]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    // Whichever submission came first processed the order; the others are the same run, or found
    // that the order was placed.
    let original = submissions
        .iter()
        .find(|(_, outcome)| *outcome == OrderOutcome::Managed)
        .map(|(handle, _)| OrderHandle::new(client.clone(), handle.info().clone()));
    let recognised = submissions.iter().filter(|(handle, outcome)| {
        *outcome == OrderOutcome::Duplicate
            || original
                .as_ref()
                .is_some_and(|original| original.run_id() == handle.run_id())
    });
    let recognised = recognised.count();
    Placed {
        order_id: order.order_id.clone(),
        managed: original.is_some(),
        handle: original,
        again: if twice { 2 } else { 0 },
        recognised: recognised.saturating_sub(1),
    }
}

/// Places an order and waits for its end, whatever happens to the server. `None` if it is lost.
async fn processed(
    client: &Client,
    task_queue: &str,
    order: &Order,
) -> Option<(OrderHandle, OrderOutcome)> {
    let processing = async {
        loop {
            let Ok(submitted) = submit(client, task_queue, order).await else {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                continue;
            };
            let submitted: Submitted = submitted;
            let handle = submitted.into_handle();
            match follow::follow(&handle, &mut Unwatched).await {
                Ok(Followed::Completed(result)) => return Some((handle, result.outcome)),
                Ok(Followed::NotCompleted(_)) => return None,
                Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    };
    tokio::time::timeout(LOST_AFTER, processing)
        .await
        .ok()
        .flatten()
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
            !placed.managed || stands(placed) != Some(Standing::Completed)
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
                    format!("{:.1} s at the longest", longest.as_secs_f64()),
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
