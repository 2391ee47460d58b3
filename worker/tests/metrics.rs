//! What a worker serves for Prometheus, from real orders on a real server.

mod common;
#[path = "common/http.rs"]
mod http;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Command};

use common::{Scene, WorkerProcess, ended, history, order, reason, result, until};
use http::{address, get};
use servers::{CliSearch, project_dir};
use temporalio_client::{grpc::WorkflowService, tonic::IntoRequest};
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution, enums::v1::WorkflowTaskFailedCause,
    history::v1::history_event::Attributes, workflowservice::v1::SignalWorkflowExecutionRequest,
};
use tokio::net::TcpStream;
use workflows::OrderOutcome;

const METRICS: [&str; 2] = ["--metrics-address", "127.0.0.1:0"];

/// What is served, by series: `name{label="value"}`.
async fn scrape(metrics: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = get(metrics, "/metrics").await;
    assert_eq!(status, 200);
    let figures = text.lines().filter(|line| !line.starts_with('#'));
    figures
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        })
        .collect()
}

async fn shows(metrics: SocketAddr, series: &str, value: f64) {
    until(&format!("{series} {value}"), async || {
        (scrape(metrics).await.get(series) == Some(&value)).then_some(())
    })
    .await;
}

fn orders(outcome: &str) -> String {
    format!("order_management_orders_total{{outcome=\"{outcome}\"}}")
}

const STOCK: &str = "order_management_stock{product=\"123456\"}";

/// The endpoints answer again once the operating system allows more connections.
#[tokio::test]
async fn running_out_of_descriptors_ends_no_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    // No server is needed for this.
    let nowhere = [
        "--address",
        "127.0.0.1:1",
        "--health-address",
        "127.0.0.1:0",
    ];
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_worker"))
        .args([&METRICS[..], &nowhere].concat());
    let worker = WorkerProcess::spawn(command, folder.path().join("worker.log"));
    let metrics = address(&worker, "metrics").await;
    let health = address(&worker, "health").await;
    let mut open = Vec::new();
    for _ in 0..60 {
        open.push(TcpStream::connect(metrics).await.unwrap());
    }
    worker.says("cannot accept connections").await;
    drop(open);
    assert_eq!(get(metrics, "/metrics").await.0, 200);
    assert_eq!(get(health, "/live").await.0, 200);
    assert_eq!(
        worker.log().matches("cannot accept connections").count(),
        1,
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn each_order_counts_once_by_its_outcome() {
    let scene = Scene::new().await;
    let worker = scene.worker(&METRICS);
    let metrics = address(&worker, "metrics").await;
    result(scene.process(&order("order-1", 10)).await);
    result(scene.process(&order("order-2", 10)).await);
    let again = result(scene.process(&order("order-1", 10)).await);
    assert_eq!(again.outcome, OrderOutcome::Duplicate);
    reason(scene.process(&order("order-3", 10_001)).await);
    shows(metrics, &orders("failed"), 1.0).await;
    shows(metrics, &orders("managed"), 2.0).await;
    shows(metrics, &orders("duplicate"), 1.0).await;
    shows(metrics, STOCK, 9_990.0).await;
}

/// Without a cache every step replays the order from its beginning; and a question about an order
/// that ended replays it as a whole.
#[tokio::test]
async fn replay_counts_nothing() {
    let scene = Scene::new().await;
    let worker = scene.worker(&[&METRICS[..], &["--max-cached-workflows", "0"]].concat());
    let metrics = address(&worker, "metrics").await;
    result(scene.process(&order("order-1", 10)).await);
    shows(metrics, &orders("managed"), 1.0).await;
    ask_about(&scene, "order-1").await;
    // What ends after the question was answered is counted after whatever the question did.
    result(scene.process(&order("order-2", 10)).await);
    shows(metrics, &orders("managed"), 2.0).await;
    assert_eq!(worker.log().matches("order ended").count(), 2);
    assert_eq!(worker.log().matches("order started").count(), 2);
}

async fn ask_about(scene: &Scene, order_id: &str) {
    let cli = CliSearch::from_env(&project_dir())
        .find_or_fetch(|_| ())
        .await
        .unwrap();
    let address = scene.server.address();
    let query = ["workflow", "metadata", "--workflow-id", order_id];
    let asked = Command::new(Path::new(&cli))
        .args(["--address", &address])
        .args(query)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
}

/// The server refuses an end where a signal came in meanwhile; the workflow is run again, and ends
/// again.
#[tokio::test]
async fn an_end_that_the_server_refused_counts_nothing() {
    let scene = Scene::new().await;
    let worker = scene.worker(&METRICS);
    let metrics = address(&worker, "metrics").await;
    let mut placed = 0_u32;
    until("the server to refuse an end", async || {
        placed += 1;
        let order_id = format!("order-{placed}");
        let handle = scene.place(&order(&order_id, 10)).await;
        tokio::select! {
            followed = ended(&handle) => drop(result(followed)),
            () = signals_without_end(&scene, &order_id) => unreachable!(),
        }
        let mut events = history(&handle).await.into_iter();
        events.find_map(|event| match event.attributes {
            Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
                (failed.cause() == WorkflowTaskFailedCause::UnhandledCommand).then_some(())
            }
            _ => None,
        })
    })
    .await;
    shows(metrics, &orders("managed"), placed.into()).await;
    let said = worker.log().matches("order ended").count();
    assert_eq!(said, usize::try_from(placed).unwrap());
}

