//! The command line that submits orders and follows them.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`submit`] | places an order, or finds that it was placed before |
//! | [`unserved`] | what is the matter with an order that no worker serves |
//! | [`follow`] | an order's steps, as the server tells of them |
//! | [`progress`] | what a history says of an order's steps: no server, no clock |
//! | [`show`] | how it is shown: live, line by line, or as JSON |
//! | [`status`] | how an order stands, as it answers itself |
//! | [`list`] | orders by their status |
//! | [`message`] | what an order under way is told: another address, approval, cancellation |
//! | [`schedule`] | recurring orders: schedules, which live on the server |
//! | [`standing`] | standing orders: workflows, which place orders for years |
//! | [`builds`] | builds of the workers: which one gets new orders, and taking one back |
//! | [`load`] | many orders at once, and how they fare |
//! | [`history`] | an order's history, for the replay tests |
//! | [`abandoned`] | orders that hold stock or money, and that nobody will finish |
//! | [`audit`] | whether everything that happened adds up |
//! | [`reconcile`] | undoes the orders that nobody will finish |
//! | [`stock`] | the stock of each product, and setting it |
//!
//! An order's ID is its workflow's ID, so the server itself sees to it that an order is under way
//! at most once.

pub mod abandoned;
pub mod args;
pub mod audit;
pub mod builds;
mod connect;
pub mod follow;
pub mod history;
pub mod list;
pub mod load;
pub mod message;
pub mod progress;
pub mod reconcile;
pub mod schedule;
pub mod show;
pub mod standing;
pub mod status;
pub mod stock;
pub mod submit;
pub mod unserved;

use std::process::ExitCode;

use anyhow::Context;
use futures::{FutureExt, future::LocalBoxFuture};
use temporal::telemetry::Traces;
use temporalio_client::Client;
use workflows::OrderOutcome;

pub use args::{Args, Command, OrderArgs};

use crate::{
    args::{CommonArgs, FollowArgs},
    connect::connect,
    follow::{Followed, Watch},
    show::Show,
    submit::Submitted,
};

/// Does what the command line asks for. The exit status is 1 if the order failed.
///
/// # Errors
/// Returns an error if no server answers, or the command cannot be carried out.
pub fn run(args: Args) -> LocalBoxFuture<'static, anyhow::Result<ExitCode>> {
    // Boxed, so that the SDK's client is compiled here and not once more in each program.
    dispatch(args).boxed_local()
}

async fn dispatch(args: Args) -> anyhow::Result<ExitCode> {
    let traces = Traces::from_env("order-management-starter")?;
    let done = match args.command {
        None => place(args.order).await,
        Some(Command::Follow(args)) => follow(*args).await,
        Some(Command::Status(args)) => status::status(&args).await,
        Some(Command::List(args)) => list::list(&args).await,
        Some(Command::ChangeAddress(args)) => message::change_address(&args).await,
        Some(Command::Approve(args)) => message::approve(&args).await,
        Some(Command::Reject(args)) => message::reject(&args).await,
        Some(Command::Cancel(args)) => message::cancel(&args).await,
        Some(Command::Terminate(args)) => message::terminate(&args).await,
        Some(Command::Schedule(command)) => schedule::run(&command).await,
        Some(Command::StandingOrder(command)) => standing::run(&command).await,
        Some(Command::Builds(command)) => builds::run(&command).await,
        Some(Command::Load(args)) => load::load(&args).await,
        Some(Command::History(args)) => history::history(&args).await,
        Some(Command::Audit(args)) => audit::audit(&args).await,
        Some(Command::Reconcile(args)) => reconcile::reconcile(&args).await,
        Some(Command::Stock(args)) => stock::stock(&args).await,
    };
    if let Some(traces) = traces {
        traces.end().await;
    }
    done
}

async fn place(args: OrderArgs) -> anyhow::Result<ExitCode> {
    let order = args.order(&mut rand::rng());
    submit::check(&order)?;
    let mut show = Show::new(&args.common.output);
    let client = connect(&args.common.connect).await?;
    if args.or_status {
        let placed = submit::place_or_ask(&client, &args.common.task_queue, &order);
        let handle = client.get_workflow_handle(&order.order_id);
        let (handle, progress) = unserved::patiently(&handle, placed).await??;
        return status::show(&handle, &progress, &args.common.output).await;
    }
    let submitted = submit::submit(&client, &args.common.task_queue, &order).await?;
    match &submitted {
        Submitted::Started { unlisted, .. } => {
            show.say(&format!("{} is placed: {order}", order.order_id));
            if let Some(reason) = unlisted {
                show.say(&format!("it cannot be listed by status: {reason}"));
            }
        }
        Submitted::UnderWay(_) => {
            show.say(&format!(
                "{} is already running: following it",
                order.order_id
            ));
        }
    }
    shown(&client, submitted.into_handle(), &args.common, show).await
}

async fn follow(args: FollowArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args.common.connect).await?;
    let handle = follow::find(&client, &args.order_id).await?;
    shown(
        &client,
        handle,
        &args.common,
        Show::new(&args.common.output),
    )
    .await
}

async fn shown(
    client: &Client,
    handle: follow::OrderHandle,
    common: &CommonArgs,
    mut show: Show,
) -> anyhow::Result<ExitCode> {
    let order_id = handle.info().workflow_id.clone();
    let ui = common.ui.address(&common.connect.settings()?.host_port());
    let (namespace, run_id) = (&client.options().namespace, handle.run_id());
    show.link(&temporal::workflow_url(
        &ui,
        namespace,
        &order_id,
        run_id.unwrap_or_default(),
    ));
    let followed = tokio::select! {
        followed = follow::follow(&handle, &mut show) => followed.context("cannot follow the order")?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot wait for Ctrl-C")?;
            show.interrupted(&order_id);
            return Ok(ExitCode::SUCCESS);
        }
    };
    show.ended(&followed);
    Ok(match followed {
        Followed::Completed(result) if result.outcome != OrderOutcome::Rejected => {
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    })
}
