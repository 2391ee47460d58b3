//! How fast changes are, beside what PostgreSQL itself can do: `pgbench` and the inventory run in turns
//! against the same server, so that a ratio says something on any machine.
//!
//! ```shell
//! cargo bench -p inventory --bench changes
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use futures::future::join_all;
use inventory::{Inventory, Location, Placement};
use orders::Item;
use servers::Postgres;

/// How long one figure is measured, and in how many rounds. The median of the rounds counts.
const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

const CONNECTIONS: [usize; 3] = [1, 8, 64];
const PRODUCTS: u32 = 100;

/// Past orders with a reservation each, which the charges are made for.
const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;

const TABLES: &str = "create table bench_insert (id bigserial primary key, key text not null unique, \
                      at timestamptz not null); \
                      create table bench_stock (product integer primary key, in_stock integer not null) \
                      with (fillfactor = 50); \
                      insert into bench_stock select p, 1000000 from generate_series(1, 100) p";
const INSERT: &str = "\\set id random(1, 1000000000000)\n\
                      insert into bench_insert (key, at) values ('order-' || :id, now());\n";
const UPDATE_ONE: &str = "update bench_stock set in_stock = in_stock - 1 where product = 1;\n";
const UPDATE_ANY: &str = "\\set p random(1, 100)\n\
                          update bench_stock set in_stock = in_stock - 1 where product = :p;\n";

fn main() {
    // `cargo test --benches` runs it too, with this argument and no time.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = Postgres::builder()
            .max_connections(300)
            .start()
            .await
            .unwrap();
        let bench = Bench::new(&server).await;
        bench.charges().await;
        bench.reservations("one product", UPDATE_ONE, 1).await;
        bench
            .reservations("100 products", UPDATE_ANY, PRODUCTS)
            .await;
        bench.long_past().await;
        files().await;
        drop(server);
    });
}

