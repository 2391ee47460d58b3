//! What a demo plays on: a server, a folder, a task queue.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use futures::TryStreamExt;
use inventory::{Inventory, Location};
use servers::{
    CliSearch, DevServer, DevServerBuilder, Machine, Network, Postgres, PostgresSearch, project_dir,
};
use starter::{
    follow::{self, OrderHandle},
    list::ORDERS,
};
use tempfile::TempDir;
use temporal::{ConnectArgs, Listener, Settings, what_listens};
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowListOptions, WorkflowTerminateOptions,
};

use crate::{
    args::ShowArgs,
    parts::Part,
    process::{Environment, StarterProcess, WorkerProcess, this_program},
    voice::Voice,
};

/// What the task queues of demos begin with, so that a later demo knows what an earlier one left.
const TASK_QUEUE_PREFIX: &str = "OrderManagement-demo-";

/// How long to wait for what must happen before something is taken to be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the orders of a demo may take to be ended when it was stopped.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(10);

/// How often to look whether it has happened.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The seed of the demos' faults, so that a demo shows the same each time.
const SEED: u64 = 37;

/// What a demo plays on. All that it started ends when it is struck or dropped.
pub struct Stage {
    /// What the audience sees.
    pub voice: Voice,
    /// The connection to the server.
    pub client: Client,
    /// The seed of the workers' faults.
    pub fault_seed: u64,
    server: Option<DevServer>,
    site: Option<Site>,
    ui_address: String,
    show: ShowArgs,
    inventory: Inventory,
    task_queue: String,
    /// What all demos on this stage have in common.
    folder: TempDir,
    /// The folder of the demo that is being played.
    own_folder: PathBuf,
    workers: usize,
    /// The orders of the demo, which are not to outlive it on a server that is not its own.
    orders: RefCell<Vec<String>>,
    /// The units in stock of each product, as they were shown last.
    shown_stock: RefCell<BTreeMap<String, u32>>,
}

/// Two machines, and the database that both reach.
struct Site {
    /// None where folders stand in for machines.
    network: Option<Network>,
    /// Where the machines reach the Temporal server.
    server: String,
    _database: Postgres,
}

impl Stage {
    /// Sets the stage: finds a server or starts one.
    ///
    /// # Errors
    /// Returns an error if there is no server and none can be started.
    pub async fn set(show: &ShowArgs, voice: &Voice) -> anyhow::Result<Self> {
        let folder = folder()?;
        let (server, settings) = server(show, voice).await?;
        Self::on(server, settings, folder, show, voice).await
    }

    /// Sets the stage with a server of its own, which keeps its state on disk and may be killed.
    ///
    /// # Errors
    /// Returns an error if it cannot be started.
    pub async fn with_own_server(show: &ShowArgs, voice: &Voice) -> anyhow::Result<Self> {
        let stage = Self::with_silent_server(show, voice).await?;
        stage.server.iter().for_each(|it| announce(it, show, voice));
        Ok(stage)
    }

    /// The same, without a word about the server.
    ///
    /// # Errors
    /// As [`Self::with_own_server`].
    pub async fn with_silent_server(show: &ShowArgs, voice: &Voice) -> anyhow::Result<Self> {
        let folder = folder()?;
        let builder = DevServer::builder(cli(voice).await?)
            .ui()
            .db_file(folder.path().join("server.db"));
        let (server, settings) = start(builder, voice).await?;
        Self::on(Some(server), settings, folder, show, voice).await
    }

