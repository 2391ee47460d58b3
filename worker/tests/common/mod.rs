//! A real server, real workers, and orders on them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use inventory::{Entry, Inventory};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use orders::Order;
use servers::{CliSearch, DevServer, project_dir};
use starter::{
    follow::{self, Followed, OrderHandle, Unwatched},
    submit::{Submitted, submit},
};
use temporal::Settings;
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowExecuteUpdateOptions, WorkflowFetchHistoryOptions,
    WorkflowQueryOptions, errors::WorkflowUpdateError,
};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::HistoryEvent, workflow::v1::PendingActivityInfo,
};
use tokio::process::{Child, Command};
use workflows::{OrderProgress, OrderStatus, ProcessOrder};

/// How long a test waits for what must happen. A machine under load takes its time; a test that
/// waits in vain fails here.
pub const PATIENCE: Duration = Duration::from_secs(180);

pub const TASK_QUEUE: &str = "orders";

/// A server, a folder with an inventory, and the workers on them.
pub struct Scene {
    pub server: DevServer,
    pub client: Client,
    folder: tempfile::TempDir,
    workers: AtomicUsize,
}

impl Scene {
    /// With a server in memory.
    pub async fn new() -> Self {
        Self::with(|server, _| server).await
    }

    /// With a server that keeps its state on disk, and so outlives a kill.
    pub async fn on_disk() -> Self {
        Self::with(|server, folder| server.db_file(folder.join("server.db"))).await
    }

    pub async fn with(
        server: impl FnOnce(servers::DevServerBuilder, &Path) -> servers::DevServerBuilder,
    ) -> Self {
        let cli = CliSearch::from_env(&project_dir())
            .find_or_fetch(|_| ())
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = server(DevServer::builder(cli), folder.path())
            .start()
            .await
            .unwrap();
        let settings = Settings::plain(&server.address(), "default").unwrap();
        let client = temporal::connect(&settings, "test").await.unwrap();
        Self {
            server,
            client,
            folder,
            workers: AtomicUsize::new(0),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("inventory.json")
    }

    /// A worker process without faults, unless `flags` say otherwise.
    pub fn worker(&self, flags: &[&str]) -> WorkerProcess {
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("worker-{number}.log"));
        WorkerProcess::start(&self.server.address(), &self.database(), flags, log)
    }

    /// A process of another team's shipping service without faults, unless `flags` say otherwise.
    pub fn shipping_service(&self, flags: &[&str]) -> WorkerProcess {
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("shipping-service-{number}.log"));
        let calm: &[&str] = match flags {
            ["--fault-rate", ..] => &[],
            _ => &["--fault-rate", "0"],
        };
        let address = self.server.address();
        let database = self.database();
        let usual = ["shipping-service", "--address", &address];
        let database = ["--database", database.to_str().unwrap()];
        WorkerProcess::command(&[&usual[..], &database, calm, flags].concat(), log)
    }

    pub async fn submit(&self, order: &Order) -> Submitted {
        submit(&self.client, TASK_QUEUE, order).await.unwrap()
    }

    /// Places an order that is not under way.
    pub async fn place(&self, order: &Order) -> OrderHandle {
        match self.submit(order).await {
            Submitted::Started { handle, .. } => handle,
            Submitted::UnderWay(_) => panic!("{} is under way", order.order_id),
        }
    }

    /// Has the Temporal CLI reset a workflow, so that it goes on from an earlier point.
    pub async fn reset(&self, which: &[&str]) {
        let cli = CliSearch::from_env(&project_dir());
        let cli = cli.find_or_fetch(|_| ()).await.unwrap();
        let reset = Command::new(cli)
            .args(["workflow", "reset", "--address", &self.server.address()])
            .args(["--reason", "to see that nothing is lost or happens twice"])
            .args(which)
            .output();
        let reset = reset.await.unwrap();
        assert!(reset.status.success(), "{reset:?}");
    }

    /// Places an order by the Temporal CLI: without the search attribute, and with whatever input.
    pub async fn place_by_cli(&self, workflow_id: &str, input: Option<&str>) -> OrderHandle {
        let cli = CliSearch::from_env(&project_dir())
            .find_or_fetch(|_| ())
            .await
            .unwrap();
        let mut start = std::process::Command::new(cli);
        start
            .args(["workflow", "start", "--address", &self.server.address()])
            .args(["--type", "ProcessOrder", "--task-queue", TASK_QUEUE])
            .args(["--workflow-id", workflow_id]);
        if let Some(input) = input {
            start.args(["--input", input]);
        }
        let started = start.output().unwrap();
        assert!(started.status.success(), "{started:?}");
        follow::find(&self.client, workflow_id).await.unwrap()
    }

    /// Places an order and waits for its end.
    pub async fn process(&self, order: &Order) -> Followed {
        ended(&self.place(order).await).await
    }

    /// Puts products on the shelves, before anybody looks.
    pub fn shelves(&self, products: &[(&str, u32)]) {
        let records: Vec<_> = products
            .iter()
            .map(|(product, in_stock)| {
                format!(r#"{{"orderID":"000","productID":"{product}","inStock":{in_stock}}}"#)
            })
            .collect();
        std::fs::write(self.database(), format!("[{}]", records.join(","))).unwrap();
    }

    pub async fn audit(&self) -> inventory::Audit {
        let audit = self.inventory().await.audit().await.unwrap();
        assert!(audit.is_clean(), "{:?}", audit.findings);
        audit
    }

    pub async fn inventory(&self) -> Inventory {
        let location = self.database().into();
        Inventory::open(&location, SystemTime::now).await.unwrap()
    }

    pub async fn stock(&self) -> u32 {
        self.inventory().await.stock("123456").await.unwrap()
    }

    /// What an order did to the world, in order.
    pub async fn effects(&self, order_id: &str) -> Vec<String> {
        let entries = self.entries(order_id).await;
        entries
            .iter()
            .map(|entry| entry.change.to_string())
            .collect()
    }

    pub async fn entries(&self, order_id: &str) -> Vec<Entry> {
        self.inventory().await.effects(order_id).await.unwrap()
    }
}

