//! Those who make changes: threads of this process, and of others that it
//! starts from its own program.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use inventory::{Inventory, Placement};
use orders::Item;

use crate::past::PRODUCT;

/// Set for a process that was started here: the inventory file.
const HIRED_FOR: &str = "INVENTORY_BENCH_FILE";

/// Tells the orders of all runs apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Processes with one inventory open.
pub struct Crew {
    inventory: Inventory,
    others: Vec<Other>,
}

/// Another process. It gets a line with callers and changes, and answers with a
/// line when they are made; it ends when there is nobody left to give it one.
struct Other {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Crew {
    /// So many processes, this one included; returns when all have the
    /// inventory open.
    pub fn hire(path: &Path, processes: u64) -> Self {
        let mut others: Vec<_> = (1..processes).map(|_| Other::start(path)).collect();
        let inventory = Inventory::open(path, SystemTime::now).unwrap();
        others.iter_mut().for_each(Other::wait);
        Self { inventory, others }
    }

    /// Makes so many changes, shared by so many callers in all processes;
    /// returns how long it took.
    pub fn make(&mut self, callers: u64, changes: u64) -> Duration {
        let processes = self.others.len() as u64 + 1;
        let (callers, changes) = (callers / processes, changes.div_ceil(processes));
        let start = Instant::now();
        for other in &mut self.others {
            let orders = other.orders.as_mut().unwrap();
            writeln!(orders, "{callers} {changes}").unwrap();
        }
        make(&self.inventory, callers, changes);
        self.others.iter_mut().for_each(Other::wait);
        start.elapsed()
    }
}

impl Other {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(HIRED_FOR, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            orders: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn wait(&mut self) {
        let read = self.answers.read_line(&mut String::new()).unwrap();
        assert_ne!(read, 0, "another process of the benchmark failed");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// What a process does that was started here; false if this is none.
pub fn work_if_hired() -> bool {
    let Some(path) = std::env::var_os(HIRED_FOR) else {
        return false;
    };
    let inventory = Inventory::open(path, SystemTime::now).unwrap();
    println!("open");
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        let (callers, changes) = order.split_once(' ').unwrap();
        make(
            &inventory,
            callers.parse().unwrap(),
            changes.parse().unwrap(),
        );
        println!("made");
    }
    true
}

fn make(inventory: &Inventory, callers: u64, changes: u64) {
    thread::scope(|scope| {
        for caller in 0..callers {
            let share = changes / callers + u64::from(caller < changes % callers);
            scope.spawn(move || steps(inventory, share));
        }
    });
}

/// Makes so many changes: the steps of one order after the other.
fn steps(inventory: &Inventory, changes: u64) {
    let items = [Item::new(PRODUCT, 1)];
    let mut placement = Placement::new("", "019ac3b2-7d11-7c5e-9d0a-3f6f0c1b2a4d");
    for change in 0..changes {
        match change % 3 {
            0 => {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                placement.order_id = format!("order-{}-{number}", std::process::id());
                inventory.reserve(&placement, &items).unwrap();
            }
            1 => {
                inventory.record_charge(&placement, "*********56").unwrap();
            }
            _ => {
                inventory
                    .record_shipment(&placement, &items[0], None)
                    .unwrap();
            }
        }
    }
}