    /// Sets the stage with two machines, and with servers of its own that both reach. Where no machines
    /// can be made, folders stand in for them.
    ///
    /// # Errors
    /// Returns an error if a server cannot be started.
    pub async fn with_machines(show: &ShowArgs, voice: &Voice) -> anyhow::Result<Self> {
        let folder = folder()?;
        let search = PostgresSearch::from_env(&project_dir());
        let finding = search.find_or_fetch(|line| voice.say(line));
        let programs = voice.during("fetching PostgreSQL", finding).await?;
        let builder = DevServer::builder(cli(voice).await?).ui();
        let (server, settings) = start(builder, voice).await?;
        announce(&server, show, voice);
        let mut address = server.address();
        let mut database = Postgres::builder().programs(programs);
        let network = match Network::with_machines(2).await {
            Ok(mut network) => {
                let (_, port) = address.rsplit_once(':').unwrap_or_default();
                address = network.forward(port.parse()?).await?.to_string();
                database = database.listen(network.address());
                voice.say(&format!(
                    "Made two machines, as network namespaces: {} and {}. PostgreSQL and the Temporal \
                     server are at {}.",
                    network.machines()[0].address(),
                    network.machines()[1].address(),
                    network.address(),
                ));
                Some(network)
            }
            Err(_) => {
                voice.say(
                    "Two folders stand in for machines, because network namespaces cannot be made here: \
                     that takes root's rights, and `ip` of iproute2. What is cut off is frozen instead.",
                );
                None
            }
        };
        let database = voice
            .during("starting PostgreSQL", database.start())
            .await?;
        let show = ShowArgs {
            database: Some(database.url().as_str().into()),
            ..show.clone()
        };
        let mut stage = Self::on(Some(server), settings, folder, &show, voice).await?;
        stage.site = Some(Site {
            network,
            server: address,
            _database: database,
        });
        Ok(stage)
    }

    async fn on(
        server: Option<DevServer>,
        settings: Settings,
        folder: TempDir,
        show: &ShowArgs,
        voice: &Voice,
    ) -> anyhow::Result<Self> {
        let mut settings = settings;
        settings.encryption = show.connect.encryption.keys()?;
        let client = temporal::connect(&settings, "order-management-demo").await?;
        let own_ui = server.as_ref().and_then(DevServer::ui_address);
        let (own_folder, location, task_queue) = places(show, &folder)?;
        let inventory = Inventory::open(&location, SystemTime::now).await?;
        let stage = Self {
            voice: voice.clone(),
            client,
            fault_seed: SEED,
            ui_address: own_ui.unwrap_or_else(|| show.ui.address(&settings.host_port())),
            server,
            site: None,
            show: show.clone(),
            inventory,
            task_queue,
            own_folder,
            folder,
            workers: 0,
            orders: RefCell::default(),
            shown_stock: RefCell::default(),
        };
        Ok(stage)
    }

    /// Clears the stage for the next demo: a folder and an inventory of its own, and a task queue of its
    /// own unless the settings name one.
    ///
    /// # Errors
    /// Returns an error if the inventory cannot be written.
    pub async fn clear(&mut self) -> anyhow::Result<()> {
        let (own_folder, location, task_queue) = places(&self.show, &self.folder)?;
        self.inventory = Inventory::open(&location, SystemTime::now).await?;
        self.own_folder = own_folder;
        self.task_queue = task_queue;
        self.fault_seed = SEED;
        self.shown_stock.borrow_mut().clear();
        Ok(())
    }

    /// The inventory that the demo's workers change.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Shows the stock of each product, and what it was when it was shown before.
    ///
    /// # Errors
    /// Returns an error if the inventory cannot be read.
    pub async fn show_stock(&self) -> anyhow::Result<()> {
        let products = self.inventory.products().await?;
        let mut shown = self.shown_stock.borrow_mut();
        let (store, _) = self.stores();
        for product in products {
            let before = shown.insert(product.product.clone(), product.in_stock);
            let before = before.filter(|before| *before != product.in_stock);
            let before = before.map_or_else(String::new, |before| format!("{before} -> "));
            self.voice.quote(&format!(
                "{store}: product {} {before}{} in stock",
                product.product, product.in_stock
            ));
        }
        Ok(())
    }