/// An order for `quantity` units of the first product.
pub fn order(order_id: &str, quantity: u32) -> Order {
    Order::new(order_id, "123456", quantity, "VISA-123456")
}

/// Waits for an order's end.
pub async fn ended(handle: &OrderHandle) -> Followed {
    let mut unwatched = Unwatched;
    let following = follow::follow(handle, &mut unwatched);
    tokio::time::timeout(PATIENCE, following)
        .await
        .expect("the order should end")
        .unwrap()
}

/// The reason an order failed for.
pub fn reason(followed: Followed) -> String {
    match followed {
        Followed::NotCompleted(reason) => reason,
        other => panic!("should have failed: {other:?}"),
    }
}

/// The result of an order that completed.
pub fn result(followed: Followed) -> workflows::OrderResult {
    match followed {
        Followed::Completed(result) => result,
        other => panic!("should have completed: {other:?}"),
    }
}

pub async fn history(handle: &OrderHandle) -> Vec<HistoryEvent> {
    let options = WorkflowFetchHistoryOptions::default();
    handle.fetch_history(options).into_events().await.unwrap()
}

/// What the order answers when it is asked how it stands.
pub async fn status(handle: &OrderHandle) -> OrderProgress {
    let options = WorkflowQueryOptions::default();
    let asked = handle.query(ProcessOrder::status, ().into(), options);
    asked.await.unwrap()
}

pub async fn until_status(handle: &OrderHandle, wanted: OrderStatus) -> OrderProgress {
    until(&wanted.to_string(), async || {
        let options = WorkflowQueryOptions::default();
        let asked = handle.query(ProcessOrder::status, ().into(), options).await;
        // A worker that was killed a moment ago does not answer.
        asked.ok().filter(|progress| progress.status == wanted)
    })
    .await
}

/// Cancels an order.
pub async fn cancel(handle: &OrderHandle) -> Result<(), WorkflowUpdateError> {
    let options = WorkflowExecuteUpdateOptions::default();
    let reason = "changed my mind".to_owned();
    handle
        .execute_update(ProcessOrder::cancel, reason.into(), options)
        .await
}

/// Cancels an order so that the cancellation reaches a worker together with the end of the order's
/// pause: both come while no worker runs. Gives the worker that takes the order over.
pub async fn cancelled_as_its_pause_ends(
    scene: &Scene,
    worker: WorkerProcess,
    order: &Order,
) -> (OrderHandle, WorkerProcess) {
    let handle = scene.place(order).await;
    until_status(&handle, OrderStatus::Pausing).await;
    worker.kill().await;
    until("the pause to end", async || {
        let fired = |event: &HistoryEvent| event.event_type() == EventType::TimerFired;
        history(&handle).await.iter().any(fired).then_some(())
    })
    .await;
    // If the worker should be the faster one, the order gets no further than this.
    let held = scene.path("held-after-pause");
    let hold = format!("CheckFraud:before={}", held.display());
    let (told, worker) = tokio::join!(cancel(&handle), async { scene.worker(&["--hold", &hold]) });
    told.unwrap();
    // It is there if the order came so far.
    let _ = std::fs::remove_file(&held);
    assert!(matches!(ended(&handle).await, Followed::Cancelled(_)));
    (handle, worker)
}

/// Why an order did not do what it was asked.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, WorkflowUpdateError>) -> String {
    match answer {
        Err(WorkflowUpdateError::Failed(failure)) => starter::progress::innermost(&failure),
        other => panic!("should have been refused: {other:?}"),
    }
}

pub async fn pending(handle: &OrderHandle) -> Vec<PendingActivityInfo> {
    let options = WorkflowDescribeOptions::default();
    let description = handle.describe(options).await.unwrap();
    description.into_raw().pending_activities
}

/// Waits until `done` gives something.
pub async fn until<T>(what: &str, mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = done().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A worker process; killed when it is dropped.
pub struct WorkerProcess {
    child: Child,
    log: PathBuf,
}

impl WorkerProcess {
    pub fn start(address: &str, database: &Path, flags: &[&str], log: PathBuf) -> Self {
        let calm: &[&str] = if flags.contains(&"--fault-rate") {
            &[]
        } else {
            &["--fault-rate", "0"]
        };
        let database = database.to_str().unwrap();
        let usual = ["--address", address, "--task-queue", TASK_QUEUE];
        let usual = [&usual[..], &["--database", database], calm, flags];
        Self::command(&usual.concat(), log)
    }

    /// The program with these arguments and no others.
    pub fn command(arguments: &[&str], log: PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command.args(arguments);
        Self::spawn(command, log)
    }

    pub fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        signal::kill(pid, signal).unwrap();
    }

    /// SIGKILL, as a crash would be.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("the worker should end")
            .unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the worker's log has this.
    pub async fn says(&self, text: &str) {
        until(&format!("the worker to say {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }
}
