//! Workers on machines of their own, with one database and one server: a machine is cut off from the
//! network in the middle of a charge, another one goes on, and the customer is charged once.
//!
//! The machines are network namespaces, which take root's rights and `ip` of iproute2. Where they cannot
//! be made, the tests say so and end.

#![cfg(unix)]

mod common;

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::SystemTime};

use common::{TASK_QUEUE, WorkerProcess, ended, order, result, status, until};
use inventory::{Change, Inventory, Location};
use servers::{CliSearch, DevServer, Machine, Network, Postgres, project_dir};
use starter::{
    follow::OrderHandle,
    submit::{Submitted, submit},
};
use temporal::Settings;
use temporalio_client::Client;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};
use workflows::OrderOutcome;

/// Two machines, and the servers that both reach.
struct Site {
    _server: DevServer,
    /// Where the machines reach the Temporal server.
    address: String,
    client: Client,
    database: Postgres,
    folder: tempfile::TempDir,
    // Dropped last: programs on its machines end with it.
    network: Network,
}

impl Site {
    /// `None` where no machines can be made.
    async fn new() -> Option<Self> {
        let mut network = match Network::with_machines(2).await {
            Ok(network) => network,
            Err(reason) => {
                println!("skipped: network namespaces cannot be made here ({reason})");
                return None;
            }
        };
        let cli = CliSearch::from_env(&project_dir())
            .find_or_fetch(|_| ())
            .await
            .unwrap();
        let server = DevServer::builder(cli).start().await.unwrap();
        let address: SocketAddr = server.address().parse().unwrap();
        let address = network.forward(address.port()).await.unwrap();
        let database = Postgres::builder().listen(network.address());
        let database = database.start().await.unwrap();
        let settings = Settings::plain(&server.address(), "default").unwrap();
        Some(Self {
            client: temporal::connect(&settings, "test").await.unwrap(),
            _server: server,
            address: address.to_string(),
            database,
            folder: tempfile::tempdir().unwrap(),
            network,
        })
    }

