//! The traps that `docs/determinism.md` describes, each sprung by a small workflow on a real server.
//!
//! What is another each time decides the ID of an activity. The history records the ID, so a replay compares it.
//!
//! Each `expect` proves that clippy refuses a trap: if it does not, `cargo clippy` warns about the expectation.
#![allow(
    missing_docs,
    reason = "the macros write constants for each method and give them no words"
)]
#![expect(
    clippy::disallowed_macros,
    reason = "clippy does not hear of an exception that is nearer to `tokio::select` and `thread_local`"
)]

mod common;

use std::{path::PathBuf, time::Duration};

use common::replay;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use servers::{CliSearch, DevServer, project_dir};
use temporal::Settings;
use temporalio_client::{Client, WorkflowHandle, WorkflowStartOptions};
use temporalio_common::protos::temporal::api::{
    enums::v1::WorkflowTaskFailedCause,
    history::v1::{HistoryEvent, history_event::Attributes},
};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, Runtime, Worker, WorkerOptions, WorkflowContext, WorkflowResult,
    activities::{ActivityContext, ActivityError},
    workflow_replayer::WorkflowReplayFailure,
    workflows,
};

const TASK_QUEUE: &str = "traps";

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Trap {
    Clock,
    Dice,
    MapOrder,
    Select,
    Thread,
    File(PathBuf),
    Static,
    Sleep,
    /// The clock again, but it decides an activity's input and not which activity runs.
    ClockInInput,
    /// No trap: what the context offers instead of the clock, the dice and the map.
    Context,
}

#[workflow]
#[derive(Default)]
struct Trapped;

#[workflow_methods]
impl Trapped {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, trap: Trap) -> WorkflowResult<()> {
        let decided = match &trap {
            Trap::Clock | Trap::ClockInInput => clock(),
            Trap::Dice => dice(),
            Trap::MapOrder => map_order(),
            Trap::Select => select().await,
            Trap::Thread => thread(),
            Trap::File(path) => file(path),
            Trap::Static => counted(),
            Trap::Sleep => sleep(ctx).await,
            Trap::Context => format!("{:?} {}", ctx.workflow_time(), ctx.random::<u64>()),
        };
        let (id, input) = match trap {
            Trap::ClockInInput => ("step".to_owned(), decided),
            _ => (decided, String::new()),
        };
        let options = ActivityOptions::with_start_to_close_timeout(PATIENCE)
            .activity_id(id)
            .build();
        ctx.execute_activity(Steps::step, input, options).await?;
        Ok(())
    }
}

struct Steps;

