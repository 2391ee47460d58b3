//! What a dev server is started with, and the start itself.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use temporalio_client::grpc::{OperatorService, WorkflowService};
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::tonic::{IntoRequest, Request};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, RetryOptions, Url};
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::output::Output;
use super::watchdog::Watchdog;
use super::{DevServer, DevServerError, port};

pub(super) const HOST: &str = "127.0.0.1";

/// A server is ready in a second; a machine with a full load takes its time.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long one look whether it is ready may take to connect.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
const READY_PAUSE: Duration = Duration::from_millis(50);
/// How often a start on ports of its own choice is tried with others.
const PORT_ATTEMPTS: usize = 5;
/// What the CLI prints where a port is not free.
const PORT_TAKEN: &str = "address already in use";

/// By default the server hands out work at 20 tasks a second after a first burst, and each then
/// waits some 41 ms: an order of five activities takes 300 ms instead of 34.
///
/// Its timers, which also wake retries and notice silent workers, go off up to a second late.
const DYNAMIC_CONFIG: [&str; 3] = [
    "history.transferProcessorMaxPollRPS=5000",
    "history.transferProcessorMaxPollHostRPS=50000",
    "history.timerProcessorMaxTimeShift=\"20ms\"",
];

/// Without these SQLite waits for the disk at each step, and an order takes 90 ms instead of 42.
const SQLITE_PRAGMAS: [&str; 2] = ["journal_mode=wal", "synchronous=normal"];

/// A dev server to be started.
#[derive(Clone, Debug)]
pub struct DevServerBuilder {
    cli: PathBuf,
    pub(super) namespace: String,
    port: Option<u16>,
    ui: Ui,
    db_file: Option<PathBuf>,
    log_level: String,
    output: OutputTo,
    search_attributes: Vec<(String, String)>,
    dynamic_config: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Ui {
    None,
    OnFreePort,
    On(u16),
}

#[derive(Clone, Debug)]
enum OutputTo {
    Nowhere,
    File(PathBuf),
    Inherited,
}

impl DevServerBuilder {
    pub(super) fn new(cli: PathBuf) -> Self {
        Self {
            cli,
            namespace: "default".to_owned(),
            port: None,
            ui: Ui::None,
            db_file: None,
            log_level: "error".to_owned(),
            output: OutputTo::Nowhere,
            search_attributes: Vec::new(),
            dynamic_config: Vec::new(),
        }
    }

    /// The namespace to make beside `default`, which is always there.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The port to listen on, instead of a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With the Web UI, on `port`.
    pub fn ui_port(mut self, port: u16) -> Self {
        self.ui = Ui::On(port);
        self
    }

    /// With the Web UI, on a free port.
    pub fn ui(mut self) -> Self {
        self.ui = Ui::OnFreePort;
        self
    }

    /// The file its state is kept in, instead of in memory; made, with its folder, if need be.
    pub fn db_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.db_file = Some(path.into());
        self
    }

