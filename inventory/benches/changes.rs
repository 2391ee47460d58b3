//! How fast the inventory changes: with 1, 8 and 64 callers at once, in one
//! process and in several, and with 1 thousand, 100 thousand and 1 million past
//! orders; and how long it takes to open.
//!
//! Everything is written to the system's folder for temporary files (`TMPDIR`):
//! the figures are those of its disk.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use criterion::{BenchmarkId, Criterion, Throughput};
use inventory::{Inventory, Item, Placement};
use tempfile::TempDir;

const PRODUCT: &str = "123456";

/// Set for a process that this benchmark starts: the inventory file and how
/// many changes to make.
const CHILD: &str = "INVENTORY_BENCH_CHILD";

/// More than all the orders take.
const OPENING: u32 = 4_000_000_000;

/// Tells the orders of all runs apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Past {
    _folder: TempDir,
    path: PathBuf,
}

/// An inventory with so many past orders: reserved, charged and shipped.
fn past(orders: u32) -> Past {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inventory.json");
    let mut ledger = BufWriter::new(File::create(folder.path().join("ledger.jsonl")).unwrap());
    let mut seq = 0;
    for number in 1..=orders {
        let in_stock = OPENING - number;
        let mut line = |change: &str, step: &str, further: &str| {
            seq += 1;
            writeln!(
                ledger,
                r#"{{"seq":{seq},"at":"2026-11-22T07:00:00Z","orderID":"past-{number}","productID":"{PRODUCT}","change":"{change}","quantity":1,"inStock":{in_stock},"key":"past-{number}/019ac3b2-7d11-7c5e-9d0a-3f6f0c1b2a4d/{step}"{further}}}"#
            )
            .unwrap();
        };
        line("reserved", "reserve/123456", "");
        line(
            "charged",
            "charge",
            r#","confirmation":"charge-000002","payment":"VISA-******""#,
        );
        line(
            "shipped",
            "ship/123456",
            r#","confirmation":"shipment-000003""#,
        );
    }
    ledger.into_inner().unwrap().sync_all().unwrap();
    let file = format!(
        r#"{{"orderID":"past-{orders}","productID":"{PRODUCT}","inStock":{}}}"#,
        OPENING - orders
    );
    fs::write(&path, file).unwrap();
    Past {
        _folder: folder,
        path,
    }
}

fn open(path: &Path) -> Inventory {
    Inventory::open(path, SystemTime::now).unwrap()
}

fn change(inventory: &Inventory) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let placement = Placement::new(
        format!("order-{}-{number}", std::process::id()),
        "019ac3b2-7d11-7c5e-9d0a-3f6f0c1b2a4d",
    );
    inventory
        .reserve(&placement, &[Item::new(PRODUCT, 1)])
        .unwrap();
}

/// Makes `changes` changes, shared by so many threads.
fn by_threads(inventory: &Inventory, threads: u64, changes: u64) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let share = changes / threads + u64::from(thread < changes % threads);
            scope.spawn(move || (0..share).for_each(|_| change(inventory)));
        }
    });
    start.elapsed()
}

fn changes(criterion: &mut Criterion) {
    for orders in [1_000, 100_000, 1_000_000] {
        let past = past(orders);
        let inventory = open(&past.path);
        let mut group = criterion.benchmark_group(format!("change/{orders} past orders"));
        group.throughput(Throughput::Elements(1));
        for threads in [1, 8, 64] {
            group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
                bencher.iter_custom(|changes| by_threads(&inventory, threads, changes));
            });
        }
        group.finish();
    }
}

fn processes(criterion: &mut Criterion) {
    let past = past(1_000);
    let inventory = open(&past.path);
    let mut group = criterion.benchmark_group("change/several processes");
    group.throughput(Throughput::Elements(1));
    for processes in [2, 4] {
        group.bench_function(
            BenchmarkId::new("processes of 8 threads", processes),
            |bencher| {
                bencher.iter_custom(|changes| {
                    // Started and stopped outside of what is measured: each one
                    // tells how long its share took.
                    let share = changes.div_ceil(processes).to_string();
                    let children: Vec<_> = (1..processes)
                        .map(|_| {
                            let mut child = Command::new(std::env::current_exe().unwrap());
                            child.env(CHILD, format!("{share} {}", past.path.display()));
                            child.stdout(std::process::Stdio::piped());
                            child.spawn().unwrap()
                        })
                        .collect();
                    let own = by_threads(&inventory, 8, share.parse().unwrap());
                    let times = children.into_iter().map(|child| {
                        let output = child.wait_with_output().unwrap();
                        let micros = String::from_utf8(output.stdout).unwrap();
                        Duration::from_micros(micros.trim().parse().unwrap())
                    });
                    times.fold(own, Duration::max)
                });
            },
        );
    }
    group.finish();
}

fn opening(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    for orders in [1_000, 100_000, 333_334, 1_000_000] {
        let past = past(orders);
        group.throughput(Throughput::Elements(u64::from(orders) * 3));
        group.bench_function(BenchmarkId::new("past orders", orders), |bencher| {
            bencher.iter(|| open(&past.path));
        });
    }
    group.finish();
}

fn main() {
    if let Ok(task) = std::env::var(CHILD) {
        let (changes, path) = task.split_once(' ').unwrap();
        let inventory = open(Path::new(path));
        let time = by_threads(&inventory, 8, changes.parse().unwrap());
        println!("{}", time.as_micros());
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    changes(&mut criterion);
    processes(&mut criterion);
    opening(&mut criterion);
    criterion.final_summary();
}
