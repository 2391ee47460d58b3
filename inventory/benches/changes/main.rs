//! How fast the inventory changes: with 1, 8 and 64 callers at once, in one
//! process and in four, and with 1 thousand, 100 thousand and 1 million past
//! orders; and how long it takes to open.
//!
//! ```text
//! cargo bench -p inventory
//! ```
//!
//! takes about four minutes. At the end stands a table that says whether the
//! time for a change stays flat: the three sizes take turns there, so what else
//! the machine does meanwhile hits all of them alike. That part, or the rest,
//! by itself:
//!
//! ```text
//! cargo bench -p inventory -- flat
//! cargo bench -p inventory -- open
//! cargo bench -p inventory -- change
//! ```
//!
//! Everything is written to the system's folder for temporary files (`TMPDIR`):
//! the figures are those of its disk. It takes 1 GB there.

mod crew;
mod flat;
mod past;

use std::time::{Duration, SystemTime};

use crew::Crew;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use inventory::Inventory;
use past::Past;

/// Past orders.
const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Processes, and callers in all of them together.
const CREWS: [(u64, u64); 5] = [(1, 1), (1, 8), (1, 64), (4, 8), (4, 64)];

fn name((processes, callers): (u64, u64)) -> String {
    let plural = if processes == 1 { "" } else { "es" };
    format!("{processes} process{plural}, {callers} at once")
}

fn open(criterion: &mut Criterion, pasts: &[Past]) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    for past in pasts {
        group.throughput(Throughput::Elements(past.orders.into()));
        group.bench_function(BenchmarkId::new("past orders", past.orders), |bencher| {
            bencher.iter_with_large_drop(|| Inventory::open(&past.path, SystemTime::now).unwrap());
        });
    }
    group.finish();
}

fn change(criterion: &mut Criterion, pasts: &[Past]) {
    for crew in CREWS {
        let mut group = criterion.benchmark_group(format!("change/{}", name(crew)));
        group.throughput(Throughput::Elements(1));
        group.sampling_mode(SamplingMode::Flat);
        for past in pasts {
            // Hired outside of what is measured, and only if it is measured.
            let mut hired = None;
            group.bench_function(BenchmarkId::new("past orders", past.orders), |bencher| {
                let hired = hired.get_or_insert_with(|| Crew::hire(&past.path, crew.0));
                bencher.iter_custom(|changes| hired.make(crew.1, changes));
            });
        }
        group.finish();
    }
}

fn main() {
    if crew::work_if_hired() {
        return;
    }
    // Without it, each part runs once to see that it does.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let sizes = if measures { &SIZES[..] } else { &SIZES[..1] };
    let pasts: Vec<_> = sizes.iter().map(|orders| past::make(*orders)).collect();
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    open(&mut criterion, &pasts);
    change(&mut criterion, &pasts);
    criterion.final_summary();
    if filter.is_none_or(|filter| filter == "flat") {
        flat::report(&pasts, if measures { 75 } else { 1 });
    }
}
