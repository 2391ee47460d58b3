//! The processes behind the page, and what can be done to them.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use activities::{Controls, faults::FaultRate};
use anyhow::{Context, ensure};
use inventory::Inventory;
use orders::Order;
use serde::Deserialize;
use starter::{builds::Deployment, follow::OrderHandle, submit::submit};
use temporalio_client::Client;
use tokio::sync::{Mutex as AsyncMutex, watch};
use web::stage::{
    Act, Build, Comparison, Death, Doing, Outcome, Process, ProcessKind, ProcessState, Scene,
    StageError, StageView,
};

use crate::{
    process::{Environment, WorkerProcess},
    report::Killed,
    sample::numbered_order,
    stage::Stage,
};

/// The Temporal server's name on the page.
pub const SERVER: &str = "server";

/// The names on the page of the first build's workers, which the scenes are played with.
const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

/// How often to look at the processes. A charge that is to be followed by a kill is held for so long.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How often to look at what the workers do: often enough for the eye.
const READ_EVERY: Duration = Duration::from_millis(250);

/// What the workers log: also which attempts begin, to know with which ones a worker dies.
const LOGGED: &str = "info,activities=debug,temporalio=warn,temporalio_client=error";

/// The deployment that the workers of all builds belong to.
const DEPLOYMENT: &str = "orders";

/// The build of the workers above. It gets all new orders at first.
pub const FIRST_BUILD: &str = "1";

/// What the workers of the builds after it are called, and what they are started with.
const LATER_BUILDS: [(&str, &str, &[&str]); 2] = [
    ("build-2", "2", &[]),
    ("build-3", "3", &["--bug", "workflow"]),
];

/// How long a process may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long the server may take to accept an order. One that is away takes it never.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// The number of the first order that a scene places.
const FIRST_ORDER: u32 = 1_001;

/// The processes behind the page, with all that is known of them.
pub struct Backstage {
    /// The connection to the server.
    pub client: Client,
    /// The workers' inventory.
    pub inventory: Inventory,
    /// The workers' task queue.
    pub task_queue: String,
    /// The seed of the workers' faults.
    pub fault_seed: u64,
    /// What the page shows of a comparison.
    pub comparison: watch::Sender<Option<Comparison>>,
    view: watch::Sender<Arc<StageView>>,
    workers: Vec<Worker>,
    /// It owns the server.
    stage: AsyncMutex<Stage>,
    numbers: AtomicU32,
    acts: AtomicU32,
    kills: Mutex<Vec<Killed>>,
    deaths: Mutex<Vec<Death>>,
    /// Why a worker ended by itself, the last time.
    trouble: Mutex<Option<String>>,
    writing: Mutex<()>,
}

/// One of the workers, whether it runs or not.
struct Worker {
    name: &'static str,
    /// Which build it is.
    build: &'static str,
    /// What else it is started with.
    flags: &'static [&'static str],
    environment: Environment,
    /// The worker's [`Controls`].
    controls: PathBuf,
    /// What the worker writes when it has made the charge after which it is killed: the order's ID.
    charged: PathBuf,
    log: Mutex<Log>,
    /// None if it does not run.
    process: AsyncMutex<Option<WorkerProcess>>,
}

