//! What a dev server is started with, and the command line made of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::error::DevServerError;
use crate::{output::Output, port::ReservedPort};

pub(super) const HOST: &str = "127.0.0.1";

/// By default the server hands out 20 tasks a second after a first burst, and each further one
/// waits some 41 ms: an order of five activities takes 300 ms instead of 34 ms.
///
/// Its timers, which also start retries and detect workers that went silent, fire up to a second
/// late by default.
///
/// A worker returns each refused update to the server. If those of one workflow task come to more
/// than 4 MB, gRPC's limit, the server terminates the workflow. It therefore lets fewer bytes of
/// updates in at a time; by default it is 20 MB.
///
/// From the fourth attempt at a workflow task on, it by default gives the worker 5 s more than the task's
/// own timeout, then 10 s, 20 s, and so on up to 10 minutes: if the workers of those attempts died, the
/// workflow stands still for so long. Here it is 1 s more.
const DYNAMIC_CONFIG: [&str; 5] = [
    "history.transferProcessorMaxPollRPS=5000",
    "history.transferProcessorMaxPollHostRPS=50000",
    "history.timerProcessorMaxTimeShift=\"20ms\"",
    "history.maxInFlightUpdatePayloads=2097152",
    "history.workflowTaskRetryMaxInterval=\"1s\"",
];

/// Without these, SQLite waits for the disk at each step, and an order takes 90 ms instead of
/// 42 ms.
const SQLITE_PRAGMAS: [&str; 2] = ["journal_mode=wal", "synchronous=normal"];

/// The settings of a dev server that is to be started. [`DevServer::builder`] makes one.
///
/// [`DevServer::builder`]: super::DevServer::builder
#[derive(Clone, Debug)]
pub struct DevServerBuilder {
    cli: PathBuf,
    pub(super) namespace: String,
    port: Option<u16>,
    ui: Ui,
    db_file: Option<PathBuf>,
    inherit_output: bool,
    pub(super) search_attributes: Vec<(String, String)>,
    dynamic_config: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Ui {
    None,
    OnFreePort,
    On(u16),
}

impl DevServerBuilder {
    pub(super) fn new(cli: PathBuf) -> Self {
        Self {
            cli,
            namespace: "default".to_owned(),
            port: None,
            ui: Ui::None,
            db_file: None,
            inherit_output: false,
            search_attributes: Vec::new(),
            dynamic_config: Vec::new(),
        }
    }

    /// Creates this namespace as well as `default`, which always exists.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Listens on this port instead of a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Serves the Web UI on `port`. Without this or [`ui`](Self::ui) there is no Web UI.
    pub fn ui_port(mut self, port: u16) -> Self {
        self.ui = Ui::On(port);
        self
    }

    /// Serves the Web UI on a free port.
    pub fn ui(mut self) -> Self {
        self.ui = Ui::OnFreePort;
        self
    }

    /// Keeps the server's state in this file instead of in memory. The file and its folder are
    /// created if they do not exist.
    pub fn db_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.db_file = Some(path.into());
        self
    }

    /// Sends the server's output to the output of this process. By default it is kept only for
    /// error messages.
    pub fn inherit_output(mut self) -> Self {
        self.inherit_output = true;
        self
    }

    /// Registers a search attribute, a field by which workflows can be found. Its type is `Text`,
    /// `Keyword`, `Int`, `Double`, `Bool`, `Datetime` or `KeywordList`.
    pub fn search_attribute(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.search_attributes.push((name.into(), kind.into()));
        self
    }

    /// Overrides one of the server's dynamic settings, written as `KEY=JSON`.
    pub fn dynamic_config(mut self, setting: impl Into<String>) -> Self {
        self.dynamic_config.push(setting.into());
        self
    }

    /// The server's port, and the Web UI's if there is one.
    pub(super) fn ports(&self, reserved: &ReservedPort) -> (u16, Option<u16>) {
        let ui_port = match self.ui {
            Ui::None => None,
            Ui::On(port) => Some(port),
            Ui::OnFreePort => Some(reserved.ui_number()),
        };
        (self.port.unwrap_or_else(|| reserved.number()), ui_port)
    }

    pub(super) fn open_output(&self) -> io::Result<Output> {
        match self.inherit_output {
            true => Ok(Output::Inherited),
            false => Output::file(),
        }
    }

    pub(super) fn create_db_folder(&self) -> Result<(), DevServerError> {
        let Some(folder) = self.db_file.as_deref().and_then(Path::parent) else {
            return Ok(());
        };
        fs::create_dir_all(folder).map_err(|source| DevServerError::DbFolder {
            folder: folder.to_owned(),
            source,
        })
    }

    pub(super) fn command(
        &self,
        port: u16,
        ui_port: Option<u16>,
        output: &Output,
    ) -> io::Result<Command> {
        let mut command = Command::new(&self.cli);
        command.args(["server", "start-dev", "--ip", HOST]);
        command.arg("--port").arg(port.to_string());
        match ui_port {
            Some(ui_port) => command.arg("--ui-port").arg(ui_port.to_string()),
            None => command.arg("--headless"),
        };
        command.arg("--namespace").arg(&self.namespace);
        command.args(["--log-level", "error"]);
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
        command.stdin(Stdio::null());
        command.stdout(output.stdio()?).stderr(output.stdio()?);
        Ok(command)
    }
}
