//! Many orders on several workers, and kills at random while they run.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use activities::faults::FaultRate;
use futures::{StreamExt, stream};
use orders::Order;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    demos::fate::{self, Fate, Placed},
    process::WorkerProcess,
    stage::Stage,
};

/// Orders under way at a time: enough that a kill hits several, and few enough that the last kill
/// still finds some.
const AT_A_TIME: usize = 8;

/// What the storm is to be.
pub struct Storm {
    /// The orders to place, and what happens to each.
    pub orders: Vec<(Order, Fate)>,
    /// Worker processes at a time.
    pub workers: u32,
    /// Processes to kill, spread over the orders' progress.
    pub kills: u32,
    /// Of so many kills one is the server's, if any.
    pub server_every: Option<u32>,
    /// How many attempts fail at random.
    pub fault_rate: FaultRate,
    /// What the kills and the faults are drawn from.
    pub seed: u64,
}

/// One kill.
pub struct Kill {
    /// What was killed, such as `worker 1234`.
    pub what: String,
    /// Whether it was the server's.
    pub of_server: bool,
    /// When.
    pub at: SystemTime,
    /// When the one that takes the place was ready.
    pub replaced_at: SystemTime,
}

/// Places the orders, kills while they run, and waits until all are done or lost.
///
/// # Errors
/// Returns an error if a process cannot be started again.
pub async fn run(stage: &mut Stage, storm: &Storm) -> anyhow::Result<(Vec<Placed>, Vec<Kill>)> {
    stage.fault_seed = storm.seed;
    let mut random = StdRng::seed_from_u64(storm.seed);
    let mut workers = Vec::new();
    for _ in 0..storm.workers {
        workers.push(worker(stage, storm.fault_rate).await?);
    }
    let bar = stage.voice.bar(storm.orders.len() as u64, "orders done");
    let done = AtomicUsize::new(0);
    let (client, task_queue) = (stage.client.clone(), stage.task_queue().to_owned());
    let placing = async {
        let placed: Vec<Placed> = stream::iter(&storm.orders)
            .map(|(order, fate)| fate::place(&client, &task_queue, order, fate))
            .buffer_unordered(AT_A_TIME)
            .inspect(|_| {
                done.fetch_add(1, Ordering::Relaxed);
                bar.inc(1);
            })
            .collect()
            .await;
        anyhow::Ok(placed)
    };
    let killing = kill_all(stage, storm, &mut workers, &mut random, &done);
    let outcome = tokio::try_join!(placing, killing)?;
    bar.finish_and_clear();
    for mut worker in workers {
        // One that crashed after the last order has nothing to end.
        if worker.check_running().is_ok() {
            stage.stop(worker).await?;
        }
    }
    Ok(outcome)
}

async fn worker(stage: &mut Stage, fault_rate: FaultRate) -> anyhow::Result<WorkerProcess> {
    stage
        .worker(&["--fault-rate", &fault_rate.to_string()])
        .await
}

/// Waits until a kill is due: the kills are spread over the orders' progress, and hit somewhere in a step, not
/// always right after an order's end. They are counted from 1.
pub async fn until_due(
    number: u32,
    kills: u32,
    orders: usize,
    done: &AtomicUsize,
    random: &mut StdRng,
) {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let due = orders * (number as usize - 1) / kills as usize;
    while done.load(Ordering::Relaxed) < due {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
}

/// Kills as often as was asked for.
async fn kill_all(
    stage: &mut Stage,
    storm: &Storm,
    workers: &mut [WorkerProcess],
    random: &mut StdRng,
    done: &AtomicUsize,
) -> anyhow::Result<Vec<Kill>> {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let voice = stage.voice.clone();
    let mut kills = Vec::new();
    for number in 1..=storm.kills {
        until_due(number, storm.kills, storm.orders.len(), done, random).await;
        let at = SystemTime::now();
        let of_server = storm
            .server_every
            .is_some_and(|every| number.is_multiple_of(every));
        let what = if of_server {
            stage.kill_server().await?;
            "the server".to_owned()
        } else {
            let victim = &mut workers[random.random_range(0..storm.workers as usize)];
            let pid = victim.pid();
            // The SDK can panic when the server is killed. Such a worker is as dead as one that is killed.
            let crashed = victim.kill().await.is_err();
            *victim = worker(stage, storm.fault_rate).await?;
            let by_itself = if crashed { ", which had crashed" } else { "" };
            format!("worker {pid}{by_itself}")
        };
        let done = done.load(Ordering::Relaxed);
        let line = format!(
            "kill {number}: {what}; {done} of {} orders done",
            storm.orders.len()
        );
        voice.quote(&line);
        kills.push(Kill {
            what,
            of_server,
            at,
            replaced_at: SystemTime::now(),
        });
    }
    while done.load(Ordering::Relaxed) < storm.orders.len() {
        for crashed in workers.iter_mut() {
            if crashed.check_running().is_err() {
                voice.quote(&format!(
                    "worker {} crashed; another takes its place",
                    crashed.pid()
                ));
                *crashed = worker(stage, storm.fault_rate).await?;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(kills)
}