impl Backstage {
    /// Starts the workers on a stage with a server of its own, and waits until they are ready.
    ///
    /// # Errors
    /// Returns an error if a worker cannot be started.
    pub async fn set(
        stage: Stage,
        fault_rate: FaultRate,
        scenes: Vec<Scene>,
    ) -> anyhow::Result<Arc<Self>> {
        let worker = |name: &'static str, build, flags| Worker {
            name,
            build,
            flags,
            environment: stage.environment(),
            controls: stage.path(&format!("{name}.json")),
            charged: stage.path(&format!("{name}-charged")),
            log: Mutex::new(Log::new(stage.path(&format!("{name}.log")))),
            process: AsyncMutex::default(),
        };
        let workers = WORKERS.map(|name| worker(name, FIRST_BUILD, &[]));
        let later = LATER_BUILDS.map(|(name, build, flags)| worker(name, build, flags));
        let workers: Vec<_> = workers.into_iter().chain(later).collect();
        let processes = workers.iter().map(|it| (it.name, ProcessKind::Worker));
        let processes = processes.chain([(SERVER, ProcessKind::Server)]);
        let view = StageView {
            processes: processes
                .map(|(name, kind)| unstarted(name, kind))
                .collect(),
            fault_rate: fault_rate.into(),
            payments_up: true,
            deaths: 0,
            names: BTreeMap::new(),
            builds: std::iter::once(build(FIRST_BUILD, true, 100))
                .chain(LATER_BUILDS.map(|(_, id, _)| build(id, false, 0)))
                .collect(),
            scenes,
            act: None,
        };
        let backstage = Arc::new(Self {
            client: stage.client.clone(),
            inventory: stage.inventory().clone(),
            task_queue: stage.task_queue().to_owned(),
            fault_seed: stage.fault_seed,
            comparison: watch::Sender::new(None),
            view: watch::Sender::new(Arc::new(view)),
            workers,
            stage: AsyncMutex::new(stage),
            numbers: AtomicU32::new(FIRST_ORDER),
            acts: AtomicU32::new(1),
            kills: Mutex::default(),
            deaths: Mutex::default(),
            trouble: Mutex::default(),
            writing: Mutex::default(),
        });
        let pid = backstage.stage.lock().await.server()?.pid();
        backstage.becomes(SERVER, ProcessState::Alive, Some(pid));
        tokio::spawn(watch(Arc::downgrade(&backstage)));
        for name in WORKERS {
            backstage.start(name).await?;
        }
        backstage.until_ready(&WORKERS).await?;
        let deployment = backstage.deployment();
        deployment.deploy(FIRST_BUILD, 100.0).await?;
        Ok(backstage)
    }

    /// What the page shows of the stage.
    pub fn view(&self) -> watch::Receiver<Arc<StageView>> {
        self.view.subscribe()
    }

    /// The attempts at an order's steps during which a worker died.
    pub fn deaths(&self, order_id: &str) -> Vec<Death> {
        let deaths = locked(&self.deaths);
        let of_it = deaths.iter().filter(|death| death.order_id == order_id);
        of_it.cloned().collect()
    }

    /// What was killed, or ended by itself, so far.
    pub fn kills(&self) -> Vec<Killed> {
        locked(&self.kills).clone()
    }

    /// The fault rate that workers have now.
    pub fn fault_rate(&self) -> FaultRate {
        FaultRate::try_from(self.view.borrow().fault_rate).unwrap_or(FaultRate::NONE)
    }

    /// The workers of the first build that run.
    pub fn alive(&self) -> Vec<&'static str> {
        let view = self.view.borrow();
        let runs = |name: &&str| process(&view, name).state == ProcessState::Alive;
        WORKERS.into_iter().filter(runs).collect()
    }

    /// The workers of the first build and the server, as far as they do not run.
    pub fn dead(&self) -> Vec<&'static str> {
        let view = self.view.borrow();
        let ended = |name: &&str| process(&view, name).state == ProcessState::Dead;
        WORKERS.into_iter().chain([SERVER]).filter(ended).collect()
    }

    /// Ends a process with SIGKILL.
    ///
    /// # Errors
    /// Returns an error if there is no such process, or it does not run.
    pub async fn kill(&self, name: &str) -> Result<(), StageError> {
        let not_running = || refused(format!("{name} does not run: start it first"));
        if name == SERVER {
            let mut stage = self.stage.lock().await;
            let server = stage.server().map_err(failed)?;
            if server.exited().map_err(failed)?.is_some() {
                return Err(not_running());
            }
            server.kill().await.map_err(failed)?;
            // While it is locked: whoever finds a dead server that lives on the page tells that it died.
            self.died(name, false);
            return Ok(());
        }
        let mut running = self.worker(name)?.process.lock().await;
        let mut process = running.take().ok_or_else(not_running)?;
        let by_itself = process.kill().await.is_err();
        self.died(name, by_itself);
        if by_itself {
            return Err(not_running());
        }
        Ok(())
    }

    /// Starts a process that has ended. A server is waited for until it is ready; of a worker, the view
    /// tells.
    ///
    /// # Errors
    /// Returns an error if there is no such process, it runs, or it cannot be started.
    pub async fn start(&self, name: &str) -> Result<(), StageError> {
        let runs = || refused(format!("{name} runs already"));
        if name != SERVER {
            let worker = self.worker(name)?;
            let mut running = worker.process.lock().await;
            if running.is_some() {
                return Err(runs());
            }
            self.write_controls().map_err(failed)?;
            let process = worker.start(self.fault_seed).map_err(failed)?;
            self.becomes(name, ProcessState::Starting, Some(process.pid()));
            *running = Some(process);
            return Ok(());
        }
        let mut stage = self.stage.lock().await;
        self.look_at_server(&mut stage);
        let server = stage.server().map_err(failed)?;
        if server.exited().map_err(failed)?.is_none() {
            return Err(runs());
        }
        self.becomes(name, ProcessState::Starting, None);
        let started = server.restart().await;
        let state = match started {
            Ok(()) => ProcessState::Alive,
            Err(_) => ProcessState::Dead,
        };
        self.becomes(name, state, started.is_ok().then(|| server.pid()));
        started.map_err(failed)
    }

    /// Starts the worker of a build after the first, and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if there is no such build, its worker runs, or it is not ready in time.
    pub async fn start_build(&self, id: &str) -> Result<(), StageError> {
        let later = LATER_BUILDS.iter().find(|(_, build, _)| *build == id);
        let (name, ..) = later.ok_or_else(|| {
            StageError::Unknown("only a worker of build 2 or 3 can be started".to_owned())
        })?;
        self.start(name).await?;
        self.until_ready(&[name]).await.map_err(failed)
    }

    /// The workers of all builds.
    pub fn deployment(&self) -> Deployment {
        Deployment::new(self.client.clone(), DEPLOYMENT)
    }

    /// Changes what the page shows of the builds.
    pub fn change_builds(&self, change: impl FnMut(&mut Build)) {
        self.change(|view| view.builds.iter_mut().for_each(change));
    }

    /// Waits until these processes, which were started, are ready.
    ///
    /// # Errors
    /// Returns an error if one has ended, or it takes too long.
    pub async fn until_ready(&self, names: &[&str]) -> anyhow::Result<()> {
        let mut view = self.view();
        let are_in = |view: &StageView, state| -> Vec<&str> {
            let found = names.iter().copied();
            found
                .filter(|name| process(view, name).state == state)
                .collect()
        };
        let are_settled = |view: &Arc<StageView>| are_in(view, ProcessState::Starting).is_empty();
        let settled = tokio::time::timeout(READY_WITHIN, view.wait_for(are_settled)).await;
        settled.with_context(|| format!("a process was not ready within {READY_WITHIN:?}"))??;
        let dead = are_in(&self.view.borrow(), ProcessState::Dead);
        let trouble = locked(&self.trouble).take().unwrap_or_default();
        ensure!(
            dead.is_empty(),
            "{} ended before it was ready: {trouble}",
            dead.join(" and ")
        );
        Ok(())
    }

    /// Kills the first of these workers that makes a charge, before it can report that.
    ///
    /// # Errors
    /// Returns an error if one of them is unknown or does not run, or cannot be told.
    pub fn arm(&self, names: &[&str]) -> Result<(), StageError> {
        for name in names {
            self.worker(name)?;
            if process(&self.view.borrow(), name).state != ProcessState::Alive {
                return Err(refused(format!("{name} does not run: start it first")));
            }
        }
        self.change(|view| {
            for process in &mut view.processes {
                process.armed |= names.contains(&process.name.as_str());
            }
        });
        self.write_controls().map_err(failed)
    }

    /// Lets every worker report its next charge.
    pub fn disarm(&self) {
        self.change(|view| {
            for process in &mut view.processes {
                process.armed = false;
            }
        });
        if let Err(error) = self.write_controls() {
            *locked(&self.trouble) = Some(format!("{error:#}"));
        }
    }

    /// Sets the fault rate of attempts that begin from now on.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be told.
    pub fn set_fault_rate(&self, rate: FaultRate) -> Result<(), StageError> {
        self.change(|view| view.fault_rate = rate.into());
        self.write_controls().map_err(failed)
    }

    /// Takes the payment service down, or up again.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be told.
    pub fn set_payments_up(&self, up: bool) -> Result<(), StageError> {
        self.change(|view| view.payments_up = up);
        self.write_controls().map_err(failed)
    }

    /// The next order of a scene.
    pub fn order(&self, quantity: u32) -> Order {
        numbered_order(self.numbers(1).start, quantity)
    }

    /// As many numbers of orders as these.
    pub fn numbers(&self, count: u32) -> Range<u32> {
        let first = self.numbers.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// Refuses what takes the Temporal server, if that does not run.
    ///
    /// # Errors
    /// Returns an error if it does not run.
    pub fn check_server(&self) -> Result<(), StageError> {
        if process(&self.view.borrow(), SERVER).state != ProcessState::Alive {
            let text = "the Temporal server does not run: start it first";
            return Err(refused(text.to_owned()));
        }
        Ok(())
    }

    /// Places an order.
    ///
    /// # Errors
    /// Returns an error if the server does not run, or does not accept it.
    pub async fn place(&self, order: &Order) -> Result<OrderHandle, StageError> {
        self.check_server()?;
        let placing = submit(&self.client, &self.task_queue, order);
        match tokio::time::timeout(ACCEPT_WITHIN, placing).await {
            Ok(submitted) => Ok(submitted.map_err(failed)?.into_handle()),
            Err(_) => Err(StageError::Failed(format!(
                "the Temporal server did not accept {} within {ACCEPT_WITHIN:?}",
                order.order_id
            ))),
        }
    }

    /// Begins something that takes a while, of which there is one at a time. It is said in a sentence.
    ///
    /// # Errors
    /// Returns an error if something of the kind is under way.
    pub fn begin(self: &Arc<Self>, what: &str) -> Result<UnderWay, StageError> {
        let number = self.acts.fetch_add(1, Ordering::Relaxed);
        let mut is_free = Ok(());
        self.change(|view| {
            is_free = check_free(view);
            if is_free.is_ok() {
                let (text, shown) = (what.to_owned(), None);
                view.act = Some(Act {
                    number,
                    text,
                    shown,
                });
            }
        });
        is_free.map(|()| UnderWay {
            backstage: self.clone(),
            number,
        })
    }

    /// Refuses what an act that is under way would disturb.
    ///
    /// # Errors
    /// Returns an error if something is under way that takes a while.
    pub fn check_free(&self) -> Result<(), StageError> {
        check_free(&self.view.borrow())
    }

    /// Tells what came of a scene; `None` when it begins. Then an act that is over is the past.
    pub fn came_of(&self, scene: &str, outcome: Option<Outcome>) {
        self.change(|view| {
            if outcome.is_none() {
                view.act.take_if(|act| act.shown.is_some());
            }
            let scene = view.scenes.iter_mut().find(|it| it.id == scene);
            if let Some(scene) = scene {
                scene.outcome = outcome;
            }
        });
    }

    /// Ends all processes.
    ///
    /// # Errors
    /// Returns an error if the server does not stop.
    pub async fn strike(&self) -> anyhow::Result<()> {
        for worker in &self.workers {
            if let Some(mut process) = worker.process.lock().await.take() {
                // One that has ended already cannot be killed.
                let _ = process.kill().await;
            }
        }
        Ok(self.stage.lock().await.server()?.stop().await?)
    }

    fn worker(&self, name: &str) -> Result<&Worker, StageError> {
        let worker = self.workers.iter().find(|worker| worker.name == name);
        worker.ok_or_else(|| {
            let names: Vec<_> = self.workers.iter().map(|worker| worker.name).collect();
            StageError::Unknown(format!(
                "there is no such process; there are {}, and {SERVER}, which can only be killed and started",
                names.join(", ")
            ))
        })
    }

    fn change(&self, change: impl FnOnce(&mut StageView)) {
        self.view.send_if_modified(|view| {
            let before = view.clone();
            change(Arc::make_mut(view));
            before != *view
        });
    }

    fn change_process(&self, name: &str, change: impl FnOnce(&mut Process)) {
        self.change(|view| {
            let process = view.processes.iter_mut().find(|it| it.name == name);
            if let Some(process) = process {
                change(process);
            }
        });
    }

    fn becomes(&self, name: &str, state: ProcessState, pid: Option<u32>) {
        let worker = pid.filter(|_| name != SERVER);
        let identity = worker.map(|pid| temporal::identity(worker::CLIENT_NAME, pid));
        if let Some(identity) = identity.clone() {
            // The server knows a worker by its process.
            self.change(|view| drop(view.names.insert(identity, name.to_owned())));
        }
        self.change_process(name, |process| {
            process.state = state;
            process.since = now();
            process.pid = pid;
            process.armed = false;
            process.by_itself = false;
            if identity.is_some() {
                process.identity = identity;
                process.doing = None;
            }
        });
        let later = LATER_BUILDS.iter().find(|(worker, ..)| *worker == name);
        self.change_builds(|shown| {
            if later.is_some_and(|(_, build, _)| *build == shown.id) {
                shown.runs = state == ProcessState::Alive;
            }
        });
    }

    /// Takes a death down, with the attempts that the worker was at.
    fn died(&self, name: &str, by_itself: bool) {
        let pid = process(&self.view.borrow(), name).pid.unwrap_or_default();
        let how = if by_itself { ", ended by itself" } else { "" };
        let what = format!("{name} (process {pid}{how})");
        let at = SystemTime::now();
        locked(&self.kills).push(Killed { at, what });
        if let Ok(worker) = self.worker(name) {
            let mut log = locked(&worker.log);
            log.read();
            locked(&self.deaths).extend(log.begun.drain(..).map(|begun| Death {
                order_id: begun.order_id,
                submission: begun.submission,
                step: begun.activity,
                attempt: begun.attempt,
                worker: name.to_owned(),
            }));
        }
        self.change(|view| view.deaths += 1);
        self.becomes(name, ProcessState::Dead, None);
        self.change_process(name, |process| process.by_itself = by_itself);
    }

    fn write_controls(&self) -> anyhow::Result<()> {
        let _one_at_a_time = locked(&self.writing);
        let view = self.view.borrow().clone();
        for worker in &self.workers {
            let shown = view.processes.iter().find(|it| it.name == worker.name);
            let armed = shown.is_some_and(|process| process.armed);
            let controls = Controls {
                fault_rate: view.fault_rate.try_into()?,
                payments_down: !view.payments_up,
                hold_after_charge: armed.then(|| worker.charged.clone()),
            };
            controls
                .write(&worker.controls)
                .with_context(|| format!("cannot write {}", worker.controls.display()))?;
        }
        Ok(())
    }

    /// Looks at a worker: whether it is ready, has ended, or has made the charge after which it is killed.
    async fn look_at(&self, worker: &Worker) {
        let state = process(&self.view.borrow(), worker.name).state;
        {
            // Whoever has it now will tell.
            let Ok(mut running) = worker.process.try_lock() else {
                return;
            };
            let Some(process) = running.as_mut() else {
                return;
            };
            if let Err(error) = process.check_running() {
                *locked(&self.trouble) = Some(error.to_string());
                *running = None;
                self.died(worker.name, true);
                return;
            }
            if state == ProcessState::Starting && process.is_ready().unwrap_or(false) {
                self.becomes(worker.name, ProcessState::Alive, Some(process.pid()));
            }
        }
        let Ok(order_id) = fs::read_to_string(&worker.charged) else {
            return;
        };
        if order_id.is_empty() {
            // It is about to be written.
            return;
        }
        if process(&self.view.borrow(), worker.name).armed {
            self.change_process(worker.name, |process| {
                let step = activities::Activity::Charge.name().to_owned();
                process.doing = Some(Doing { order_id, step });
            });
            // It can only have ended by itself meanwhile, and that is told.
            let _ = self.kill(worker.name).await;
            self.disarm();
        }
        // A charge that another worker was quicker with goes on.
        let _ = fs::remove_file(&worker.charged);
    }

    /// Tells that the server has ended by itself, if it was not told yet.
    fn look_at_server(&self, stage: &mut Stage) {
        let has_exited = stage
            .server()
            .is_ok_and(|it| !matches!(it.exited(), Ok(None)));
        let state = process(&self.view.borrow(), SERVER).state;
        if has_exited && state == ProcessState::Alive {
            self.died(SERVER, true);
        }
    }
}