#[activities]
impl Steps {
    #[activity]
    async fn step(_: ActivityContext, _input: String) -> Result<(), ActivityError> {
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a trap")]
fn clock() -> String {
    format!("{:?}", std::time::SystemTime::now())
}

#[expect(clippy::disallowed_methods, reason = "a trap")]
fn dice() -> String {
    rand::random::<u64>().to_string()
}

#[expect(clippy::disallowed_types, reason = "a trap")]
fn map_order() -> String {
    let shelf: std::collections::HashMap<u8, ()> = (0..30).map(|product| (product, ())).collect();
    format!("{:?}", shelf.keys())
}

/// Both branches are ready each time, and tokio draws the one that it looks at first.
async fn select() -> String {
    let mut drawn = String::new();
    for _ in 0..64 {
        drawn += tokio::select! {
            () = std::future::ready(()) => "a",
            () = std::future::ready(()) => "b",
        };
    }
    drawn
}

#[expect(clippy::disallowed_methods, reason = "a trap")]
fn thread() -> String {
    let id = std::thread::spawn(|| std::thread::current().id());
    format!("{:?}", id.join().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a trap")]
fn file(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[expect(clippy::disallowed_types, reason = "a trap")]
fn counted() -> String {
    static ORDERS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    ORDERS
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        .to_string()
}

/// The timer brings the workflow task in which the SDK reports that something else woke the workflow.
#[expect(clippy::disallowed_methods, reason = "a trap")]
async fn sleep(ctx: &WorkflowContext<Trapped>) -> String {
    let timer = ctx.timer(Duration::from_millis(500));
    workflows::join!(tokio::time::sleep(Duration::from_millis(1)), timer);
    "slept".to_owned()
}

/// A server, and a worker that runs the samples until `told` ends.
async fn on_a_server<T>(told: impl AsyncFnOnce(&Client) -> T) -> T {
    let cli = CliSearch::from_env(&project_dir());
    let cli = cli.find_or_fetch(|_| ()).await.unwrap();
    let server = DevServer::builder(cli).start().await.unwrap();
    let settings = Settings::plain(&server.address(), "default").unwrap();
    let client = temporal::connect(&settings, "test").await.unwrap();
    let runtime = Runtime::from_current_tokio(Default::default()).unwrap();
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_activities(Steps)
        .register_workflow::<Trapped>()
        .unwrap()
        .build();
    let mut worker = Worker::new(&runtime, client.clone(), options).unwrap();
    let stop = worker.shutdown_handle();
    let told = async {
        #[expect(clippy::disallowed_methods, reason = "a test waits")]
        let told = tokio::time::timeout(PATIENCE, told(&client)).await;
        stop();
        told.expect("this should have ended")
    };
    let (told, ended) = futures::join!(told, worker.run());
    ended.unwrap();
    told
}

async fn start(client: &Client, trap: &Trap) -> WorkflowHandle<Client, trapped::Run> {
    let options = WorkflowStartOptions::new(TASK_QUEUE, format!("{trap:?}")).build();
    let started = client.start_workflow(Trapped::run, trap.clone(), options);
    started.await.unwrap()
}

async fn history(handle: &WorkflowHandle<Client, trapped::Run>) -> Vec<HistoryEvent> {
    let history = handle.fetch_history(Default::default());
    history.into_events().await.unwrap()
}

/// Runs each trap to its end, and gives the histories.
async fn run(traps: &[Trap]) -> Vec<Vec<HistoryEvent>> {
    on_a_server(async |client| {
        join_all(traps.iter().map(async |trap| {
            let handle = start(client, trap).await;
            handle.get_result(Default::default()).await.unwrap();
            history(&handle).await
        }))
        .await
    })
    .await
}

/// The SDK sees none of these while they run: each order completes, for as long as its worker remembers it.
#[tokio::test]
async fn what_only_a_replay_catches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices");
    write(&path, "monday");
    let traps = [
        Trap::Clock,
        Trap::Dice,
        Trap::MapOrder,
        Trap::Select,
        Trap::Thread,
        Trap::File(path.clone()),
        Trap::Static,
    ];
    let histories = run(&traps).await;
    write(&path, "tuesday");
    for (trap, replayed) in traps.iter().zip(replay::<Trapped>(&histories).await) {
        match replayed {
            Some(WorkflowReplayFailure::Nondeterminism { message }) => {
                assert!(message.contains("does not match activity id"), "{message}");
            }
            other => panic!("{trap:?}: {other:?}"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test writes files")]
fn write(path: &PathBuf, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn the_sdk_catches_a_future_that_something_else_wakes() {
    let failed = on_a_server(async |client| {
        let handle = start(client, &Trap::Sleep).await;
        loop {
            let failed = history(&handle).await.into_iter().find_map(|event| {
                match event.attributes.unwrap() {
                    Attributes::WorkflowTaskFailedEventAttributes(failed) => Some(failed),
                    _ => None,
                }
            });
            match failed {
                Some(failed) => return failed,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(
        failed.cause(),
        WorkflowTaskFailedCause::NonDeterministicError
    );
    let message = failed.failure.unwrap().message;
    assert!(message.contains("Nondeterministic future"), "{message}");
}

/// A replay compares which commands the code gives and not what is in them: the answers come from the history.
#[tokio::test]
async fn what_nobody_catches() {
    let histories = run(&[Trap::ClockInInput]).await;
    assert_eq!(replay::<Trapped>(&histories).await, [None]);
}

#[tokio::test]
async fn what_the_context_offers_is_the_same_in_a_replay() {
    let histories = run(&[Trap::Context]).await;
    assert_eq!(replay::<Trapped>(&histories).await, [None]);
}

/// Code of which clippy refuses each part.
macro_rules! refused {
    ($lint:ident: $($code:expr;)*) => {
        $(
            #[expect(clippy::$lint, reason = "a trap")]
            #[allow(clippy::let_underscore_future, reason = "nothing runs it")]
            let _ = $code;
        )*
    };
}

/// The other names in `clippy.toml`. Nothing runs this; clippy reads it.
#[expect(dead_code, reason = "it is there for clippy")]
fn what_clippy_refuses_besides() {
    refused! { disallowed_methods:
        std::time::Instant::now();
        std::thread::sleep(Duration::ZERO);
        std::env::var("");
        std::fs::read("");
        std::fs::File::open("");
        tokio::spawn(async {});
        tokio::task::spawn_blocking(|| ());
        rand::rng();
    }
    refused! { disallowed_macros:
        async { futures::select! { () = futures::future::ready(()) => {} } };
    }
    std::thread_local! { static ORDERS: u8 = const { 0 } }
    refused! { disallowed_types:
        None::<std::collections::HashSet<u8>>;
        None::<std::sync::atomic::AtomicBool>;
        None::<std::sync::atomic::AtomicU64>;
        None::<std::sync::atomic::AtomicUsize>;
        None::<std::sync::Mutex<u8>>;
        None::<std::sync::RwLock<u8>>;
        None::<std::sync::OnceLock<u8>>;
        None::<std::sync::LazyLock<u8>>;
    }
}

#[test]
fn each_name_in_clippy_toml_is_tried_here() {
    let names = include_str!("../clippy.toml");
    let names = names.split("path = \"").skip(1);
    for name in names.map(|rest| rest.split('"').next().unwrap()) {
        let tried = include_str!("determinism.rs").contains(name);
        assert!(tried, "clippy.toml names {name}, which no trap here uses");
    }
}

/// The file's one expectation of `disallowed_macros` is met by either, so clippy does not miss the other.
#[test]
fn clippy_toml_names_both_macros_that_share_an_expectation() {
    let names = include_str!("../clippy.toml");
    for name in ["tokio::select", "std::thread_local"] {
        let named = names.contains(&format!("path = \"{name}\""));
        assert!(named, "clippy.toml does not name {name}");
    }
}
