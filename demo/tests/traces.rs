//! One order is one trace, from the starter's request to the last activity, and no span is sent
//! twice.

use std::{
    collections::HashSet,
    fs::File,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value,
};
use prost::Message;
use servers::{CliSearch, DevServer, project_dir};
use tokio::{
    net::TcpListener,
    process::{Child, ChildStdin, Command},
};

const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Clone, Debug)]
struct Span {
    service: String,
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    /// All that was sent of it.
    text: String,
}

/// What a collector would be sent, over HTTP as protobuf.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiving = receiving.clone();
                let take = service_fn(move |request| {
                    let receiving = receiving.clone();
                    async move { receiving.take(request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
            }
        });
        (collector, address)
    }

    async fn take(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        assert_eq!(request.uri().path(), "/v1/traces");
        let body = request.into_body().collect().await?.to_bytes();
        let sent = ExportTraceServiceRequest::decode(body).unwrap();
        let mut spans = self.0.lock().unwrap();
        for resource in sent.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let service =
                attributes
                    .into_iter()
                    .find_map(|attribute| match attribute.value?.value? {
                        Value::StringValue(name) if attribute.key == "service.name" => Some(name),
                        _ => None,
                    });
            let service = service.unwrap_or_default();
            let new = resource.scope_spans.into_iter().flat_map(|it| it.spans);
            spans.extend(new.map(|mut span| {
                // Times can hold any digits.
                (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
                for event in &mut span.events {
                    event.time_unix_nano = 0;
                }
                Span {
                    text: format!("{span:?}"),
                    service: service.clone(),
                    name: span.name,
                    trace: span.trace_id,
                    id: span.span_id,
                    parent: span.parent_span_id,
                }
            }));
        }
        Ok(Response::default())
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }

    fn named(&self, name: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        spans
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

struct Scene {
    server: DevServer,
    /// What the programs read, held open.
    inputs: Mutex<Vec<ChildStdin>>,
    folder: tempfile::TempDir,
    collector: SocketAddr,
    /// Milliseconds between two batches of spans.
    delay: &'static str,
}

impl Scene {
    async fn new() -> (Self, Collector) {
        let cli = CliSearch::from_env(&project_dir())
            .find_or_fetch(|_| ())
            .await
            .unwrap();
        let (collector, address) = Collector::start().await;
        let scene = Self {
            server: DevServer::builder(cli).start().await.unwrap(),
            inputs: Mutex::default(),
            folder: tempfile::tempdir().unwrap(),
            collector: address,
            delay: "50",
        };
        (scene, collector)
    }

    fn program(&self, name: &str, args: &[&str]) -> Child {
        let log = File::create(self.folder.path().join(format!("{name}.log"))).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_demo"))
            .arg(name)
            .args(["--address", &self.server.address()])
            .args(args)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", self.collector),
            )
            .env("OTEL_BSP_SCHEDULE_DELAY", self.delay)
            // A demo's worker ends with its input.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.inputs.lock().unwrap().extend(program.stdin.take());
        program
    }

    /// A worker that takes orders: it has told the server by then what an order needs of it.
    async fn worker(&self, args: &[&str]) -> Child {
        let database = self.folder.path().join("inventory.json");
        let database = [
            "--database",
            database.to_str().unwrap(),
            "--fault-rate",
            "0",
        ];
        let worker = self.program("worker", &[&database[..], args].concat());
        let log = || std::fs::read_to_string(self.folder.path().join("worker.log"));
        until("the worker", || log().unwrap().contains(worker::READY)).await;
        worker
    }
}

async fn exists(file: &Path) {
    until("the hold", || file.exists()).await;
}