impl Worker {
    fn start(&self, fault_seed: u64) -> anyhow::Result<WorkerProcess> {
        let controls = self.controls.to_str().context("a path that is no text")?;
        let seed = fault_seed.to_string();
        let arguments = [
            ["--controls", controls],
            ["--fault-seed", &seed],
            ["--log-format", "json"],
            ["--deployment-name", DEPLOYMENT],
            ["--build-id", self.build],
        ];
        let arguments = [&arguments.concat(), self.flags].concat();
        let mut environment = self.environment.clone();
        environment.push(("RUST_LOG", LOGGED.into()));
        let mut log = locked(&self.log);
        *log = Log::new(log.file.clone());
        WorkerProcess::start(&arguments, environment, log.file.clone(), None)
    }
}

fn check_free(view: &StageView) -> Result<(), StageError> {
    match &view.act {
        Some(act) if act.shown.is_none() => Err(refused(format!(
            "something else is still under way ({}); try again when it is done",
            act.text.trim_end_matches('.')
        ))),
        _ => Ok(()),
    }
}

/// An act that is under way. If this is dropped, it was broken off.
pub struct UnderWay {
    backstage: Arc<Backstage>,
    /// Which act it is.
    pub number: u32,
}

impl UnderWay {
    /// Says how far it is.
    pub fn say(&self, how_far: String) {
        self.change(how_far, None);
    }

