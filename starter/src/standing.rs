//! Standing orders: a workflow for each, which places one order after the other.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use orders::Order;
use serde_json::json;
use temporal::{ensure_keyword, excerpt, printable};
use temporalio_client::{
    Client, RpcOptions, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowQueryOptions, WorkflowStartOptions,
    errors::{WorkflowInteractionError, WorkflowQueryError, WorkflowStartError},
};
use workflows::{ORDER_STATUS, Standing, StandingOrder, policies};

use crate::{
    args::{ScheduleNameArgs, StandingCommand, StandingCreateArgs, StandingStatusArgs},
    connect::connect,
    follow::Watch,
    list::rfc3339,
    show::{Show, text},
    submit,
};

/// How long a worker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Does what is asked for about standing orders.
///
/// # Errors
/// Returns an error if there is no standing order of that name that has not ended, or one to create already
/// exists.
pub async fn run(command: &StandingCommand) -> anyhow::Result<ExitCode> {
    match command {
        StandingCommand::Create(args) => create(args).await?,
        StandingCommand::Status(args) => status(args).await?,
        StandingCommand::Pause(args) => tell(args, Message::Pause).await?,
        StandingCommand::Resume(args) => tell(args, Message::Resume).await?,
        StandingCommand::End(args) => tell(args, Message::End).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: &StandingCreateArgs) -> anyhow::Result<()> {
    let what = &args.what;
    let order = Order::new("", &what.product, what.quantity, &what.payment_info);
    let order = what.wishes.add_to(order);
    let name = format!("{}-{}", what.name, rfc3339(SystemTime::now()));
    submit::check(&order.clone().named(&name))?;
    let client = connect(&what.common.connect).await?;
    let mut show = Show::new(&what.common.output);
    let listed = ensure_keyword(&client, ORDER_STATUS.name()).await;
    if let Err(reason) = &listed {
        show.say(&format!(
            "its orders cannot be listed by their status: {reason}"
        ));
    }
    let standing = Standing {
        renew_after: args.renew_after,
        ..Standing::new(order.clone(), what.every, listed.is_ok())
    };
    standing
        .check(&what.name)
        .map_err(|reason| anyhow!(reason))?;
    let options = WorkflowStartOptions::new(&what.common.task_queue, &what.name)
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
        .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
        .build();
    let started = client.start_workflow(StandingOrder::run, standing.into(), options);
    match started.await {
        Ok(_) => show.say(&format!(
            "{} places an order every {}: {order}",
            what.name,
            text::whole_seconds(what.every)
        )),
        Err(WorkflowStartError::AlreadyStarted { .. }) => bail!(
            "there already is a standing order {:?}: choose another name, or end it first; nothing was \
             changed",
            what.name
        ),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot create the standing order {:?}", what.name));
        }
    }
    Ok(())
}

async fn status(args: &StandingStatusArgs) -> anyhow::Result<()> {
    let handle = find(&args.of).await?;
    let rpc = RpcOptions::builder().timeout(ANSWER_WITHIN).build();
    let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
    let answer = handle
        .query(StandingOrder::standing, ().into(), options)
        .await;
    let standing = match answer {
        Ok(standing) => standing.with_context(|| format!("{:?} is invalid", args.of.name))?,
        Err(WorkflowQueryError::NotFound(_)) => return Err(unknown(&args.of.name)),
        Err(error) => {
            return Err(error).context("cannot ask the standing order; it takes a worker");
        }
    };
    if args.output.json {
        say(&json!(standing).to_string());
        return Ok(());
    }
    let next = match standing.order_due(&args.of.name) {
        _ if standing.ended => "ended".to_owned(),
        _ if standing.paused => "paused".to_owned(),
        order => format!("next is {}", order.order_id),
    };
    let placed = standing.placed;
    say(&format!(
        "{}: {placed} placed, {next}",
        printable(&args.of.name)
    ));
    Ok(())
}

enum Message {
    Pause,
    Resume,
    End,
}

async fn tell(args: &ScheduleNameArgs, message: Message) -> anyhow::Result<()> {
    let handle = find(args).await?;
    let options = Default::default();
    let (told, what) = match message {
        Message::Pause => {
            let told = handle.signal(StandingOrder::pause, ().into(), options);
            (told.await, "places no orders until it is resumed")
        }
        Message::Resume => {
            let told = handle.signal(StandingOrder::resume, ().into(), options);
            (told.await, "places orders")
        }
        Message::End => {
            let told = handle.signal(StandingOrder::end, ().into(), options);
            (
                told.await,
                "places no more orders; the orders that it placed remain",
            )
        }
    };
    match told {
        Ok(()) => {
            say(&format!("{} {what}", printable(&args.name)));
            Ok(())
        }
        Err(WorkflowInteractionError::NotFound(_)) => Err(unknown(&args.name)),
        Err(error) => Err(error.into()),
    }
}

fn unknown(name: &str) -> anyhow::Error {
    anyhow!(
        "there is no standing order {:?}, or it has ended",
        excerpt(name)
    )
}

/// Says a sentence. A pipe that nobody reads any more is no reason to fail.
fn say(sentence: &str) {
    let _ = writeln!(anstream::stdout(), "{sentence}");
}

async fn find(args: &ScheduleNameArgs) -> anyhow::Result<WorkflowHandle<Client, StandingOrder>> {
    let client = connect(&args.connect).await?;
    Ok(client.get_workflow_handle(&args.name))
}
