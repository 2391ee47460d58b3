//! What a demo adds to the page: processes that can be killed, faults that can be set, and scenes.
//!
//! `cargo run -p web` has no stage. `cargo run -p demo -- live` has one.

use std::{collections::BTreeMap, sync::Arc};

use activities::faults::FaultRate;
use async_trait::async_trait;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch;

/// What a presenter can do to the processes behind the page.
///
/// What takes longer is only begun. What becomes of it shows in [`Stage::view`] and
/// [`Stage::comparison`].
#[async_trait]
pub trait Stage: Send + Sync {
    /// The stage as it is now, and its changes.
    fn view(&self) -> watch::Receiver<Arc<StageView>>;

    /// The newest comparison, and its changes; `None` until one was asked for.
    fn comparison(&self) -> watch::Receiver<Option<Comparison>>;

    /// The attempts at this order's steps during which a worker died, the oldest first.
    fn deaths(&self, order_id: &str) -> Vec<Death>;

    /// Ends a process at once with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// Returns an error if there is no such process, or it does not run.
    async fn kill(&self, process: &str) -> Result<(), StageError>;

    /// Starts a process that has ended. The server is waited for until it is ready.
    ///
    /// # Errors
    /// Returns an error if there is no such process, it runs, or it cannot be started.
    async fn start(&self, process: &str) -> Result<(), StageError>;

    /// Kills this worker with SIGKILL when it has made its next charge, before it can report it.
    ///
    /// # Errors
    /// Returns an error if there is no such worker, or it does not run.
    async fn kill_after_charge(&self, worker: &str) -> Result<(), StageError>;

    /// Makes so many attempts at an activity fail at random, from now on.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be told.
    async fn set_fault_rate(&self, rate: FaultRate) -> Result<(), StageError>;

    /// Takes the payment service down, or up again.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be told.
    async fn set_payments_up(&self, up: bool) -> Result<(), StageError>;

    /// Starts a worker of a build, and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if there is no such build, its worker runs, or it cannot be started.
    async fn start_build(&self, build: &str) -> Result<(), StageError>;

    /// Gives new orders to a build: this many percent of them, or all.
    ///
    /// # Errors
    /// Returns an error if there is no such build, its worker does not run, or the server refuses.
    async fn deploy(&self, build: &str, percent: u8) -> Result<(), StageError>;

    /// Gives no more new orders to a build, and moves those under way on it to an earlier build.
    ///
    /// # Errors
    /// Returns an error if there is no earlier build whose worker runs, or the server refuses.
    async fn take_back(&self, build: &str) -> Result<(), StageError>;

    /// Places this many orders, several at a time.
    ///
    /// # Errors
    /// Returns an error if there are too many, or the stage is busy.
    async fn place_orders(&self, count: u32) -> Result<(), StageError>;

    /// Processes this many orders as plain function calls, and as many on Temporal, with this many kills each.
    ///
    /// # Errors
    /// Returns an error if there are too many, or the stage is busy.
    async fn compare(&self, orders: u32, kills: u32) -> Result<(), StageError>;

    /// Does what a scene's button says. Returns the order that the audience should look at, if there is one.
    ///
    /// # Errors
    /// Returns an error if there is no such scene, or it cannot begin now.
    async fn play_scene(&self, scene: &str) -> Result<Option<String>, StageError>;

    /// A page of HTML, complete in itself, with all that happened so far.
    ///
    /// # Errors
    /// Returns an error if the server or the inventory does not answer.
    async fn report(&self) -> Result<String, StageError>;
}

/// Why the stage did not do what it was asked.
#[derive(Debug, Error)]
pub enum StageError {
    /// There is nothing of this name.
    #[error("{0}")]
    Unknown(String),
    /// It makes no sense now, or is too much.
    #[error("{0}")]
    Refused(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// The stage at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The workers, those of later builds included, then the server.
    pub processes: Vec<Process>,
    /// How many attempts at an activity fail at random: from 0 to 1.
    pub fault_rate: f64,
    /// Whether the payment service is up.
    pub payments_up: bool,
    /// How many processes were killed, or ended by themselves, so far.
    pub deaths: u32,
    /// What each worker is called, also those that have ended, by what the Temporal server calls it.
    pub names: BTreeMap<String, String>,
    /// The builds of the workers, the oldest first.
    pub builds: Vec<Build>,
    /// What a presenter can play, in a good order.
    pub scenes: Vec<Scene>,
    /// What takes a while, and is under way or was the last thing to happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
}

/// Something that takes a while, of which there is one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Which act of this stage it is, counted from 1.
    pub number: u32,
    /// How far it is, or what came of it, as a sentence.
    pub text: String,
    /// Whether it showed what it was to show, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<bool>,
}

/// A build of the workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Its ID.
    pub id: String,
    /// Whether its code has a bug, on which its orders hang.
    pub has_bug: bool,
    /// Whether a worker of it can get orders. The first build always has one, or gets one back.
    pub runs: bool,
    /// How many of the new orders go to it, in percent.
    pub percent: u8,
}

/// A process behind the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// `worker-1`, `worker-2` or `server`, or `build-2` and so on for the worker of a later build.
    pub name: String,
    /// What it is.
    pub kind: ProcessKind,
    /// Its ID, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What the Temporal server calls this worker, and last called one that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How it is.
    pub state: ProcessState,
    /// Since when it is so, such as `2030-01-31T12:00:00.000Z`.
    pub since: String,
    /// Whether it will be killed after its next charge.
    pub armed: bool,
    /// Whether it has ended without having been killed from here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_itself: bool,
    /// What it works on, or worked on when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Doing>,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProcessKind {
    /// A worker.
    Worker,
    /// The Temporal server.
    Server,
}

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProcessState {
    /// It was never started.
    Unstarted,
    /// It runs, and is not ready yet.
    Starting,
    /// It runs.
    Alive,
    /// It was killed, or ended by itself.
    Dead,
}

/// A step of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doing {
    /// The order.
    #[serde(rename = "orderID")]
    pub order_id: String,
    /// The step, such as `Charge`.
    pub step: String,
}

/// An attempt during which its worker died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The order.
    pub order_id: String,
    /// The submission of the order, by the name that the ledger's keys have.
    pub submission: String,
    /// The step, such as `Charge`.
    pub step: String,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// The worker's name.
    pub worker: String,
}

/// One thing that a presenter can show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// Its name in the address that plays it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What to say, in two or three sentences.
    pub say: String,
    /// What its button says.
    pub button: String,
    /// What came of it when it was played last, once that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What came of a scene.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether it is what the scene was to show.
    pub shown: bool,
    /// What was found, as a sentence.
    pub text: String,
}

/// The same orders on Temporal and as plain function calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The number of its [`Act`].
    pub act: u32,
    /// Whether it is done.
    pub state: ComparisonState,
    /// The orders on Temporal.
    pub temporal: Side,
    /// The orders as plain function calls.
    pub plain: Side,
    /// How many processes are killed on each side.
    pub kills: u32,
}

/// Whether a comparison is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ComparisonState {
    /// Its figures still change.
    Running,
    /// Its figures are final.
    Done,
}

/// What became of the orders on one side of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Orders in all.
    pub orders: u32,
    /// Orders that were reserved, charged and shipped.
    pub completed: u32,
    /// Orders that were neither completed nor undone, and that nobody continues.
    pub lost: u32,
    /// Orders of which an effect happened more than once.
    pub doubled: u32,
    /// Of the lost orders, those that the customer paid for.
    pub charged_not_shipped: u32,
    /// Units that are gone from the stock for nothing.
    pub units_lost: u32,
}
