//! Recurring orders: Temporal schedules that place one order after the other.
//!
//! Each run is an order of its own: its ID is the schedule's with the time, for the order that the
//! schedule holds has none.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use futures::TryStreamExt;
use orders::Order;
use serde_json::json;
use temporal::{ensure_keyword, excerpt, printable, reported};
use temporalio_client::{
    Client,
    grpc::WorkflowService,
    schedules::{ListSchedulesOptions, ScheduleError, ScheduleHandle, ScheduleSummary},
    tonic::{Code, IntoRequest},
};
use temporalio_common::{
    WorkflowDefinition,
    data_converters::{SerializationContextData, WorkflowSerializationContext},
    protos::temporal::api::{
        common::v1::{Payloads, WorkflowType},
        enums::v1::ScheduleOverlapPolicy,
        schedule::v1::{
            IntervalSpec, Schedule, ScheduleAction, SchedulePolicies, ScheduleSpec,
            schedule_action::Action,
        },
        taskqueue::v1::TaskQueue,
        workflow::v1::NewWorkflowExecutionInfo,
        workflowservice::v1::CreateScheduleRequest,
    },
    search_attributes::SearchAttributes,
};
use workflows::{ORDER_STATUS, OrderInput, OrderStatus, ProcessOrder, policies};

use crate::{
    args::{ScheduleCommand, ScheduleCreateArgs, ScheduleListArgs, ScheduleNameArgs},
    connect::connect,
    follow::Watch,
    list::rfc3339,
    show::{Show, text},
    submit,
};

