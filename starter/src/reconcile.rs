//! Undoes orders that hold stock or money, and that nobody will finish.

use std::{io::Write, process::ExitCode, time::SystemTime};

use anyhow::Context;
use futures::{StreamExt, stream};
use inventory::Inventory;
use serde_json::json;
use temporal::printable;
use temporalio_client::{
    Client, WorkflowGetResultOptions, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowStartOptions,
    errors::{WorkflowGetResultError, WorkflowStartError},
};
use workflows::{
    UndoOrder, policies,
    undo_order::{TakenBack, ToUndo},
};

use crate::{
    abandoned::{self, AT_A_TIME, Abandoned, End},
    args::ReconcileArgs,
    connect::connect,
    follow::{ASK_AGAIN_AFTER, OrderHandle},
    progress::innermost,
    unserved::{self, NO_WORKER_AFTER},
};

/// Lists the orders that nobody will finish and, if it is asked to, has a worker undo each of them.
/// The exit status is 1 if one was to be undone and is not.
///
/// # Errors
/// Returns an error if no server answers, or the inventory cannot be read.
pub async fn reconcile(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let inventory = Inventory::at(&args.inventory.database, SystemTime::now)?;
    let audit = inventory.audit().await?;
    let client = connect(&args.common.connect).await?;
    let found = abandoned::find(&client, &inventory, &audit).await?;
    drop(audit);
    let tell = Tell {
        json: args.common.output.json,
    };
    if found.is_empty() {
        tell.say("No order was left behind: there is nothing to undo.");
        return Ok(ExitCode::SUCCESS);
    }
    if !args.apply {
        for order in &found {
            tell.found(order);
        }
        tell.say("To undo them: cargo run -p starter -- reconcile --apply");
        return Ok(ExitCode::SUCCESS);
    }
    let server = args.common.connect.settings()?.address();
    let undoing = stream::iter(&found).map(async |order| {
        if let Some(reason) = why_not(order, args.orders_are_gone, &server) {
            tell.left_alone(order, &reason);
            return false;
        }
        match undo(&client, &args.common.task_queue, &inventory, order, tell).await {
            Ok(taken_back) => {
                tell.undone(order, &taken_back);
                true
            }
            Err(error) => {
                tell.not_undone(order, &format!("{error:#}"));
                false
            }
        }
    });
    let undone: Vec<bool> = undoing.buffer_unordered(AT_A_TIME).collect().await;
    let left = undone.iter().filter(|undone| !**undone).count();
    tell.say(&format!("{} undone, {left} not", undone.len() - left));
    Ok(match left {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Why an order is not undone even though it is asked for, if it is not.
fn why_not(order: &Abandoned, gone_for_sure: bool, server: &str) -> Option<String> {
    match order.workflow {
        End::Completed => Some("a person has to find out which is right".to_owned()),
        // To a wrong server, every order is gone.
        End::Gone if !gone_for_sure => Some(format!(
            "it may run on another server than {server}, or in another namespace. If it runs nowhere, \
             repeat this with --orders-are-gone"
        )),
        _ => None,
    }
}

/// Has a worker undo the order, and waits until it is done. If that was asked for before, it waits for
/// the same undoing.
async fn undo(
    client: &Client,
    task_queue: &str,
    inventory: &Inventory,
    order: &Abandoned,
    tell: Tell,
) -> anyhow::Result<TakenBack> {
    let input = order.to_undo(inventory).await?;
    let workflow_id = input.workflow_id();
    start(client, task_queue, input, &workflow_id).await?;
    let mut result = std::pin::pin!(result(client, &workflow_id));
    let handle: OrderHandle = client.get_workflow_handle(&workflow_id);
    let mut look = tokio::time::interval(NO_WORKER_AFTER);
    let mut told = false;
    loop {
        tokio::select! {
            result = &mut result => return result,
            _ = look.tick(), if !told => {
                // If the server does not answer, the result is waited for.
                if let Some(matter) = unserved::stuck(&handle).await.ok().flatten() {
                    tell.say(&format!("{} is not undone yet: {matter}", order.order_id));
                    told = true;
                }
            }
        }
    }
}

async fn start(
    client: &Client,
    task_queue: &str,
    input: ToUndo,
    workflow_id: &str,
) -> anyhow::Result<()> {
    let options = WorkflowStartOptions::new(task_queue, workflow_id)
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicateFailedOnly)
        .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
        .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
        .static_summary(format!("undo {}", input.placement.order_id))
        .build();
    match client
        .start_workflow(UndoOrder::run, input.into(), options)
        .await
    {
        // One that is done has undone everything.
        Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
        Err(error) => Err(error).context("cannot start the undoing"),
    }
}

async fn result(client: &Client, workflow_id: &str) -> anyhow::Result<TakenBack> {
    let handle = client.get_workflow_handle::<UndoOrder>(workflow_id);
    loop {
        return match handle.get_result(WorkflowGetResultOptions::default()).await {
            Ok(taken_back) => Ok(taken_back),
            Err(WorkflowGetResultError::Rpc(_)) => {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                continue;
            }
            Err(WorkflowGetResultError::Failed(error)) => {
                Err(anyhow::anyhow!(innermost(error.failure())))
            }
            Err(error) => Err(error.into()),
        };
    }
}

/// How it is told: in sentences, or as a JSON object for each order.
#[derive(Clone, Copy)]
struct Tell {
    json: bool,
}

impl Tell {
    fn found(self, order: &Abandoned) {
        self.order(order, &format!("{order}"), json!({}));
    }

    fn left_alone(self, order: &Abandoned, reason: &str) {
        let sentence = format!("{order}. It is left alone: {reason}");
        self.order(
            order,
            &sentence,
            json!({"undone": null, "leftAlone": reason}),
        );
    }

    fn undone(self, order: &Abandoned, taken_back: &TakenBack) {
        let sentence = format!("{} is undone: {taken_back}", order.order_id);
        self.order(order, &sentence, json!({"undone": taken_back}));
    }

    fn not_undone(self, order: &Abandoned, reason: &str) {
        let sentence = format!("{} is NOT undone: {reason}", order.order_id);
        self.order(order, &sentence, json!({"undone": null, "error": reason}));
    }

    fn order(self, order: &Abandoned, sentence: &str, more: serde_json::Value) {
        if !self.json {
            return self.say(sentence);
        }
        let mut line = json!(order);
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        // A pipe that nobody reads any more is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// A sentence for a person.
    fn say(self, sentence: &str) {
        let _ = if self.json {
            writeln!(std::io::stderr(), "{}", printable(sentence))
        } else {
            writeln!(anstream::stdout(), "{}", printable(sentence))
        };
    }
}