    /// Shows what the ledger has of these orders, as a table.
    ///
    /// # Errors
    /// Returns an error if the inventory cannot be read.
    pub async fn show_ledger(&self, order_ids: &[&str]) -> anyhow::Result<()> {
        let mut entries = Vec::new();
        for order_id in order_ids {
            entries.extend(self.inventory.effects(order_id).await?);
        }
        entries.sort_by_key(|entry| entry.seq);
        let (_, ledger) = self.stores();
        let header = format!(
            "{:<16} {:<10} {:>6}  {:<8} {:>8}  {}",
            ledger, "what", "units", "product", "in stock", "confirmation"
        );
        let lines = entries.iter().map(|entry| {
            let confirmation = entry.confirmation.as_deref().unwrap_or_default();
            let address = entry.address.as_deref().unwrap_or_default();
            let in_stock = entry.in_stock.map(|units| units.to_string());
            let in_stock = in_stock.unwrap_or_default();
            let line = format!(
                "{:<16} {:<10} {:>6}  {:<8} {:>8}  {confirmation} {address}",
                entry.order_id,
                entry.change.name(),
                entry.quantity,
                entry.product_id,
                in_stock,
            );
            line.trim_end().to_owned()
        });
        let lines: Vec<String> = std::iter::once(header).chain(lines).collect();
        self.voice.table(&lines);
        Ok(())
    }

    /// Where the stock and the ledger are: the files, or the tables.
    fn stores(&self) -> (&'static str, &'static str) {
        match self.inventory.location() {
            Location::Files(_) => ("inventory.json", "ledger.jsonl"),
            Location::Postgres(_) => ("inventory_stock", "inventory_ledger"),
        }
    }

    /// Puts these units of these products on the shelves.
    ///
    /// # Errors
    /// Returns an error if the inventory cannot be changed.
    pub async fn stock(&self, shelves: &[(&str, u32)]) -> anyhow::Result<()> {
        for (product, units) in shelves {
            self.inventory.set_stock(product, *units, "000").await?;
        }
        Ok(())
    }

