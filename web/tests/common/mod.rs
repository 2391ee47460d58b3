//! The program `web` as a process, with a real server and a real worker.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs::File,
    path::PathBuf,
    process::Stdio,
    sync::Mutex,
    thread,
    time::{Duration, SystemTime},
};

use clap::Parser;
use inventory::Inventory;
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use servers::{CliSearch, DevServer, project_dir};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

/// How long a test waits for what must happen. A machine under load takes its time; a test that waits in
/// vain fails here.
pub const PATIENCE: Duration = Duration::from_secs(180);

pub const TASK_QUEUE: &str = "orders";

/// A server, a folder with an inventory, and the page on them.
pub struct Scene {
    pub server: DevServer,
    pub web: Web,
    folder: TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(flags: &[&str]) -> Self {
        let cli = CliSearch::from_env(&project_dir())
            .find_or_fetch(|_| ())
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = DevServer::builder(cli).db_file(folder.path().join("server.db"));
        let server = server.start().await.unwrap();
        let web = Web::start(&folder, &server.address(), flags).await;
        Self {
            server,
            web,
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another page on the same inventory, with a server at this address.
    pub async fn another_web(&self, server: &str, flags: &[&str]) -> Web {
        Web::start(&self.folder, server, flags).await
    }

    /// A worker without faults, unless `flags` say otherwise.
    pub fn worker(&self, flags: &[&str]) -> Worker {
        Worker::start(&self.folder, &self.server.address(), flags)
    }

    pub async fn inventory(&self) -> Inventory {
        let location = self.path("inventory.json").into();
        Inventory::open(&location, SystemTime::now).await.unwrap()
    }
}

/// The program; killed when it is dropped.
pub struct Web {
    pub url: String,
    pub host: String,
    pub client: Client,
    child: Child,
    log: PathBuf,
}

impl Web {
    pub async fn start(folder: &TempDir, server: &str, flags: &[&str]) -> Self {
        let log = folder.path().join("web.log");
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_web"))
            .args(["--address", server, "--task-queue", TASK_QUEUE])
            .args(["--listen", "127.0.0.1:0"])
            .arg("--database")
            .arg(folder.path().join("inventory.json"))
            .args(flags)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let host = until("the page's address", async || {
            let log = std::fs::read_to_string(&log).unwrap();
            let (_, rest) = log.split_once("url=http://")?;
            let (host, _) = rest.split_once('\n')?;
            Some(host.to_owned())
        })
        .await;
        Self {
            url: format!("http://{host}"),
            host,
            client: Client::new(),
            child,
            log,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends the signal, and returns how the program ended.
    pub async fn stopped_by(mut self, stop: Signal) -> std::process::ExitStatus {
        let pid = Pid::from_raw(self.pid().try_into().unwrap());
        signal::kill(pid, stop).unwrap();
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("the program should end")
            .unwrap()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn events(&self, path: &str) -> Events {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Events {
            response,
            text: String::new(),
        }
    }

    /// Waits until an order has this status.
    pub async fn until_status(&self, order_id: &str, status: &str) -> Value {
        let path = format!("/api/orders/{order_id}");
        until(&format!("{order_id} to be {status}"), async || {
            let answer = self.get(&path).await;
            (answer.json["status"] == status).then_some(answer.json)
        })
        .await
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind.map_or_else(String::new, |it| it.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self {
            status,
            kind,
            text,
            json,
        }
    }

    /// The problem's sentence.
    #[track_caller]
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.kind, "application/problem+json", "{self:?}");
        assert_eq!(self.json["status"], status);
        self.json["detail"].as_str().unwrap()
    }
}

/// Server-sent events.
pub struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// The name and the value of the next event; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                let event = field("event: ").zip(field("data: "));
                self.text = rest.to_owned();
                if let Some((name, data)) = event {
                    return Some((name, serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// Waits for an event of this name that `wanted` accepts.
    pub async fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let (found, value) = self.next().await.expect("the stream should go on");
                if found == name && wanted(&value) {
                    return value;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {name}"))
    }
}

/// A worker in this process. It ends in the middle of whatever it does when it is dropped.
pub struct Worker {
    stop: Option<oneshot::Sender<()>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Worker {
    fn start(folder: &TempDir, server: &str, flags: &[&str]) -> Self {
        let database = folder.path().join("inventory.json");
        let calm: &[&str] = if flags.contains(&"--fault-rate") {
            &[]
        } else {
            &["--fault-rate", "0"]
        };
        let usual = ["worker", "--address", server, "--task-queue", TASK_QUEUE];
        let database = ["--database", database.to_str().unwrap()];
        let args = [&usual[..], &database, calm, flags].concat();
        let args = worker::Args::try_parse_from(args).unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    ended = worker::run(args) => ended.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            stop: Some(stop),
            thread: Mutex::new(Some(thread)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.lock().unwrap().take();
        let _ = thread.map(thread::JoinHandle::join);
    }
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