struct Bench<'a> {
    server: &'a Postgres,
    location: String,
    orders: AtomicU32,
    folder: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    async fn new(server: &'a Postgres) -> Self {
        let location = format!("{}?connections=64", server.url());
        let bench = Self {
            server,
            location,
            orders: AtomicU32::new(0),
            folder: tempfile::tempdir().unwrap(),
        };
        bench.psql(TABLES);
        let inventory = bench.inventory().await;
        for product in 1..=PRODUCTS {
            inventory
                .set_stock(&product.to_string(), 10_000, "bench")
                .await
                .unwrap();
        }
        bench
    }

    async fn inventory(&self) -> Inventory {
        let location = Location::from(self.location.as_str());
        Inventory::open(&location, SystemTime::now).await.unwrap()
    }

    fn psql(&self, sql: &str) -> String {
        let output = Command::new(self.server.program("psql"))
            .args(["-qtAc", sql])
            .arg(self.server.url())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Transactions per second of a script of `pgbench`.
    fn pgbench(&self, script: &str, connections: usize) -> f64 {
        let file = self.folder.path().join("script.sql");
        std::fs::write(&file, script).unwrap();
        let output = Command::new(self.server.program("pgbench"))
            .args([
                "-n",
                "-M",
                "prepared",
                "-j",
                "2",
                "-T",
                &TIME.as_secs().to_string(),
            ])
            .args(["-c", &connections.to_string(), "-f"])
            .arg(&file)
            .arg(self.server.url())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let tps = printed.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.unwrap_or_else(|| panic!("{output:?}"));
        tps.split(' ').next().unwrap().parse().unwrap()
    }

    /// Reserved orders that nobody has charged yet. They are written by SQL, as there may be a million.
    fn reserve(&self, count: u32) -> u32 {
        let first = self.orders.fetch_add(count, Ordering::Relaxed) + 1;
        let last = first + count - 1;
        self.psql(&format!(
            "insert into inventory_ledger select nextval('inventory_seq'), now(), 'order-' || n, '1', \
             'reserved', 1, 1, 'order-' || n || '/run/reserve/1', null, null, null, false, false \
             from generate_series({first}, {last}) n"
        ));
        first
    }

    /// Charges per second, over so many connections.
    async fn charge(&self, connections: usize) -> f64 {
        let inventory = self.inventory().await;
        let first = self.reserve(40_000);
        let next = Arc::new(AtomicU32::new(first));
        rate(connections, || {
            let (inventory, next) = (inventory.clone(), next.clone());
            async move {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let placement = Placement::new(format!("order-{number}"), "run");
                inventory.record_charge(&placement, "****56").await.unwrap();
            }
        })
        .await
    }

    async fn charges(&self) {
        println!("charges, beside a single insert");
        for connections in CONNECTIONS {
            let mut pairs = Vec::new();
            for _ in 0..ROUNDS {
                let theirs = self.pgbench(INSERT, connections);
                pairs.push((theirs, self.charge(connections).await));
            }
            print(connections, pairs);
        }
    }

    /// Reservations, each followed by its release so that the shelves do not run empty.
    async fn reservations(&self, what: &str, script: &str, products: u32) {
        println!("changes of the stock of {what}, beside a single update");
        for connections in CONNECTIONS {
            let mut pairs = Vec::new();
            for _ in 0..ROUNDS {
                let theirs = self.pgbench(script, connections);
                let inventory = self.inventory().await;
                let next = Arc::new(AtomicU32::new(0));
                let run = format!("{:x}", rand::random::<u32>());
                let orders = rate(connections, || {
                    let (inventory, next, run) = (inventory.clone(), next.clone(), run.clone());
                    async move {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let product = (number % products + 1).to_string();
                        let placement = Placement::new(format!("stock-{run}-{number}"), "run");
                        let items = [Item::new(product, 1)];
                        inventory.reserve(&placement, &items).await.unwrap();
                        inventory.release(&placement).await.unwrap();
                    }
                });
                pairs.push((theirs, 2.0 * orders.await));
            }
            print(connections, pairs);
        }
    }

    /// The time of a charge, with few and with many past orders.
    async fn long_past(&self) {
        println!("charges after so many past orders, over 8 connections");
        let mut rates = Vec::new();
        for past in [FEW, MANY] {
            self.psql("truncate inventory_ledger");
            self.reserve(past);
            self.psql("vacuum analyze inventory_ledger");
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(self.charge(8).await);
            }
            let rate = median(rounds);
            println!("  {past:>9} orders  {rate:>8.0}/s");
            rates.push(rate);
        }
        println!("  a charge takes {:.2} times as long", rates[0] / rates[1]);
    }
}

/// Charges in files, where one change goes after the other.
async fn files() {
    println!("charges in files");
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("inventory.json").into();
    let inventory = Inventory::open(&location, SystemTime::now).await.unwrap();
    let next = Arc::new(AtomicU32::new(0));
    for tasks in [1, 8] {
        let rate = rate(tasks, || {
            let (inventory, next) = (inventory.clone(), next.clone());
            async move {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let placement = Placement::new(format!("order-{number}"), "run");
                let items = [Item::new("123456", 1)];
                inventory.reserve(&placement, &items).await.unwrap();
                inventory.release(&placement).await.unwrap();
            }
        });
        println!("  {tasks:>2} at once  {:>8.0} changes/s", 2.0 * rate.await);
    }
}

/// How often a second `work` is done, by so many at once.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    at_once: usize,
    work: impl Fn() -> F,
) -> f64 {
    // Connections are made, and statements prepared, before the time counts.
    join_all((0..at_once).map(|_| work())).await;
    let begun = Instant::now();
    let works = (0..at_once).map(|_| async {
        let mut done = 0;
        while begun.elapsed() < TIME {
            tokio::spawn(work()).await.unwrap();
            done += 1;
        }
        done
    });
    let done: u32 = join_all(works).await.into_iter().sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}

fn print(connections: usize, pairs: Vec<(f64, f64)>) {
    let theirs = median(pairs.iter().map(|(theirs, _)| *theirs).collect());
    let ours = median(pairs.iter().map(|(_, ours)| *ours).collect());
    let ratio = median(pairs.iter().map(|(theirs, ours)| ours / theirs).collect());
    println!(
        "  {connections:>2} connections  pgbench {theirs:>8.0}/s  inventory {ours:>8.0}/s  ratio {ratio:.2}"
    );
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