#[tokio::test]
async fn an_order_is_one_trace_and_a_workers_death_repeats_no_span() {
    let (scene, collector) = Scene::new().await;
    let held = scene.folder.path().join("held");
    let hold = format!("Ship:before={}", held.display());
    let mut first = scene.worker(&["--hold", &hold]).await;
    let starter = scene.program("starter", &["1", "123456", "999", "VISA-123456"]);
    exists(&held).await;
    let charged = || !collector.named("RunActivity:Charge").is_empty();
    until("the first worker's spans", charged).await;
    first.kill().await.unwrap();

    let second = scene.worker(&[]).await;
    succeeds(starter).await;
    stops(second).await;

    let start = only(&collector, "StartWorkflow:ProcessOrder");
    assert_eq!(start.service, "order-management-starter");
    for step in STEPS {
        let run = only(&collector, &format!("RunActivity:{step}"));
        assert_eq!(run.service, "order-management-worker");
        assert_eq!(run.trace, start.trace, "{step}");
    }
    // Under the same span, though one worker made it and the other one only knows its ID.
    let workflow = |step: &str| only(&collector, &format!("StartActivity:{step}")).parent;
    assert_eq!(workflow("CheckFraud"), workflow("SupplierOrder"));
    let spans = collector.spans();
    let ids: HashSet<_> = spans.iter().map(|span| &span.id).collect();
    assert_eq!(ids.len(), spans.len(), "{spans:?}");
    assert!(
        spans.iter().all(|span| span.trace == start.trace),
        "{spans:?}"
    );
}

#[tokio::test]
async fn no_span_names_payment_or_address() {
    let (scene, collector) = Scene::new().await;
    let worker = scene.worker(&[]).await;
    for words in [
        [
            "1",
            "123456",
            "10",
            "VISA-KMXQ",
            "--deliver-to",
            "12 Main Street",
        ],
        [
            "2",
            "123456",
            "10",
            "VISA-000000",
            "--deliver-to",
            "12 Main Street",
        ],
    ] {
        let mut starter = scene.program("starter", &words);
        tokio::time::timeout(PATIENCE, starter.wait())
            .await
            .unwrap()
            .unwrap();
    }
    stops(worker).await;
    let spans = collector.spans();
    assert_eq!(collector.named("RunWorkflow:ProcessOrder").len(), 2);
    for secret in ["VISA", "KMXQ", "000000", "Main Street"] {
        let named = spans.iter().find(|span| span.text.contains(secret));
        assert!(named.is_none(), "{named:?}");
    }
}

#[tokio::test]
async fn each_span_of_an_order_is_under_the_one_that_asked_for_it() {
    let (mut scene, collector) = Scene::new().await;
    // Longer than the test: all of them are sent at the programs' end.
    scene.delay = "600000";
    let worker = scene.worker(&[]).await;
    let starter = scene.program("starter", &["1", "123456", "999", "VISA-123456"]);
    succeeds(starter).await;
    stops(worker).await;

    let start = only(&collector, "StartWorkflow:ProcessOrder");
    assert!(start.parent.is_empty());
    let workflow = only(&collector, "RunWorkflow:ProcessOrder");
    assert_eq!(workflow.parent, start.id);
    for step in STEPS {
        let asked = only(&collector, &format!("StartActivity:{step}"));
        assert_eq!(asked.parent, workflow.id, "{step}");
        let run = only(&collector, &format!("RunActivity:{step}"));
        assert_eq!(run.parent, asked.id, "{step}");
    }
}

#[tokio::test]
async fn an_order_does_not_wait_for_a_collector_that_is_not_there() {
    let (mut scene, _) = Scene::new().await;
    // No program is ever given so low a port.
    scene.collector = ([127, 0, 0, 1], 1).into();
    let worker = scene.worker(&[]).await;
    let starter = scene.program("starter", &["1", "123456", "10", "VISA-123456"]);
    succeeds(starter).await;
    let log = scene.folder.path().join("worker.log");
    let log = || std::fs::read_to_string(&log).unwrap();
    until("the worker to say so", || {
        log().contains("traces cannot be sent to")
    })
    .await;
    stops(worker).await;
    assert_eq!(
        log().matches("traces cannot be sent to").count(),
        1,
        "{}",
        log()
    );
}

const STEPS: [&str; 5] = [
    "CheckFraud",
    "PrepareShipment",
    "Charge",
    "Ship",
    "SupplierOrder",
];

fn only(collector: &Collector, name: &str) -> Span {
    let spans = collector.named(name);
    let [span] = spans.as_slice() else {
        panic!("one {name}, and not {spans:?}");
    };
    span.clone()
}

async fn succeeds(mut program: Child) {
    let ended = tokio::time::timeout(PATIENCE, program.wait()).await;
    assert!(ended.expect("it should end").unwrap().success());
}

/// Asks a worker to stop, which sends its last spans.
async fn stops(worker: Child) {
    let pid = Pid::from_raw(worker.id().unwrap().try_into().unwrap());
    signal::kill(pid, Signal::SIGTERM).unwrap();
    succeeds(worker).await;
}