/// Orders that fell due while the server was not there are placed if they are no older than this. A
/// laptop that slept for a week is not to place a week of orders.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Does what is asked for about recurring orders.
///
/// # Errors
/// Returns an error if there is no recurring order of that name, or one to create already exists.
pub async fn run(command: &ScheduleCommand) -> anyhow::Result<ExitCode> {
    match command {
        ScheduleCommand::Create(args) => create(args).await?,
        ScheduleCommand::List(args) => list(args).await?,
        ScheduleCommand::Pause(args) => pause(args, true).await?,
        ScheduleCommand::Resume(args) => pause(args, false).await?,
        ScheduleCommand::Delete(args) => delete(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: &ScheduleCreateArgs) -> anyhow::Result<()> {
    let order = args.wishes.add_to(Order::new(
        "",
        &args.product,
        args.quantity,
        &args.payment_info,
    ));
    // The server names each order after the schedule and the time.
    let name = format!("{}-{}", args.name, rfc3339(SystemTime::now()));
    submit::check(&order.clone().named(&name))?;
    let client = connect(&args.common.connect).await?;
    let mut show = Show::new(&args.common.output);
    let listed = match ensure_keyword(&client, ORDER_STATUS.name()).await {
        Ok(()) => true,
        Err(reason) => {
            show.say(&format!(
                "its orders cannot be listed by their status: {reason}"
            ));
            false
        }
    };
    let schedule = Schedule {
        spec: Some(ScheduleSpec {
            interval: vec![IntervalSpec {
                interval: Some(args.every.try_into().context("--every is too long")?),
                phase: None,
            }],
            ..ScheduleSpec::default()
        }),
        action: Some(ScheduleAction {
            action: Some(Action::StartWorkflow(
                action(&client, args, &order, listed).await?,
            )),
        }),
        policies: Some(SchedulePolicies {
            // Each is an order of its own: a slow one does not hold up the next.
            overlap_policy: ScheduleOverlapPolicy::AllowAll.into(),
            catchup_window: Some(CATCH_UP.try_into()?),
            ..SchedulePolicies::default()
        }),
        ..Schedule::default()
    };
    let request = CreateScheduleRequest {
        namespace: client.options().namespace.clone(),
        schedule_id: args.name.clone(),
        schedule: Some(schedule),
        // The server takes a request that is sent again for the same by this.
        request_id: format!("{:032x}", rand::random::<u128>()),
        ..CreateScheduleRequest::default()
    };
    let mut server = client.clone();
    match WorkflowService::create_schedule(&mut server, request.into_request()).await {
        Ok(_) => {
            show.say(&format!(
                "{} places an order every {}: {order}",
                args.name,
                text::whole_seconds(args.every)
            ));
            Ok(())
        }
        Err(status) if status.code() == Code::AlreadyExists => bail!(
            "there already is a recurring order {:?}: choose another name, or delete it first; \
             nothing was changed",
            args.name
        ),
        Err(status) => Err(anyhow!(reported(status.message())))
            .with_context(|| format!("cannot create the recurring order {:?}", args.name)),
    }
}

/// The order that is placed again and again. The SDK's own action has no search attributes and no
/// workflow task timeout.
async fn action(
    client: &Client,
    args: &ScheduleCreateArgs,
    order: &Order,
    listed: bool,
) -> anyhow::Result<NewWorkflowExecutionInfo> {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let converter = &client.options().data_converter;
    let payloads = converter
        .to_payloads(&context, &OrderInput::from(order.clone()))
        .await?;
    let received = ORDER_STATUS.value_set(OrderStatus::Received.to_string());
    Ok(NewWorkflowExecutionInfo {
        workflow_id: args.name.clone(),
        workflow_type: Some(WorkflowType {
            name: ProcessOrder::run.name().to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: args.common.task_queue.clone(),
            ..TaskQueue::default()
        }),
        input: Some(Payloads { payloads }),
        workflow_task_timeout: Some(policies::WORKFLOW_TASK_TIMEOUT.try_into()?),
        search_attributes: listed.then(|| SearchAttributes::new([received]).into_proto()),
        ..NewWorkflowExecutionInfo::default()
    })
}

async fn list(args: &ScheduleListArgs) -> anyhow::Result<()> {
    let client = connect(&args.common.connect).await?;
    let all: Vec<ScheduleSummary> = client
        .list_schedules(ListSchedulesOptions::default())
        .try_collect()
        .await
        .context("cannot list the recurring orders")?;
    let orders = all
        .iter()
        .filter(|schedule| schedule.workflow_type() == Some(ProcessOrder::run.name()));
    let mut out = anstream::stdout();
    let mut listed = 0;
    for schedule in orders {
        listed += 1;
        let next = schedule.future_action_times().first().copied().map(rfc3339);
        // A pipe that nobody reads any more is no reason to fail.
        let _ = if args.common.output.json {
            let schedule = json!({
                "name": schedule.schedule_id(),
                "paused": schedule.paused(),
                "next": next,
            });
            writeln!(out, "{schedule}")
        } else {
            let next = match next {
                _ if schedule.paused() => "paused".to_owned(),
                Some(next) => format!("next at {next}"),
                None => String::new(),
            };
            writeln!(out, "{:<24} {next}", printable(schedule.schedule_id()))
        };
    }
    if listed == 0 && !args.common.output.json {
        let _ = writeln!(out, "there are no recurring orders");
    }
    Ok(())
}

async fn pause(args: &ScheduleNameArgs, paused: bool) -> anyhow::Result<()> {
    let schedule = find(args).await?;
    let now = schedule
        .describe(Default::default())
        .await
        .map_err(|error| named(error, &args.name))?;
    let name = printable(&args.name);
    let word = if paused { "paused" } else { "not paused" };
    if now.paused() == paused {
        say(&format!("{name} is already {word}; nothing was changed"));
        return Ok(());
    }
    let note = Some("by the starter");
    let done = if paused {
        schedule.pause(note, Default::default()).await
    } else {
        schedule.unpause(note, Default::default()).await
    };
    done.map_err(|error| named(error, &args.name))?;
    say(&format!("{name} is {word} now"));
    Ok(())
}

async fn delete(args: &ScheduleNameArgs) -> anyhow::Result<()> {
    let schedule = find(args).await?;
    let deleted = schedule.delete(Default::default()).await;
    deleted.map_err(|error| named(error, &args.name))?;
    say(&format!(
        "{} is deleted; the orders that it placed remain",
        printable(&args.name)
    ));
    Ok(())
}

/// Says a sentence. A pipe that nobody reads any more is no reason to fail.
fn say(sentence: &str) {
    let _ = writeln!(anstream::stdout(), "{sentence}");
}

async fn find(args: &ScheduleNameArgs) -> anyhow::Result<ScheduleHandle<Client>> {
    let client = connect(&args.connect).await?;
    Ok(client.get_schedule_handle(&args.name))
}

fn named(error: ScheduleError, name: &str) -> anyhow::Error {
    match error {
        ScheduleError::Rpc(status) if status.code() == Code::NotFound => {
            anyhow!(
                "there is no recurring order {:?}: `starter schedule list` names them",
                excerpt(name)
            )
        }
        ScheduleError::Rpc(status) => anyhow!(
            "the server does not accept this for the recurring order {:?}: {}",
            excerpt(name),
            reported(status.message())
        ),
        other => other.into(),
    }
}
