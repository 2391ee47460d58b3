//! Worker versioning: an order ends on the version of the code that it began on.

mod common;

use std::path::PathBuf;

use common::{Scene, WorkerProcess, ended, order, result, until};
use servers::{CliSearch, project_dir};
use tokio::process::Command;

async fn cli() -> PathBuf {
    let search = CliSearch::from_env(&project_dir());
    search.find_or_fetch(|_| ()).await.unwrap()
}

/// Runs `temporal ... --address ADDRESS ARGS`, and says whether it went well.
async fn temporal(scene: &Scene, args: &[&str]) -> bool {
    let ran = Command::new(cli().await)
        .args(args)
        .args(["--address", &scene.server.address()])
        .output();
    ran.await.unwrap().status.success()
}

/// Makes a build the current one, as soon as the server has heard of it.
async fn make_current(scene: &Scene, build_id: &str) {
    let version = [
        "--deployment-name",
        "orders",
        "--build-id",
        build_id,
        "--yes",
    ];
    let command = ["worker", "deployment", "set-current-version"];
    until(&format!("build {build_id} to be known"), async || {
        let args = [&command[..], &version].concat();
        temporal(scene, &args).await.then_some(())
    })
    .await;
}

fn build(scene: &Scene, build_id: &str, flags: &[&str]) -> WorkerProcess {
    let version = ["--deployment-name", "orders", "--build-id", build_id];
    scene.worker(&[&version[..], flags].concat())
}

#[tokio::test]
async fn an_order_stays_on_its_version_and_new_ones_go_to_the_current() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let old = build(&scene, "1", &["--hold", &hold]);
    make_current(&scene, "1").await;
    let first = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;

    let new = build(&scene, "2", &[]);
    make_current(&scene, "2").await;
    result(scene.process(&order("order-2", 10)).await);
    new.says("order ended").await;
    std::fs::remove_file(&held).unwrap();
    result(ended(&first).await);
    old.says("order ended").await;
    for (worker, own, other) in [(&old, "order-1", "order-2"), (&new, "order-2", "order-1")] {
        let log = worker.log();
        assert!(log.contains(own) && !log.contains(other), "{log}");
    }
}

/// What is left to do when a version's last worker is gone for good.
#[tokio::test]
async fn an_order_can_be_moved_to_another_version() {
    let scene = Scene::new().await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let old = build(&scene, "1", &["--hold", &hold]);
    make_current(&scene, "1").await;
    let first = scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    old.kill().await;

    let new = build(&scene, "2", &[]);
    make_current(&scene, "2").await;
    let moved = [
        "workflow",
        "update-options",
        "--workflow-id",
        "order-1",
        "--versioning-override-behavior",
        "auto_upgrade",
    ];
    assert!(temporal(&scene, &moved).await);
    result(ended(&first).await);
    new.says("order ended").await;
    assert_eq!(scene.effects("order-1").await.len(), 4);
}
