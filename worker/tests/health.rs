//! Whether a worker says that it is ready when it is, and only then.

mod common;
#[path = "common/http.rs"]
mod http;

use std::{net::SocketAddr, path::Path, process::Command, time::SystemTime};

use common::{Scene, WorkerProcess, ended, order, result, status, until};
use http::{address, get};
use inventory::Inventory;
use nix::sys::signal::Signal;
use servers::{CliSearch, DevServer, Postgres, project_dir};
use workflows::OrderOutcome;

const HEALTH: [&str; 2] = ["--health-address", "127.0.0.1:0"];

/// Waits until the worker says this of itself.
async fn says(health: SocketAddr, status: u16, text: &str) {
    until(&format!("{status} {text:?}"), async || {
        let (said, why) = get(health, "/ready").await;
        (said == status && why.contains(text)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_worker_is_ready_while_there_is_a_server_and_only_then() {
    let cli = CliSearch::from_env(&project_dir())
        .find_or_fetch(|_| ())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::builder(cli)
        .db_file(folder.path().join("server.db"))
        .start()
        .await
        .unwrap();
    server.stop().await.unwrap();
    let worker = WorkerProcess::start(
        &server.address(),
        &folder.path().join("inventory.json"),
        &HEALTH,
        folder.path().join("worker.log"),
    );
    let health = address(&worker, "health").await;
    says(health, 503, "not connected").await;
    server.restart().await.unwrap();
    says(health, 200, "ready").await;
    server.kill().await.unwrap();
    says(health, 503, "does not answer").await;
    assert_eq!(get(health, "/live").await.0, 200);
    server.restart().await.unwrap();
    says(health, 200, "ready").await;
}

#[tokio::test]
async fn a_worker_that_stops_is_not_ready() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let mut worker = scene.worker(&[&HEALTH[..], &["--hold", &hold]].concat());
    let health = address(&worker, "health").await;
    says(health, 200, "ready").await;
    scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    worker.signal(Signal::SIGTERM);
    worker.says("stopping").await;
    says(health, 503, "stopping").await;
    std::fs::remove_file(&held).unwrap();
    assert!(worker.ended().await.success(), "{}", worker.log());
}

/// The server is there, and still nobody polls for activities.
#[tokio::test]
async fn a_worker_whose_slots_are_all_taken_is_not_ready() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let flags = ["--max-activities", "1", "--hold", &hold];
    let worker = scene.worker(&[&HEALTH[..], &flags].concat());
    let health = address(&worker, "health").await;
    says(health, 200, "ready").await;
    scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    says(health, 503, "no poll for activity tasks").await;
    std::fs::remove_file(&held).unwrap();
    says(health, 200, "ready").await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_says_which_flag() {
    let scene = Scene::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--health-address", "--metrics-address"] {
        let mut worker = scene.worker(&[flag, &address]);
        assert!(!worker.ended().await.success());
        let log = worker.log();
        for word in [flag, &address, "in use"] {
            assert!(log.contains(word), "{log}");
        }
    }
}

/// While the inventory cannot be used, the worker says so and takes no order; then it takes them.
async fn waits_for_its_inventory(
    scene: &Scene,
    database: &str,
    why: &str,
    repair: impl AsyncFnOnce(),
) {
    let worker = WorkerProcess::start(
        &scene.server.address(),
        Path::new(database),
        &HEALTH,
        scene.path("worker.log"),
    );
    worker
        .says("takes no orders, for its inventory cannot be used")
        .await;
    let health = address(&worker, "health").await;
    says(health, 503, why).await;
    let handle = scene.place(&order("order-1", 10)).await;
    assert!(worker.log().contains(why), "{}", worker.log());
    assert!(!worker.log().contains("worker ready"), "{}", worker.log());

    repair().await;
    says(health, 200, "ready").await;
    let result = result(ended(&handle).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    // Nothing was tried before, in vain.
    for step in status(&handle).await.steps {
        assert_eq!(step.attempts, 1, "{step:?}");
    }
    let told = worker.log().matches("takes no orders").count();
    assert_eq!(told, 1, "{}", worker.log());
}

#[tokio::test]
async fn a_worker_with_a_damaged_ledger_is_not_ready_until_it_is_repaired() {
    let scene = Scene::new().await;
    let inventory = scene.inventory().await;
    inventory.set_stock("123456", 900, "a test").await.unwrap();
    let ledger = scene.path("ledger.jsonl");
    let intact = std::fs::read_to_string(&ledger).unwrap();
    std::fs::write(&ledger, intact.replace("a test", "A TEST")).unwrap();
    let database = scene.database();
    waits_for_its_inventory(
        &scene,
        database.to_str().unwrap(),
        "ledger.jsonl, line 2: ",
        async || std::fs::write(&ledger, intact).unwrap(),
    )
    .await;
}

#[tokio::test]
async fn a_worker_whose_database_is_away_is_not_ready_until_it_is_back() {
    let scene = Scene::new().await;
    let mut database = Postgres::builder().start().await.unwrap();
    database.stop().await.unwrap();
    let url = database.url();
    waits_for_its_inventory(&scene, &url, "cannot ", async || {
        database.restart().await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_worker_whose_database_has_a_newer_schema_is_not_ready() {
    let scene = Scene::new().await;
    let database = Postgres::builder().start().await.unwrap();
    let url = database.url();
    let location = url.as_str().into();
    Inventory::open(&location, SystemTime::now).await.unwrap();
    let set_version = |version: &str| {
        let set = format!("update inventory_meta set version = version {version}");
        let psql = database.program("psql");
        let done = Command::new(psql).args([&url, "-c", &set]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    set_version("+ 1");
    waits_for_its_inventory(&scene, &url, "use a newer program", async || {
        set_version("- 1")
    })
    .await;
}
