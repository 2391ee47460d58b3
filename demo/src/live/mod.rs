//! Everything at once, on a live page: processes to kill, faults to set, and scenes to play.
//!
//! | module | what lives there |
//! |---|---|
//! | `backstage` | the processes behind the page, and what can be done to them |
//! | `builds` | where new orders go, and taking a build back |
//! | `many` | many orders at once, while processes are killed |
//! | `comparison` | the same orders as plain function calls and on Temporal |
//! | `scenes` | what a presenter can show, and what comes of it |

mod backstage;
mod builds;
mod comparison;
mod many;
mod scenes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use activities::faults::FaultRate;
use anyhow::{Context, ensure};
use async_trait::async_trait;
use futures::TryStreamExt;
use starter::follow::OrderHandle;
use temporal::Settings;
use temporalio_client::{Client, WorkflowListOptions};
use tokio::{net::TcpListener, sync::watch};
use web::{
    Site,
    stage::{Comparison, Death, StageError, StageView},
};

use crate::{
    args::{LiveArgs, ShowArgs},
    live::{
        backstage::{Backstage, failed, refused},
        builds::Builds,
        scenes::Scenes,
    },
    report,
    stage::Stage,
    voice::Voice,
};

/// Orders that are placed at once at most.
const MOST_ORDERS: u32 = 200;

/// Orders in a report at most.
const MOST_REPORTED: usize = 1_000;

/// How long a report waits for an order to tell its end. One that is under way tells none.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Serves the page with everything behind it until `stop`, and then ends it all.
///
/// # Errors
/// Returns an error if the address is taken, or something cannot be started.
pub async fn run(
    args: &LiveArgs,
    show: &ShowArgs,
    voice: &Voice,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(stop);
    let listener = listen(args.listen).await?;
    let address = listener.local_addr()?;
    let (backstage, site) = tokio::select! {
        set = set(args, show, voice) => set?,
        () = &mut stop => return Ok(()),
    };
    voice.say(&format!("Open http://{address}\nCtrl-C stops everything."));
    tokio::select! {
        served = web::serve(listener, site) => served?,
        () = &mut stop => {}
    }
    voice
        .during("stopping everything", backstage.strike())
        .await
}

/// Starts everything.
async fn set(
    args: &LiveArgs,
    show: &ShowArgs,
    voice: &Voice,
) -> anyhow::Result<(Arc<Backstage>, Site)> {
    let mut stage = Stage::with_silent_server(show, voice).await?;
    let server = stage.server()?;
    let mut settings = Settings::plain(&server.address(), server.namespace())?;
    settings.encryption = show.connect.encryption.keys()?;
    let ui_address = stage.ui_address().to_owned();
    let setting = Backstage::set(stage, args.fault_rate, scenes::all());
    let backstage = voice.during("starting the workers", setting).await?;
    let site = Site {
        settings,
        renewed_by: None,
        inventory: backstage.inventory.clone(),
        task_queue: backstage.task_queue.clone(),
        ui_address,
        stage: Some(Arc::new(Live {
            scenes: Scenes::new(backstage.clone()),
            builds: Builds(backstage.clone()),
            backstage: backstage.clone(),
        })),
        hosts: Vec::new(),
        token: None,
    };
    Ok((backstage, site))
}

/// Whoever can open the page can kill processes, so it is for this machine only.
async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    ensure!(
        address.ip().is_loopback(),
        "{address} can be reached from other machines, and the page kills processes: use --listen to choose an \
         address of this machine alone, such as 127.0.0.1:8088"
    );
    web::listen(address).await
}

/// What the page can do.
struct Live {
    backstage: Arc<Backstage>,
    scenes: Scenes,
    builds: Builds,
}

#[async_trait]
impl web::stage::Stage for Live {
    fn view(&self) -> watch::Receiver<Arc<StageView>> {
        self.backstage.view()
    }

    fn comparison(&self) -> watch::Receiver<Option<Comparison>> {
        self.backstage.comparison.subscribe()
    }

    fn deaths(&self, order_id: &str) -> Vec<Death> {
        self.backstage.deaths(order_id)
    }

    async fn kill(&self, process: &str) -> Result<(), StageError> {
        self.backstage.kill(process).await
    }

    async fn start(&self, process: &str) -> Result<(), StageError> {
        self.backstage.start(process).await
    }

    async fn kill_after_charge(&self, worker: &str) -> Result<(), StageError> {
        self.backstage.arm(&[worker])
    }

    async fn set_fault_rate(&self, rate: FaultRate) -> Result<(), StageError> {
        self.backstage.set_fault_rate(rate)
    }

    async fn set_payments_up(&self, up: bool) -> Result<(), StageError> {
        self.backstage.set_payments_up(up)
    }

    async fn start_build(&self, build: &str) -> Result<(), StageError> {
        self.backstage.start_build(build).await
    }

    async fn deploy(&self, build: &str, percent: u8) -> Result<(), StageError> {
        self.builds.deploy(build, percent).await
    }

    async fn take_back(&self, build: &str) -> Result<(), StageError> {
        self.builds.take_back(build).await
    }

    async fn place_orders(&self, count: u32) -> Result<(), StageError> {
        if !(1..=MOST_ORDERS).contains(&count) {
            return Err(refused(format!("place 1 to {MOST_ORDERS} orders at once")));
        }
        self.scenes.place_orders(count)
    }

    async fn compare(&self, orders: u32, kills: u32) -> Result<(), StageError> {
        self.scenes.compare(orders, kills)
    }

    async fn play_scene(&self, scene: &str) -> Result<Option<String>, StageError> {
        self.scenes.play(scene).await
    }

    async fn report(&self) -> Result<String, StageError> {
        let backstage = &self.backstage;
        let orders = orders(&backstage.client, &backstage.task_queue).await;
        let about = report::About {
            title: "Orders on a live page".to_owned(),
            // What people did on a page, no command repeats.
            command: None,
            facts: vec![
                ("fault rate", backstage.fault_rate().to_string()),
                ("seed of the faults", backstage.fault_seed.to_string()),
            ],
            kills: backstage.kills(),
        };
        let page = report::page(
            &about,
            orders.map_err(failed)?,
            &backstage.inventory,
            TOLD_WITHIN,
        );
        page.await.map_err(failed)
    }
}

/// The orders of a task queue, the oldest first.
async fn orders(client: &Client, task_queue: &str) -> anyhow::Result<Vec<OrderHandle>> {
    let query = format!("WorkflowType = 'ProcessOrder' AND TaskQueue = '{task_queue}'");
    let options = WorkflowListOptions::builder().limit(MOST_REPORTED).build();
    let listed = client.list_workflows(query, options).try_collect();
    let mut listed: Vec<temporalio_client::WorkflowExecution> =
        listed.await.context("cannot list the orders")?;
    listed.sort_by_key(|order| order.start_time());
    let handle = |order: &temporalio_client::WorkflowExecution| {
        let newest: OrderHandle = client.get_workflow_handle(order.id());
        starter::follow::run(&newest, order.run_id())
    };
    Ok(listed.iter().map(handle).collect())
}