    /// Says what came of it.
    pub fn ends(self, found: &anyhow::Result<String>) {
        match found {
            Ok(text) => self.change(text.clone(), Some(true)),
            Err(error) => self.change(format!("{error:#}"), Some(false)),
        }
    }

    fn change(&self, text: String, shown: Option<bool>) {
        let number = self.number;
        let act = Act {
            number,
            text,
            shown,
        };
        self.backstage.change(|view| view.act = Some(act));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let is_open = |act: &mut Act| act.number == self.number && act.shown.is_none();
        self.backstage
            .change(|view| drop(view.act.take_if(is_open)));
    }
}

/// Looks at the processes until nobody needs them any more.
async fn watch(backstage: std::sync::Weak<Backstage>) {
    let mut read_at = Instant::now();
    while let Some(backstage) = backstage.upgrade() {
        for worker in &backstage.workers {
            backstage.look_at(worker).await;
        }
        // Whoever has it now will tell.
        if let Ok(mut stage) = backstage.stage.try_lock() {
            backstage.look_at_server(&mut stage);
        }
        if read_at.elapsed() >= READ_EVERY {
            read_at = Instant::now();
            for worker in &backstage.workers {
                let doing = locked(&worker.log).read();
                backstage.change_process(worker.name, |process| {
                    if process.state == ProcessState::Alive {
                        process.doing = doing;
                    }
                });
            }
        }
        drop(backstage);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A worker's log, as far as it was read.
struct Log {
    file: PathBuf,
    bytes: u64,
    /// The attempts that have begun and not ended.
    begun: Vec<Line>,
}

/// What a line of a worker's log tells of an attempt.
#[derive(Deserialize)]
struct Line {
    message: String,
    order_id: String,
    /// Only a line that tells of a beginning has it.
    #[serde(default)]
    submission: String,
    activity: String,
    attempt: u32,
}

impl Log {
    fn new(file: PathBuf) -> Self {
        let (bytes, begun) = (0, Vec::new());
        Self { file, bytes, begun }
    }

    /// Reads the lines since the last time. Returns what the worker is at, or was at last in these lines.
    fn read(&mut self) -> Option<Doing> {
        let mut new = Vec::new();
        let mut log = fs::File::open(&self.file).ok()?;
        log.seek(SeekFrom::Start(self.bytes)).ok()?;
        log.read_to_end(&mut new).ok()?;
        // A line that is just being written is read the next time.
        let whole = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        self.bytes += whole as u64;
        let mut last = None;
        for line in new[..whole].split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                continue;
            };
            last = Some(line.doing());
            let same = |it: &Line| {
                (&it.order_id, &it.activity, it.attempt)
                    == (&line.order_id, &line.activity, line.attempt)
            };
            if line.message == "begun" {
                self.begun.push(line);
            } else if let Some(at) = self.begun.iter().position(same) {
                self.begun.swap_remove(at);
            }
        }
        self.begun.last().map(Line::doing).or(last)
    }
}

impl Line {
    fn doing(&self) -> Doing {
        Doing {
            order_id: self.order_id.clone(),
            step: self.activity.clone(),
        }
    }
}

fn build(id: &str, runs: bool, percent: u8) -> Build {
    let flags = LATER_BUILDS.iter().find(|(_, build, _)| *build == id);
    Build {
        id: id.to_owned(),
        has_bug: flags.is_some_and(|(_, _, flags)| !flags.is_empty()),
        runs,
        percent,
    }
}

fn unstarted(name: &str, kind: ProcessKind) -> Process {
    Process {
        name: name.to_owned(),
        kind,
        pid: None,
        identity: None,
        state: ProcessState::Unstarted,
        since: now(),
        armed: false,
        by_itself: false,
        doing: None,
    }
}

fn process<'a>(view: &'a StageView, name: &str) -> &'a Process {
    let process = view.processes.iter().find(|it| it.name == name);
    process.expect("the processes are listed once and for all")
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What makes no sense now.
pub fn refused(text: String) -> StageError {
    StageError::Refused(text)
}

/// What did not work, with its causes.
pub fn failed(error: impl Into<anyhow::Error>) -> StageError {
    StageError::Failed(format!("{:#}", error.into()))
}
