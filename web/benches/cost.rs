//! What browsers cost the Temporal server, beside what the orders themselves cost it; and how long it takes
//! from an event to the browser.
//!
//! ```shell
//! cargo bench --workspace --bench cost --profile dev
//! ```
//!
//! The Temporal server is a program of its own, so a debug build of this one measures the same.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant, SystemTime},
};

use common::{Scene, TASK_QUEUE, until};
use futures::future::join_all;
use orders::Order;
use serde_json::Value;
use starter::submit::submit;
use temporal::Settings;
use temporalio_client::{Client, WorkflowGetResultOptions};

const BUSY: Load = Load {
    orders: 200,
    at_a_time: 20,
};
const AT_REST: Load = Load {
    orders: 40,
    at_a_time: 1,
};
const BROWSERS: usize = 10;
const ROUNDS: usize = 5;

/// Somebody looks at an order for some time before they open another one.
const LOOK_FOR: Duration = Duration::from_secs(3);

/// A tick of `/proc/PID/stat` on Linux.
const TICK: Duration = Duration::from_millis(10);

fn main() {
    // `cargo test --benches` runs it too, with this argument and no time.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let scene = Scene::new().await;
        let _worker = scene.worker(&[]);
        until("the worker", async || {
            let stock = scene.web.get("/api/stock").await;
            (stock.status == 200).then_some(())
        })
        .await;
        let settings = Settings::plain(&scene.server.address(), "default").unwrap();
        let client = temporal::connect(&settings, "bench").await.unwrap();
        let bench = Bench { scene, client };
        bench.process("warm-up", BUSY, None).await;

        let mut by_people = Vec::new();
        let mut of_every_order = Vec::new();
        let mut of_steps = Vec::new();
        for round in 0..ROUNDS {
            // None goes first every time.
            let mut turns = ["alone", "people", "every"];
            turns.rotate_left(round % 3);
            let mut costs = HashMap::new();
            for turn in turns {
                let name = format!("{turn}-{round}");
                let cost = match turn {
                    "alone" => bench.process(&name, BUSY, None).await.0,
                    "people" => bench.watched(&name, LOOK_FOR).await.0,
                    _ => {
                        let (cost, latencies) = bench.watched(&name, Duration::ZERO).await;
                        of_steps.extend(latencies);
                        cost
                    }
                };
                costs.insert(turn, cost.as_secs_f64());
            }
            by_people.push(costs["people"] / costs["alone"]);
            of_every_order.push(costs["every"] / costs["alone"]);
            println!(
                "round {round}: seconds of CPU time for {} orders: {costs:.2?}",
                BUSY.orders
            );
        }
        print_ratios("one order each at a time, for 3 s at least", by_people);
        print_ratios("one order each after the other", of_every_order);
        let (_, at_rest) = bench
            .process("at-rest", AT_REST, Some(Duration::ZERO))
            .await;
        print(
            "from the end of a step to the browser, one order at a time",
            at_rest,
        );
        print(
            "from the end of a step to the browser, 20 orders at a time",
            of_steps,
        );
        print(
            "from a line of the ledger to the browser",
            of_ledger(&bench.scene).await,
        );
    });
}

/// Orders, so many of them at the same time.
#[derive(Clone, Copy)]
struct Load {
    orders: usize,
    at_a_time: usize,
}

struct Bench {
    scene: Scene,
    client: Client,
}

impl Bench {
    /// Processes orders while browsers show everything, and each an order, for so long at least.
    async fn watched(&self, name: &str, look_for: Duration) -> (Duration, Vec<Duration>) {
        let everything = (0..BROWSERS).map(|_| async {
            let mut all = self.scene.web.events("/api/events").await;
            while all.next().await.is_some() {}
        });
        tokio::select! {
            _ = join_all(everything) => panic!("the streams should go on"),
            done = self.process(name, BUSY, Some(look_for)) => done,
        }
    }

