//! A database that fails while orders are under way costs retries, and nothing else.

#![cfg(unix)]

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::SystemTime};

use common::{Scene, TASK_QUEUE, WorkerProcess, ended, order, result, until};
use inventory::{Inventory, Location, Standing};
use servers::Postgres;
use starter::follow::OrderHandle;
use tokio_postgres::NoTls;
use workflows::OrderOutcome;

const ORDERS: usize = 24;

/// Two workers on one database, and orders under way on them.
struct Load {
    scene: Scene,
    database: Postgres,
    /// Where the workers find the inventory.
    address: String,
    workers: [WorkerProcess; 2],
    orders: Vec<OrderHandle>,
}

impl Load {
    async fn on(database: Postgres) -> Self {
        let address = database.url();
        Self::at(database, address).await
    }

    async fn at(database: Postgres, address: String) -> Self {
        let mut load = Self::idle(database, address).await;
        load.place().await;
        load
    }

    /// The workers, without orders.
    async fn idle(database: Postgres, address: String) -> Self {
        let scene = Scene::new().await;
        let workers = ["one.log", "other.log"].map(|log| {
            let usual = ["--task-queue", TASK_QUEUE, "--fault-rate", "0"];
            let these = ["--address", &scene.server.address(), "--database", &address];
            WorkerProcess::command(&[usual, these].concat(), scene.path(log))
        });
        for worker in &workers {
            worker.says("worker ready").await;
        }
        Self {
            scene,
            database,
            address,
            workers,
            orders: Vec::new(),
        }
    }

    async fn place(&mut self) {
        for _ in 0..ORDERS {
            self.place_one().await;
        }
    }

    async fn place_one(&mut self) {
        let order = order(&format!("order-{}", self.orders.len() + 1), 1);
        self.orders.push(self.scene.place(&order).await);
    }

    async fn inventory(&self) -> Inventory {
        let location = Location::from(self.address.as_str());
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
        let location = Location::from(self.address.as_str());
        let inventory = Inventory::open(&location, SystemTime::now).await.unwrap();
        let audit = inventory.audit().await.unwrap();
        assert!(audit.is_clean(), "{:?}", audit.findings);
        assert_eq!(audit.count(Standing::Completed), self.orders.len());
        for order in &audit.orders {
            for it in &order.submissions {
                assert_eq!((it.reserved, it.charged, it.shipped), (1, 1, 1), "{it:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_is_killed_under_load_costs_retries_only() {
    let mut load = Load::on(Postgres::builder().start().await.unwrap()).await;
    for charges in [2, ORDERS / 2] {
        load.charged(charges).await;
        load.database.kill().await.unwrap();
        // The others may be done already.
        load.place_one().await;
        until("a worker to notice", async || {
            load.workers_said("the inventory at postgres://")
                .then_some(())
        })
        .await;
        load.database.restart().await.unwrap();
    }
    load.all_happened_once().await;
}

/// Takes every connection that is free, and ends those of others.
async fn take_connections(url: &str, taken: &mut Vec<tokio_postgres::Client>) {
    while let Ok((client, connection)) = tokio_postgres::connect(url, NoTls).await {
        tokio::spawn(connection);
        client
            .batch_execute("set application_name = 'greedy'")
            .await
            .unwrap();
        taken.push(client);
    }
    let end_others = "select pg_terminate_backend(pid) from pg_stat_activity \
                      where backend_type = 'client backend' and application_name <> 'greedy'";
    taken[0].batch_execute(end_others).await.unwrap();
}

#[tokio::test]
async fn a_database_without_free_connections_costs_retries_only() {
    let database = Postgres::builder().max_connections(5);
    let database = database.setting("superuser_reserved_connections", "0");
    let database = database.start().await.unwrap();
    let url = database.url();
    let mut load = Load::idle(database, url.clone()).await;
    let mut taken = Vec::new();
    take_connections(&url, &mut taken).await;
    load.place().await;
    until("the connections to run out", async || {
        take_connections(&url, &mut taken).await;
        load.workers_said("too many clients already").then_some(())
    })
    .await;
    drop(taken);
    load.all_happened_once().await;
}

/// A primary, and a standby that has each change before the primary says that it is committed.
async fn primary_and_standby(folder: &Path) -> (Postgres, Postgres) {
    let [one, other] = ["one", "other"].map(|name| folder.join(name));
    let mut original = Postgres::builder().folder(&one).start().await.unwrap();
    original.stop().await.unwrap();
    drop(original);
    let copied = Command::new("cp").arg("-a").args([&one, &other]).status();
    assert!(copied.unwrap().success());
    fs::write(other.join("data/standby.signal"), "").unwrap();

    let primary = Postgres::builder().folder(one);
    let primary = primary.setting("synchronous_standby_names", "*");
    let primary = primary.start().await.unwrap();
    let standby = Postgres::builder().folder(other);
    let standby = standby.setting("primary_conninfo", primary.url());
    (primary, standby.start().await.unwrap())
}

#[tokio::test]
async fn a_database_that_fails_over_to_its_standby_costs_retries_only() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs as another user if this test runs as root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (primary, standby) = primary_and_standby(folder.path()).await;
    let (url, port) = (primary.url(), primary.address().port());
    let both = url.replace(
        &format!(":{port}/"),
        &format!(":{port},{}/", standby.address()),
    );
    let address = format!("{both}?target_session_attrs=read-write");
    let mut load = Load::at(primary, address).await;
    load.charged(ORDERS / 2).await;
    load.database.kill().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&standby.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.execute("select pg_promote()", &[]).await.unwrap();
    load.all_happened_once().await;
}
