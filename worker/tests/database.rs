//! A database that fails while orders are under way costs retries, and nothing else.

#![cfg(unix)]

mod common;

use std::time::SystemTime;

use common::{Scene, TASK_QUEUE, WorkerProcess, ended, order, result, until};
use inventory::{Inventory, Location, Standing};
use servers::{Postgres, PostgresBuilder};
use starter::follow::OrderHandle;
use workflows::OrderOutcome;

const ORDERS: usize = 24;

/// Two workers on one database, and orders under way on them.
struct Load {
    _scene: Scene,
    database: Postgres,
    workers: [WorkerProcess; 2],
    orders: Vec<OrderHandle>,
}

impl Load {
    async fn on(database: PostgresBuilder) -> Self {
        let database = database.start().await.unwrap();
        let scene = Scene::new().await;
        let url = database.url();
        let workers = ["one.log", "other.log"].map(|log| {
            let usual = ["--task-queue", TASK_QUEUE, "--fault-rate", "0"];
            let these = ["--address", &scene.server.address(), "--database", &url];
            WorkerProcess::command(&[usual, these].concat(), scene.path(log))
        });
        for worker in &workers {
            worker.says("worker ready").await;
        }
        let mut orders = Vec::new();
        for number in 1..=ORDERS {
            orders.push(scene.place(&order(&format!("order-{number}"), 1)).await);
        }
        Self {
            _scene: scene,
            database,
            workers,
            orders,
        }
    }

    async fn inventory(&self) -> Inventory {
        let location = Location::from(self.database.url().as_str());
        Inventory::open(&location, SystemTime::now).await.unwrap()
    }

    /// Waits until so many customers are charged.
    async fn charged(&self, count: usize) {
        let inventory = self.inventory().await;
        until("the charges", async || {
            let audit = inventory.audit().await.unwrap();
            let submissions = audit.orders.iter().flat_map(|order| &order.submissions);
            (submissions.filter(|it| it.charged > 0).count() >= count).then_some(())
        })
        .await;
    }

    /// Whether a worker's log has this.
    fn workers_said(&self, text: &str) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.log().contains(text))
    }

    /// Every order completes, and everything happened once.
    async fn all_happened_once(self) {
        for handle in &self.orders {
            let result = result(ended(handle).await);
            assert_eq!(result.outcome, OrderOutcome::Managed);
        }
        // They may hold every connection there is.
        for worker in self.workers {
            worker.kill().await;
        }
        let location = Location::from(self.database.url().as_str());
        let inventory = Inventory::open(&location, SystemTime::now).await.unwrap();
        let audit = inventory.audit().await.unwrap();
        assert!(audit.is_clean(), "{:?}", audit.findings);
        assert_eq!(audit.count(Standing::Completed), ORDERS);
        for order in &audit.orders {
            for it in &order.submissions {
                assert_eq!((it.reserved, it.charged, it.shipped), (1, 1, 1), "{it:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_is_killed_under_load_costs_retries_only() {
    let mut load = Load::on(Postgres::builder()).await;
    for charges in [2, ORDERS / 2] {
        load.charged(charges).await;
        load.database.kill().await.unwrap();
        until("a worker to notice", async || {
            load.workers_said("the inventory at postgres://")
                .then_some(())
        })
        .await;
        load.database.restart().await.unwrap();
    }
    load.all_happened_once().await;
}

#[tokio::test]
async fn a_database_without_free_connections_costs_retries_only() {
    let database = Postgres::builder().max_connections(5);
    let load = Load::on(database.setting("superuser_reserved_connections", "0")).await;
    until("the connections to run out", async || {
        load.workers_said("too many clients already").then_some(())
    })
    .await;
    load.all_happened_once().await;
}