    /// Processes orders, and lets each browser look at one of them at a time, for so long at least. Returns the
    /// server's CPU time for that, and how long each step's end took to the browser.
    async fn process(
        &self,
        name: &str,
        load: Load,
        look_for: Option<Duration>,
    ) -> (Duration, Vec<Duration>) {
        let before = cpu_time(self.scene.server.pid());
        let lanes = (0..load.at_a_time).map(|lane| async move {
            let mut latencies = Vec::new();
            let mut next_look = look_for.filter(|_| lane < BROWSERS).map(|_| Instant::now());
            for number in 0..load.orders / load.at_a_time {
                let order = Order::new(format!("{name}-{lane}-{number}"), "123456", 1, "VISA-1");
                let placed = submit(&self.client, TASK_QUEUE, &order).await.unwrap();
                let handle = placed.into_handle();
                let result = handle.get_result(WorkflowGetResultOptions::default());
                if next_look.is_some_and(|at| at <= Instant::now()) {
                    next_look = look_for.map(|look_for| Instant::now() + look_for);
                    let (shown, result) = tokio::join!(self.look_at(&order.order_id), result);
                    latencies.extend(shown);
                    result.unwrap();
                } else {
                    result.await.unwrap();
                }
            }
            latencies
        });
        let latencies = join_all(lanes).await;
        let took = cpu_time(self.scene.server.pid()) - before;
        (took, latencies.into_iter().flatten().collect())
    }

    /// Looks at an order until it has ended.
    async fn look_at(&self, order_id: &str) -> Vec<Duration> {
        let path = format!("/api/orders/{order_id}/events");
        let mut events = self.scene.web.events(&path).await;
        let mut seen = HashSet::new();
        let mut latencies = Vec::new();
        let mut is_first = true;
        loop {
            let order = events.until("order", |_| true).await;
            for step in order["steps"].as_array().unwrap() {
                if let Some(end) = end(step)
                    && seen.insert(step["number"].as_u64().unwrap())
                    // What was over before somebody looked took no time to get here.
                    && !is_first
                {
                    latencies.push(SystemTime::now().duration_since(end).unwrap_or_default());
                }
            }
            is_first = false;
            if order["execution"] != "Running" {
                return latencies;
            }
        }
    }
}

fn end(step: &Value) -> Option<SystemTime> {
    let began = humantime::parse_rfc3339(step["startedAt"].as_str()?).ok()?;
    Some(began + Duration::from_millis(step["tookMs"].as_u64()?))
}

/// How long lines of the ledger take to get here.
async fn of_ledger(scene: &Scene) -> Vec<Duration> {
    let inventory = scene.inventory().await;
    let mut all = scene.web.events("/api/events").await;
    let mut latencies = Vec::new();
    for units in 1..=100 {
        inventory.set_stock("bench", units, "bench").await.unwrap();
        let written = SystemTime::now();
        let is_there = |ledger: &Value| {
            let mut lines = ledger["lines"].as_array().unwrap().iter();
            lines.any(|line| line["productID"] == "bench" && line["inStock"] == units)
        };
        all.until("ledger", is_there).await;
        latencies.push(written.elapsed().unwrap_or_default());
    }
    latencies
}

fn print_ratios(what: &str, mut ratios: Vec<f64>) {
    ratios.sort_by(f64::total_cmp);
    println!(
        "the server's CPU time with {BROWSERS} browsers, {what}: {:.2} times as much as without ({:.2} to {:.2})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

fn print(what: &str, mut latencies: Vec<Duration>) {
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    let count = latencies.len();
    println!(
        "{what}: median {:.0?}, 99th percentile {:.0?} ({count} times)",
        at(50),
        at(99)
    );
}

/// CPU time of a process so far.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold spaces; the fields behind it are counted from 3.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = |field: usize| fields[field - 3].parse::<u32>().unwrap();
    TICK * (ticks(14) + ticks(15))
}