    /// A file of the demo's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.own_folder.join(name)
    }

    /// Starts a worker with these further arguments, and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if it ends early or is not ready in time.
    pub async fn worker(&mut self, further: &[&str]) -> anyhow::Result<WorkerProcess> {
        self.workers += 1;
        let log = self.path(&format!("worker-{}.log", self.workers));
        self.start(further, self.environment(), log, None).await
    }

    /// Starts a worker on one of the two machines, and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if there are no machines, or as [`Self::worker`].
    pub async fn worker_on(
        &self,
        machine: usize,
        further: &[&str],
    ) -> anyhow::Result<WorkerProcess> {
        let site = self.site.as_ref().context("there are no machines")?;
        let folder = self.path(&format!("machine-{}", machine + 1));
        std::fs::create_dir_all(&folder)?;
        let mut environment = self.environment();
        environment.push(("TEMPORAL_ADDRESS", site.server.clone().into()));
        let machine = site.network.as_ref().map(|it| &it.machines()[machine]);
        let log = folder.join("worker.log");
        self.start(further, environment, log, machine).await
    }

    /// Cuts a machine off from the network, or connects it again. If a folder stands in for it, its worker
    /// is frozen: that is as silent.
    ///
    /// # Errors
    /// Returns an error if the system refuses.
    pub async fn cut_off(
        &self,
        machine: usize,
        worker: &WorkerProcess,
        off: bool,
    ) -> anyhow::Result<()> {
        let network = self.site.as_ref().and_then(|site| site.network.as_ref());
        match network.map(|it| &it.machines()[machine]) {
            Some(machine) if off => Ok(machine.cut_off().await?),
            Some(machine) => Ok(machine.reconnect().await?),
            None => worker.freeze(off),
        }
    }

    async fn start(
        &self,
        further: &[&str],
        environment: Environment,
        log: PathBuf,
        machine: Option<&Machine>,
    ) -> anyhow::Result<WorkerProcess> {
        let seed = self.fault_seed.to_string();
        let arguments = [&["--fault-seed", &seed], further].concat();
        let mut worker = WorkerProcess::start(&arguments, environment, log, machine)?;
        self.until("the worker to be ready", async || {
            worker.check_running()?;
            worker.is_ready()
        })
        .await?;
        Ok(worker)
    }

    /// Starts a worker that stops at a point, such as `Charge:before`, for as long as the returned
    /// file exists. The worker creates the file when it gets there: see [`Self::until_held`].
    ///
    /// # Errors
    /// Returns an error if the worker ends early or is not ready in time.
    pub async fn worker_held_at(
        &mut self,
        point: &str,
        further: &[&str],
    ) -> anyhow::Result<(WorkerProcess, PathBuf)> {
        let file = self.path(&point.replace(':', "-"));
        let hold = format!("{point}={}", file.display());
        let arguments = [&["--hold", &hold], further].concat();
        Ok((self.worker(&arguments).await?, file))
    }

    /// Waits until a worker has stopped at its point, which is described by `what`.
    ///
    /// # Errors
    /// Returns an error if that takes too long.
    pub async fn until_held(&self, what: &str, file: &Path) -> anyhow::Result<()> {
        self.until(what, async || Ok(file.exists())).await
    }

    /// Starts a starter with these arguments.
    ///
    /// # Errors
    /// Returns an error if it cannot be started.
    pub fn starter(&self, arguments: &[&str]) -> anyhow::Result<StarterProcess> {
        StarterProcess::start(arguments, self.environment(), self.voice.clone())
    }

    /// The command of a starter, to be run later and outside the async runtime.
    ///
    /// # Errors
    /// Returns an error if this program's file cannot be found.
    pub fn starter_command(&self, arguments: &[&str]) -> anyhow::Result<std::process::Command> {
        let mut command = this_program(Part::Starter, None)?.into_std();
        command.args(arguments).envs(self.environment());
        Ok(command)
    }

    /// Frees an order ID that an earlier demo, killed, left under way on its own task queue. The
    /// order is the demo's from now on.
    ///
    /// # Errors
    /// Returns an error if the server does not answer, or the order runs on a task queue that is no demo's.
    pub async fn free(&self, order_id: &str) -> anyhow::Result<()> {
        self.orders.borrow_mut().push(order_id.to_owned());
        let Ok(handle) = follow::find(&self.client, order_id).await else {
            return Ok(());
        };
        let description = handle.describe(WorkflowDescribeOptions::default()).await?;
        let left_over = description.close_time().is_none()
            && description.task_queue().starts_with(TASK_QUEUE_PREFIX);
        if description.close_time().is_none() && !left_over {
            bail!(
                "{order_id} is running on task queue {:?}, and this demo needs its number: wait \
                 until it has finished, or use another server",
                description.task_queue()
            );
        }
        if left_over {
            terminate(&handle).await?;
        }
        Ok(())
    }

    /// The order, as the server has it.
    ///
    /// # Errors
    /// Returns an error if there is no such order.
    pub async fn find_order(&self, order_id: &str) -> anyhow::Result<OrderHandle> {
        follow::find(&self.client, order_id).await
    }

    /// Kills the demo's own server with SIGKILL, and starts it again.
    ///
    /// # Errors
    /// Returns an error if it cannot be started again.
    pub async fn kill_server(&mut self) -> anyhow::Result<()> {
        let server = self.server()?;
        server.kill().await?;
        Ok(server.restart().await?)
    }

    /// The demo's own server.
    ///
    /// # Errors
    /// Returns an error if it uses another one.
    pub fn server(&mut self) -> anyhow::Result<&mut DevServer> {
        let server = self.server.as_mut();
        server.context("the server is not the demo's")
    }

    /// The task queue of the demo's workers.
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Fails the demo if the ledger does not add up.
    ///
    /// # Errors
    /// Returns an error if they do not agree.
    pub async fn check_audit(&self) -> anyhow::Result<()> {
        let audit = self.inventory.audit().await?;
        if !audit.is_clean() {
            bail!(
                "the ledger and the inventory do not agree:\n{}",
                starter::audit::report(&audit)
            );
        }
        Ok(())
    }

    /// Waits until `done` says so.
    ///
    /// # Errors
    /// Returns the error of `done`, or an error if it takes too long.
    pub async fn until(
        &self,
        what: &str,
        mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        self.until_some(what, async || Ok(done().await?.then_some(())))
            .await
    }

    /// Waits until `found` has something.
    ///
    /// # Errors
    /// Returns the error of `found`, or an error if it takes too long.
    pub async fn until_some<T>(
        &self,
        what: &str,
        mut found: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let waiting = async {
            loop {
                if let Some(found) = found().await? {
                    return Ok(found);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        self.in_time(what, waiting).await
    }

    /// Waits for what must not take too long, and shows what is waited for.
    ///
    /// # Errors
    /// Returns the error of `waiting`, or an error if it takes too long.
    pub async fn in_time<T>(
        &self,
        what: &str,
        waiting: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let waiting = tokio::time::timeout(PATIENCE, waiting);
        let shown = format!("waiting for {what}");
        self.voice
            .during(&shown, waiting)
            .await
            .with_context(|| format!("waited {PATIENCE:?} for {what}, but it did not happen"))?
    }

    /// Stops a worker, and shows that this is under way.
    ///
    /// # Errors
    /// Returns an error if it does not stop in time, or ends with an error.
    pub async fn stop(&self, worker: WorkerProcess) -> anyhow::Result<()> {
        self.voice
            .during("stopping the worker", worker.stop())
            .await
    }

    /// Whether the server is the demo's own.
    pub fn has_own_server(&self) -> bool {
        self.server.is_some()
    }

    /// Where to look at the orders, once they are done.
    pub fn say_where_to_look(&self) {
        let namespace = &self.client.options().namespace;
        let list = temporal::workflows_url(&self.ui_address, namespace);
        match &self.server {
            Some(_) if !self.show.keep => self.voice.say(
                "The demo's server ends with it. To look at the orders in the Web UI, add --keep.",
            ),
            _ => self.voice.say(&format!("The orders in the Web UI: {list}")),
        }
    }

    /// Stops what the demo started. On a server that is not the demo's own, no order of the demo
    /// is left open: nobody would ever continue it.
    ///
    /// # Errors
    /// Returns an error if the server does not stop, or an order could not be ended.
    pub async fn strike(self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server {
            let stopping = self.voice.during("stopping the server", server.stop());
            return Ok(stopping.await?);
        }
        let ending = tokio::time::timeout(PATIENCE_AT_THE_END, self.end_orders());
        ending
            .await
            .context("the server does not answer")
            .and_then(|ended| ended)
            .context("orders of this demo may be left open on the server")
    }

    async fn end_orders(&self) -> anyhow::Result<()> {
        let order_ids = self.orders.borrow().clone();
        for order_id in order_ids {
            let Ok(order) = follow::find(&self.client, &order_id).await else {
                continue;
            };
            let there = order.describe(WorkflowDescribeOptions::default()).await?;
            if there.close_time().is_none() && self.is_own_queue(there.task_queue()) {
                terminate(&order).await?;
            }
        }
        // A schedule places orders whose IDs nobody knows here.
        let query = format!(
            "{ORDERS} AND ExecutionStatus = 'Running' AND TaskQueue = '{}'",
            self.task_queue
        );
        let left = self
            .client
            .list_workflows(query, WorkflowListOptions::default());
        for order in left.try_collect::<Vec<_>>().await? {
            // One that has just ended cannot be terminated.
            let _ = terminate(&self.client.get_workflow_handle(order.id())).await;
        }
        Ok(())
    }

    fn is_own_queue(&self, task_queue: &str) -> bool {
        task_queue.starts_with(TASK_QUEUE_PREFIX) || task_queue == self.task_queue
    }

    /// Where Temporal's Web UI is.
    pub fn ui_address(&self) -> &str {
        &self.ui_address
    }

    /// The environment in which a process means this stage's server and task queue.
    pub fn environment(&self) -> Environment {
        let connect = match &self.server {
            Some(server) => ConnectArgs {
                address: Some(server.address()),
                namespace: Some(server.namespace().to_owned()),
                tls: Some(false),
                encryption: self.show.connect.encryption.clone(),
                ..ConnectArgs::default()
            },
            None => self.show.connect.clone(),
        };
        let mut environment = connect.environment();
        environment.extend([
            (
                "ORDER_MANAGEMENT_TASK_QUEUE",
                self.task_queue.clone().into(),
            ),
            ("DATABASE", self.inventory.location().reveal()),
            ("TEMPORAL_UI_ADDRESS", self.ui_address.clone().into()),
        ]);
        environment
    }
}

async fn terminate(order: &OrderHandle) -> anyhow::Result<()> {
    let options = WorkflowTerminateOptions::builder()
        .reason("its demo was stopped")
        .build();
    Ok(order.terminate(options).await?)
}

/// A folder and an inventory of its own for a demo, and the task queue that it uses: its own too, unless
/// the settings name one.
fn places(show: &ShowArgs, folder: &TempDir) -> anyhow::Result<(PathBuf, Location, String)> {
    let own = rand::random::<u32>();
    let own_folder = folder.path().join(format!("{own:08x}"));
    std::fs::create_dir(&own_folder)
        .with_context(|| format!("cannot make {}", own_folder.display()))?;
    let location = match &show.database {
        Some(database) => database.apart(&format!("demo_{own:08x}")),
        None => own_folder.join("inventory.json").into(),
    };
    let task_queue = show.task_queue.clone();
    let task_queue = task_queue.unwrap_or_else(|| format!("{TASK_QUEUE_PREFIX}{own:08x}"));
    Ok((own_folder, location, task_queue))
}

/// Fails the demo if a starter's order did not end well.
///
/// # Errors
/// Returns an error if it did not succeed.
pub fn check_success(what: &str, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{what} ended with {status}");
    }
    Ok(())
}

/// The server to play on: the one that listens where the settings say, or one of the demo's own. That
/// one is on a port of its own, where no other demo looks for a server.
async fn server(show: &ShowArgs, voice: &Voice) -> anyhow::Result<(Option<DevServer>, Settings)> {
    let settings = show.connect.settings()?;
    let address = settings.host_port();
    match what_listens(&settings).await {
        Listener::TemporalServer => {
            voice.say(&format!("Using the Temporal server at {address}."));
            return Ok((None, settings));
        }
        // A server that was asked for by name is not replaced by another.
        _ if show.connect.address.is_some() => {
            temporal::connect(&settings, "order-management-demo").await?;
            return Ok((None, settings));
        }
        Listener::Nothing | Listener::SomethingElse(_) => {}
    }
    let builder = DevServer::builder(cli(voice).await?).ui();
    let (server, settings) = start(builder, voice).await?;
    announce(&server, show, voice);
    Ok((Some(server), settings))
}

async fn cli(voice: &Voice) -> anyhow::Result<PathBuf> {
    let search = CliSearch::from_env(&project_dir());
    let finding = search.find_or_fetch(|line| voice.say(line));
    Ok(voice.during("fetching the Temporal CLI", finding).await?)
}

/// Starts a server. Returns it, and how to reach it.
async fn start(builder: DevServerBuilder, voice: &Voice) -> anyhow::Result<(DevServer, Settings)> {
    let starting = voice.during("starting a Temporal dev server", builder.start());
    let server = starting.await?;
    let settings = Settings::plain(&server.address(), server.namespace())?;
    Ok((server, settings))
}

/// Says where a server that was started is, and until when.
fn announce(server: &DevServer, show: &ShowArgs, voice: &Voice) {
    let end = if show.keep {
        "with Ctrl-C"
    } else {
        "when the demo ends"
    };
    voice.say(&format!(
        "Started a Temporal dev server, which stops {end}.\nIts Web UI: {}",
        server.ui_address().unwrap_or_default(),
    ));
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("order-management-demo-")
        .tempdir()
        .with_context(|| {
            format!(
                "cannot make a folder for the demo in {}: set TMPDIR to a folder that can be \
                 written to",
                std::env::temp_dir().display()
            )
        })
}