    /// How much it logs: `debug`, `info`, `warn`, `error` (the default) or `never`.
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }

    /// The file to append its output to, instead of keeping it for errors only.
    pub fn log_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = OutputTo::File(path.into());
        self
    }

    /// Its output goes where this process's own does.
    pub fn inherit_output(mut self) -> Self {
        self.output = OutputTo::Inherited;
        self
    }

    /// A search attribute to register, with its type: Text, Keyword, Int, Double, Bool, Datetime
    /// or KeywordList.
    pub fn search_attribute(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.search_attributes.push((name.into(), kind.into()));
        self
    }

    /// A setting of the server's, as `KEY=JSON`, in place of its default.
    pub fn dynamic_config(mut self, setting: impl Into<String>) -> Self {
        self.dynamic_config.push(setting.into());
        self
    }

    /// Starts the server and waits until it can be used: its namespace and its search attributes
    /// are there.
    ///
    /// # Errors
    /// [`DevServerError::PortInUse`] for a port that was named; [`DevServerError::EndedEarly`]
    /// with what the server printed; [`DevServerError::NotReady`] after 60 seconds;
    /// [`DevServerError::Spawn`] and [`DevServerError::File`].
    pub async fn start(self) -> Result<DevServer, DevServerError> {
        let mut attempt = 1;
        loop {
            let port = self.port.map_or_else(port::free, Ok)?;
            let ui_port = match self.ui {
                Ui::None => None,
                Ui::On(port) => Some(port),
                Ui::OnFreePort => Some(port::free()?),
            };
            match self.clone().start_on(port, ui_port).await {
                // Between the choice and the start another process can take a port, also one of
                // those that the server chooses for its parts.
                Err(DevServerError::EndedEarly { output, .. })
                    if output.contains(PORT_TAKEN) && attempt < PORT_ATTEMPTS => {}
                Err(DevServerError::PortInUse { port })
                    if !self.is_named(port) && attempt < PORT_ATTEMPTS => {}
                result => return result,
            }
            attempt += 1;
        }
    }

    fn is_named(&self, port: u16) -> bool {
        self.port == Some(port) || matches!(self.ui, Ui::On(ui_port) if ui_port == port)
    }

    pub(super) async fn start_on(
        self,
        port: u16,
        ui_port: Option<u16>,
    ) -> Result<DevServer, DevServerError> {
        // The server says so too, but only after another one there has answered in its name.
        if let Some(port) = [Some(port), ui_port]
            .into_iter()
            .flatten()
            .find(|port| port::is_taken(*port))
        {
            return Err(DevServerError::PortInUse { port });
        }
        let output = self.open_output()?;
        if let Some(folder) = self.db_file.as_deref().and_then(Path::parent) {
            fs::create_dir_all(folder).map_err(|source| DevServerError::File {
                what: "database folder",
                path: folder.to_owned(),
                source,
            })?;
        }

        let mut watchdog = Watchdog::start()?;
        let child = self.spawn(port, ui_port, &output)?;
        let pid = child.id().unwrap_or_default();
        if let Some(watchdog) = &mut watchdog {
            watchdog.watch(pid).await?;
        }
        let mut server = DevServer {
            watchdog,
            child,
            pid,
            output,
            builder: self,
            port,
            ui_port,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    fn open_output(&self) -> Result<Output, DevServerError> {
        match &self.output {
            OutputTo::Inherited => Ok(Output::Inherited),
            OutputTo::Nowhere => Ok(Output::unnamed()?),
            OutputTo::File(path) => {
                Output::appended_to(path).map_err(|source| DevServerError::File {
                    what: "log file",
                    path: path.clone(),
                    source,
                })
            }
        }
    }

    fn spawn(
        &self,
        port: u16,
        ui_port: Option<u16>,
        output: &Output,
    ) -> Result<Child, DevServerError> {
        let mut command = Command::new(&self.cli);
        command.args(["server", "start-dev", "--ip", HOST]);
        command.arg("--port").arg(port.to_string());
        match ui_port {
            Some(ui_port) => command.arg("--ui-port").arg(ui_port.to_string()),
            None => command.arg("--headless"),
        };
        command.arg("--namespace").arg(&self.namespace);
        command.arg("--log-level").arg(&self.log_level);
        let own = self.dynamic_config.iter().map(String::as_str);
        for setting in DYNAMIC_CONFIG.into_iter().chain(own) {
            command.args(["--dynamic-config-value", setting]);
        }
        if let Some(file) = &self.db_file {
            command.arg("--db-filename").arg(file);
            for pragma in SQLITE_PRAGMAS {
                command.args(["--sqlite-pragma", pragma]);
            }
        }
        for (name, kind) in &self.search_attributes {
            command
                .arg("--search-attribute")
                .arg(format!("{name}={kind}"));
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(output.stdio()?).stderr(output.stdio()?);
        // Ctrl-C goes to the whole group of the terminal; whether it ends the server, and when, is
        // the owner's to say.
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map_err(|source| DevServerError::Spawn {
            cli: self.cli.clone(),
            source,
        })
    }
}

impl DevServer {
    async fn wait_until_ready(&mut self) -> Result<(), DevServerError> {
        let started = Instant::now();
        loop {
            let readiness = self.check_ready().await;
            // Also after it seems ready: what answered may be another server on the same port.
            if let Some(status) = self.exited()? {
                return Err(DevServerError::EndedEarly {
                    address: self.address(),
                    status,
                    output: self.output.end(),
                });
            }
            let Err(reason) = readiness else {
                return Ok(());
            };
            if started.elapsed() > READY_LIMIT {
                self.kill().await?;
                return Err(DevServerError::NotReady {
                    address: self.address(),
                    limit: READY_LIMIT,
                    reason,
                    output: self.output.end(),
                });
            }
            sleep(READY_PAUSE).await;
        }
    }

    async fn check_ready(&self) -> Result<(), String> {
        let client = self.client().await.map_err(|error| error.to_string())?;
        let request = DescribeNamespaceRequest {
            namespace: self.builder.namespace.clone(),
            ..Default::default()
        };
        WorkflowService::describe_namespace(&mut client.clone(), once(request))
            .await
            .map_err(|status| status.to_string())?;
        self.check_search_attributes(&client).await
    }

    async fn client(&self) -> Result<Client, Box<dyn Error + Send + Sync>> {
        let target = Url::parse(&format!("http://{}", self.address()))?;
        let options = ConnectionOptions::new(target)
            .identity("dev-server-check".to_owned())
            .connect_timeout(ANSWER_LIMIT)
            .build();
        let connection = Connection::connect(options).await?;
        let options = ClientOptions::new(self.builder.namespace.clone()).build();
        Ok(Client::new(connection, options)?)
    }

    async fn check_search_attributes(&self, client: &Client) -> Result<(), String> {
        let wanted = &self.builder.search_attributes;
        if wanted.is_empty() {
            return Ok(());
        }
        let request = ListSearchAttributesRequest {
            namespace: self.builder.namespace.clone(),
        };
        let known = OperatorService::list_search_attributes(&mut client.clone(), once(request))
            .await
            .map_err(|status| status.to_string())?
            .into_inner()
            .custom_attributes;
        match wanted.iter().find(|(name, _)| !known.contains_key(name)) {
            Some((name, _)) => Err(format!("search attribute {name} is not registered yet")),
            None => Ok(()),
        }
    }
}

/// A request that the client does not repeat by itself when it fails: the wait for readiness does.
fn once<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request
        .extensions_mut()
        .insert(RetryConfigForCall(RetryOptions::no_retries()));
    request
}