    fn machines(&self) -> (&Machine, &Machine) {
        let machines = self.network.machines();
        (&machines[0], &machines[1])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A worker on a machine, which stops at the point `hold`, if any.
    async fn worker(&self, machine: &Machine, hold: Option<&str>) -> WorkerProcess {
        let mut command = machine.command(env!("CARGO_BIN_EXE_worker"));
        command
            .args(["--address", &self.address])
            .args(["--task-queue", TASK_QUEUE, "--fault-rate", "0"])
            .env("DATABASE", self.database.url());
        if let Some(point) = hold {
            let hold = format!("{point}={}", self.path("held").display());
            command.args(["--hold", &hold]);
        }
        let log = format!("{}.log", hold.unwrap_or("other"));
        let worker = WorkerProcess::spawn(command, self.path(&log));
        worker.says("worker ready").await;
        worker
    }

    /// Places an order whose charge is held at a point of the first machine's worker, and starts the
    /// worker of the second one.
    async fn held(&self, point: &str) -> (OrderHandle, WorkerProcess, WorkerProcess) {
        let (one, other) = self.machines();
        let first = self.worker(one, Some(point)).await;
        let order = order("order-1", 10);
        let submitted = submit(&self.client, TASK_QUEUE, &order).await.unwrap();
        let Submitted::Started { handle, .. } = submitted else {
            panic!("order-1 is under way");
        };
        let held = self.path("held");
        until("the charge", async || held.exists().then_some(())).await;
        let second = self.worker(other, None).await;
        (handle, first, second)
    }

    async fn inventory(&self) -> Inventory {
        let location = Location::from(self.database.url().as_str());
        let inventory = Inventory::open(&location, SystemTime::now).await;
        inventory.unwrap()
    }

    async fn charges(&self) -> usize {
        let effects = self.inventory().await.effects("order-1").await.unwrap();
        let charges = effects.iter().filter(|it| it.change == Change::Charged);
        charges.count()
    }

    /// The order has completed, with one charge, and it all adds up.
    async fn charged_once(&self, handle: &OrderHandle) {
        let result = result(ended(handle).await);
        assert_eq!(result.outcome, OrderOutcome::Managed);
        assert_eq!(self.charges().await, 1);
        let audit = self.inventory().await.audit().await.unwrap();
        assert!(audit.is_clean(), "{:?}", audit.findings);
    }

    /// Opens a transaction that holds the order's lock until standard input of the process is closed.
    async fn lock(&self) -> tokio::process::Child {
        let mut psql = Command::new(self.database.program("psql"))
            .args(["--no-psqlrc", "--quiet", &self.database.url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lock =
            "begin; select pg_advisory_xact_lock(hashtextextended('order-1', 0)) as locked;\n";
        let input = psql.stdin.as_mut().unwrap();
        input.write_all(lock.as_bytes()).await.unwrap();
        input.flush().await.unwrap();
        let mut lines = BufReader::new(psql.stdout.as_mut().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.contains("locked"), "{line}");
        psql
    }

    /// How many transactions wait for a lock.
    async fn waiting(&self) -> usize {
        let query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        let output = Command::new(self.database.program("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command"])
            .args([query, &self.database.url()])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse().unwrap()
    }
}

/// Whether the order says that its charge was found from an earlier attempt.
async fn charge_was_found(handle: &OrderHandle) -> bool {
    let told = status(handle).await;
    let mut charges = told
        .steps
        .iter()
        .filter(|it| it.step == activities::Activity::Charge);
    charges.any(|it| it.found)
}

#[tokio::test]
async fn a_machine_that_is_cut_off_after_its_charge_is_not_waited_for() {
    let Some(site) = Site::new().await else {
        return;
    };
    let (handle, mut first, _second) = site.held("Charge:after").await;
    let (machine, _) = site.machines();
    machine.cut_off().await.unwrap();
    site.charged_once(&handle).await;
    assert!(charge_was_found(&handle).await);
    assert!(first.is_running());

    // The late report changes nothing.
    machine.reconnect().await.unwrap();
    std::fs::remove_file(site.path("held")).unwrap();
    first.says("done").await;
    site.charged_once(&handle).await;
}

#[tokio::test]
async fn a_late_attempt_finds_the_charge_of_the_other_machine() {
    let Some(site) = Site::new().await else {
        return;
    };
    let (handle, first, _second) = site.held("Charge:before").await;
    let (machine, _) = site.machines();
    machine.cut_off().await.unwrap();
    site.charged_once(&handle).await;
    assert!(!charge_was_found(&handle).await);

    machine.reconnect().await.unwrap();
    std::fs::remove_file(site.path("held")).unwrap();
    until("the late attempt", async || {
        let late = |line: &&str| line.contains("Charge") && line.contains("found=true");
        first.log().lines().find(late).map(drop)
    })
    .await;
    site.charged_once(&handle).await;
}

/// The database gives up the transaction of a client that has fallen silent.
#[tokio::test]
async fn a_machine_that_is_cut_off_in_a_transaction_holds_nothing_up() {
    let Some(site) = Site::new().await else {
        return;
    };
    let (handle, first, _second) = site.held("Charge:before").await;
    let (machine, _) = site.machines();
    let mut lock = site.lock().await;
    std::fs::remove_file(site.path("held")).unwrap();
    until("the first worker's transaction", async || {
        (site.waiting().await == 1).then_some(())
    })
    .await;
    machine.cut_off().await.unwrap();
    // The first worker's transaction gets the lock, and nobody is there to go on with it.
    drop(lock.stdin.take());
    lock.wait().await.unwrap();
    site.charged_once(&handle).await;

    machine.reconnect().await.unwrap();
    first.says("failed").await;
    site.charged_once(&handle).await;
}