async fn signals_without_end(scene: &Scene, order_id: &str) {
    loop {
        let signal = SignalWorkflowExecutionRequest {
            namespace: "default".to_owned(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: order_id.to_owned(),
                ..Default::default()
            }),
            signal_name: "nudge".to_owned(),
            ..Default::default()
        };
        let mut client = scene.client.clone();
        let request = signal.into_request();
        // The last one comes too late.
        let _ = WorkflowService::signal_workflow_execution(&mut client, request).await;
    }
}

#[tokio::test]
async fn each_simulated_fault_counts_once() {
    let scene = Scene::new().await;
    let worker =
        scene.worker(&[&METRICS[..], &["--fault-rate", "0.5", "--fault-seed", "7"]].concat());
    let metrics = address(&worker, "metrics").await;
    let handle = scene.place(&order("order-1", 999)).await;
    result(ended(&handle).await);
    let attempts = history(&handle).await.into_iter().filter_map(|event| {
        let Some(Attributes::ActivityTaskStartedEventAttributes(started)) = event.attributes else {
            return None;
        };
        Some(started.attempt)
    });
    let failed: i32 = attempts.map(|attempt| attempt - 1).sum();
    assert!(failed > 0, "another seed is needed");
    let figures = scrape(metrics).await;
    let faults = figures
        .iter()
        .filter(|(series, _)| series.starts_with("order_management_faults_total"));
    assert_eq!(
        faults.map(|(_, count)| count).sum::<f64>(),
        f64::from(failed)
    );
}

/// No activity of this worker's has changed it.
#[tokio::test]
async fn the_stock_is_shown_as_others_leave_it() {
    let scene = Scene::new().await;
    let record = |units| {
        let file =
            format!("{{\"orderID\": \"000\", \"productID\": \"123456\", \"inStock\": {units}}}");
        std::fs::write(scene.database(), file).unwrap();
    };
    record(77);
    let worker = scene.worker(&METRICS);
    let metrics = address(&worker, "metrics").await;
    shows(metrics, STOCK, 77.0).await;
    record(78);
    shows(metrics, STOCK, 78.0).await;
}

/// Every query of the dashboard asks for something that a worker has served after an order with
/// faults and a server that was away.
#[tokio::test]
async fn the_dashboard_asks_for_what_is_there() {
    let mut scene = Scene::on_disk().await;
    let health = ["--health-address", "127.0.0.1:0"];
    let faults = ["--fault-rate", "0.5", "--fault-seed", "7"];
    let worker = scene.worker(&[METRICS.as_slice(), &health, &faults].concat());
    let metrics = address(&worker, "metrics").await;
    let health = address(&worker, "health").await;
    until("polls", async || {
        (get(health, "/ready").await.0 == 200).then_some(())
    })
    .await;
    scene.server.kill().await.unwrap();
    // Asks the server, which is not there.
    assert_eq!(get(health, "/ready").await.0, 503);
    until("the polls to fail", async || {
        let served = scrape(metrics).await;
        let failed = "temporal_long_request_failure_total";
        served
            .keys()
            .any(|series| series.starts_with(failed))
            .then_some(())
    })
    .await;
    scene.server.restart().await.unwrap();
    let handle = scene.place(&order("order-1", 999)).await;
    result(ended(&handle).await);
    shows(metrics, STOCK, 10_000.0).await;
    let served = scrape(metrics).await;

    let file = project_dir().join("resources/grafana-dashboard.json");
    let dashboard: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<_> = targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        let names: Vec<_> = metric_names(query).collect();
        assert!(!names.is_empty(), "{query} names no metric");
        for name in names {
            let labelled = format!("{name}{{");
            let there = served
                .keys()
                .any(|series| series == name || series.starts_with(&labelled));
            assert!(there, "nothing serves {name}, which {query} asks for");
        }
    }
}

fn metric_names(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("order_management_") || word.starts_with("temporal_"))
}
