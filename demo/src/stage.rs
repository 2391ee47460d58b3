//! What a demo plays on: a server, a folder, a task queue.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use inventory::Inventory;
use servers::{CliSearch, DevServer, project_dir};
use starter::follow::{self, OrderHandle};
use tempfile::TempDir;
use temporal::{ConnectArgs, Listener, Settings, what_listens};
use temporalio_client::{Client, WorkflowDescribeOptions, WorkflowTerminateOptions};

use crate::{
    args::ShowArgs,
    parts::Part,
    process::{StarterProcess, WorkerProcess, this_program},
    voice::Voice,
};

/// What the task queues of demos begin with, so that a later demo knows what an earlier one left.
const TASK_QUEUE_PREFIX: &str = "OrderManagement-demo-";

/// The Web UI's port is this much above the server's, as the Temporal CLI has it.
pub const UI_PORT_OFFSET: u16 = 1000;

/// How long to wait for what must happen before something is taken to be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

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
    show: ShowArgs,
    database: PathBuf,
    task_queue: String,
    folder: TempDir,
    workers: usize,
}

impl Stage {
    /// Sets the stage: finds a server or starts one, and makes a folder with the inventory's first
    /// state.
    ///
    /// # Errors
    /// Returns an error if there is no server and none can be started.
    pub async fn set(show: &ShowArgs) -> anyhow::Result<Self> {
        let voice = Voice::new(show.step, show.slow);
        let (server, settings) = server(show, voice).await?;
        Self::on(server, settings, folder()?, show, voice).await
    }

    /// Sets the stage with a server of its own, which keeps its state on disk and may be killed.
    ///
    /// # Errors
    /// Returns an error if it cannot be started.
    pub async fn with_own_server(show: &ShowArgs) -> anyhow::Result<Self> {
        let voice = Voice::new(show.step, show.slow);
        let folder = folder()?;
        let server = DevServer::builder(cli(voice).await?)
            .ui()
            .db_file(folder.path().join("server.db"))
            .start()
            .await?;
        let settings = started(&server, voice)?;
        Self::on(Some(server), settings, folder, show, voice).await
    }

    async fn on(
        server: Option<DevServer>,
        settings: Settings,
        folder: TempDir,
        show: &ShowArgs,
        voice: Voice,
    ) -> anyhow::Result<Self> {
        let mut settings = settings;
        settings.encryption = show.connect.encryption.keys()?;
        let client = temporal::connect(&settings, "order-management-demo").await?;
        let database = show
            .database
            .clone()
            .unwrap_or_else(|| folder.path().join("inventory.json"));
        let task_queue = show
            .task_queue
            .clone()
            .unwrap_or_else(|| format!("{TASK_QUEUE_PREFIX}{:08x}", rand::random::<u32>()));
        let stage = Self {
            voice,
            client,
            fault_seed: SEED,
            server,
            show: show.clone(),
            database,
            task_queue,
            folder,
            workers: 0,
        };
        // Reading it makes it.
        stage.inventory().products()?;
        Ok(stage)
    }

    /// The inventory that the demo's workers change.
    pub fn inventory(&self) -> Inventory {
        Inventory::at(&self.database, SystemTime::now)
    }

    /// Shows the inventory file as it is now.
    pub fn show_inventory(&self) -> anyhow::Result<()> {
        self.show_file(&self.database)
    }

    /// Shows the ledger as it is now.
    pub fn show_ledger(&self) -> anyhow::Result<()> {
        self.show_file(self.inventory().ledger_path())
    }

    /// Shows the inventory and then the ledger, as they are now.
    ///
    /// # Errors
    /// Returns an error if one of them cannot be read.
    pub fn show_books(&self) -> anyhow::Result<()> {
        self.show_inventory()?;
        self.show_ledger()
    }

    fn show_file(&self, path: &Path) -> anyhow::Result<()> {
        let content = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        self.voice.file(path, &content);
        Ok(())
    }

