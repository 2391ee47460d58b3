//! Many orders at once, while processes are killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use orders::Order;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    demos::{
        fate::{self, End, Fate},
        storm,
    },
    live::backstage::{Backstage, SERVER},
};

/// Orders under way at a time: enough that a kill hits several.
const AT_A_TIME: usize = 8;

/// How long a process stays dead, so that it is seen.
pub const DEAD_FOR: Duration = Duration::from_secs(1);

/// What is killed while many orders run.
#[derive(Clone, Copy)]
pub struct Kills {
    /// How often something is killed, spread over the orders' progress.
    pub count: u32,
    /// Of so many kills one is the server's, if any.
    pub server_every: Option<u32>,
}

/// Places the orders, kills while they run and starts again what it killed, and waits until all have
/// ended or are lost. Says after each how many have completed so far. Returns how many did.
pub async fn run(
    backstage: &Arc<Backstage>,
    orders: &[Order],
    kills: Kills,
    completed: impl Fn(u32) + Sync,
) -> u32 {
    let (done, good) = (AtomicUsize::new(0), AtomicU32::new(0));
    let placing = async {
        let mut ends = stream::iter(orders.to_vec())
            .map(|order| async move {
                let (client, queue) = (&backstage.client, &backstage.task_queue);
                fate::place(client, queue, &order, &Fate::Placed).await.end
            })
            .buffer_unordered(AT_A_TIME);
        while let Some(end) = ends.next().await {
            done.fetch_add(1, Ordering::Relaxed);
            if end == End::Completed {
                completed(1 + good.fetch_add(1, Ordering::Relaxed));
            }
        }
    };
    let killing = kill_all(backstage, orders.len(), kills, &done);
    tokio::join!(placing, killing);
    good.into_inner()
}

async fn kill_all(backstage: &Arc<Backstage>, orders: usize, kills: Kills, done: &AtomicUsize) {
    let mut random = StdRng::seed_from_u64(rand::random());
    for number in 1..=kills.count {
        storm::until_due(number, kills.count, orders, done, &mut random).await;
        let every = kills.server_every;
        let victim = match backstage.alive() {
            _ if every.is_some_and(|every| number.is_multiple_of(every)) => SERVER,
            alive if alive.is_empty() => continue,
            alive => alive[random.random_range(0..alive.len())],
        };
        // A person may have been quicker, with this kill or with a start.
        let _ = backstage.kill(victim).await;
        tokio::time::sleep(DEAD_FOR).await;
        let dead = backstage.dead();
        for name in &dead {
            let _ = backstage.start(name).await;
        }
        let _ = backstage.until_ready(&dead).await;
    }
}