    /// Goes on with an inventory of the demo's own that holds these units of these products.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn stock(&mut self, shelves: &[(&str, u32)]) -> anyhow::Result<()> {
        let records: Vec<String> = shelves
            .iter()
            .map(|(product, in_stock)| {
                format!(
                    r#"    {{ "orderID": "000", "productID": "{product}", "inStock": {in_stock} }}"#
                )
            })
            .collect();
        let content = format!("[\n{}\n]\n", records.join(",\n"));
        self.database = self.path("products").join("inventory.json");
        let folder = self.database.parent().context("a file in a folder")?;
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&self.database, content))
            .with_context(|| format!("cannot write {}", self.database.display()))?;
        self.inventory().products()?;
        Ok(())
    }

    /// A file of the demo's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a worker with these further arguments, and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if it ends early or is not ready in time.
    pub async fn worker(&mut self, further: &[&str]) -> anyhow::Result<WorkerProcess> {
        self.workers += 1;
        let seed = self.fault_seed.to_string();
        let arguments = [&["--fault-seed", &seed], further].concat();
        let log = self.path(&format!("worker-{}.log", self.workers));
        let mut worker = WorkerProcess::start(&arguments, self.environment(), log)?;
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
        StarterProcess::start(arguments, self.environment(), self.voice)
    }

    /// The command of a starter, to be run later and outside the async runtime.
    ///
    /// # Errors
    /// Returns an error if this program's file cannot be found.
    pub fn starter_command(&self, arguments: &[&str]) -> anyhow::Result<std::process::Command> {
        let mut command = this_program(Part::Starter)?.into_std();
        command.args(arguments).envs(self.environment());
        Ok(command)
    }

    /// Frees an order ID that an earlier demo, cut short, left under way on its own task queue.
    ///
    /// # Errors
    /// Returns an error if the server does not answer, or the inventory that was asked for knows the order.
    pub async fn free(&self, order_id: &str) -> anyhow::Result<()> {
        if !self.inventory().effects(order_id)?.is_empty() {
            bail!(
                "{order_id} is already in {} and would be a duplicate: leave out --database and \
                 DATABASE, or name a new file",
                self.database.display()
            );
        }
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
            let options = WorkflowTerminateOptions::builder()
                .reason("a demo that was interrupted left this order running")
                .build();
            handle.terminate(options).await?;
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
        let server = self
            .server
            .as_mut()
            .context("the server is not the demo's")?;
        server.kill().await?;
        Ok(server.restart().await?)
    }

    /// The task queue of the demo's workers.
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Fails the demo if the ledger does not add up.
    ///
    /// # Errors
    /// Returns an error if they do not agree.
    pub fn check_audit(&self) -> anyhow::Result<()> {
        let audit = inventory::audit(&self.database)?;
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
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .with_context(|| format!("waited {PATIENCE:?} for {what}, but it did not happen"))?
    }

    /// Stops what the demo started.
    ///
    /// # Errors
    /// Returns an error if the server does not stop.
    pub async fn strike(self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }

    /// The environment in which a process means this stage's server and task queue.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
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
            ("DATABASE", self.database.clone().into()),
            ("TEMPORAL_UI_ADDRESS", self.ui_address().into()),
        ]);
        environment
    }

    fn ui_address(&self) -> String {
        self.server
            .as_ref()
            .and_then(DevServer::ui_address)
            .unwrap_or_else(|| self.show.ui.ui_address.clone())
    }
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

/// The server to play on: the one that listens where the settings say, or one of the demo's own.
async fn server(show: &ShowArgs, voice: Voice) -> anyhow::Result<(Option<DevServer>, Settings)> {
    let settings = show.connect.settings()?;
    let address = settings.host_port();
    let port = match what_listens(&settings).await {
        Listener::TemporalServer => {
            voice.say(&format!("Using the Temporal server at {address}."));
            return Ok((None, settings));
        }
        // A server that was asked for by name is not replaced by another.
        _ if show.connect.address.is_some() => {
            let error = temporal::connect(&settings, "order-management-demo").await;
            return match error {
                Ok(_) => Ok((None, settings)),
                Err(error) => Err(error.into()),
            };
        }
        Listener::Nothing => Some(settings.port()),
        Listener::SomethingElse(_) => {
            voice.say(&format!(
                "The program listening at {address} is not a Temporal server, so the demo starts \
                 one on a free port."
            ));
            None
        }
    };
    let mut builder = DevServer::builder(cli(voice).await?);
    builder = match port {
        Some(port) => builder.port(port).ui_port(port + UI_PORT_OFFSET),
        None => builder.ui(),
    };
    let server = builder.start().await?;
    let settings = started(&server, voice)?;
    Ok((Some(server), settings))
}

async fn cli(voice: Voice) -> anyhow::Result<PathBuf> {
    let search = CliSearch::from_env(&project_dir());
    Ok(search.find_or_fetch(|line| voice.say(line)).await?)
}

/// Says where a server was started. Returns how to reach it.
fn started(server: &DevServer, voice: Voice) -> anyhow::Result<Settings> {
    voice.say(&format!(
        "Started a Temporal dev server at {} with its Web UI at {}. It stops when the demo ends.",
        server.address(),
        server.ui_address().unwrap_or_default(),
    ));
    Ok(Settings::plain(&server.address(), server.namespace())?)
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("order-management-demo-")
        .tempdir()
        .context("cannot make a folder for the demo")
}
