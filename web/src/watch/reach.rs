//! Whether the Temporal server and its workers are there.

use std::time::Duration;

use starter::unserved::{self, NO_WORKER_AFTER};
use temporal::{ConnectError, Renewals};
use temporalio_client::{Client, grpc::WorkflowService, tonic::IntoRequest};
use temporalio_common::protos::temporal::api::{
    enums::v1::TaskQueueType,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{DescribeTaskQueueRequest, DescribeTaskQueueResponse},
};
use tokio::time::{sleep, timeout};

use super::source::Source;
use crate::Site;

/// How often the server is looked for, and looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// What the page calls itself at the server.
const CLIENT_NAME: &str = "order-management-web";

/// Connects, and then says what is missing while somebody looks.
pub(crate) async fn watch(source: &Source) {
    let (client, renewals) = loop {
        match connect(&source.site).await {
            Ok(connected) => break connected,
            Err(error) => {
                let error = error.to_string();
                let known = source.reach.borrow().temporal.as_ref() == Some(&error);
                if !known {
                    tracing::warn!("{error}. Retrying until it works");
                    source
                        .reach
                        .send_modify(|reach| reach.temporal = Some(error));
                }
                sleep(LOOK_EVERY).await;
            }
        }
    };
    source.client.send_replace(Some(client));
    tokio::join!(look(source), renew(source, renewals));
}

async fn connect(site: &Site) -> Result<(Client, Option<Renewals>), ConnectError> {
    let Some(args) = &site.renewed_by else {
        let client = temporal::connect(&site.settings, CLIENT_NAME).await?;
        return Ok((client, None));
    };
    // Only whoever connects once is told why it does not work.
    let client = temporal::connect(&args.settings()?, CLIENT_NAME).await?;
    let forever = std::future::pending();
    let renewals = args.connect_renewably(CLIENT_NAME, None, forever).await?;
    let client = renewals.as_ref().map_or(client, |it| it.client().clone());
    Ok((client, renewals))
}

async fn renew(source: &Source, renewals: Option<Renewals>) {
    let Some(mut renewals) = renewals else {
        return;
    };
    loop {
        let client = renewals.next().await;
        source.client.send_replace(Some(client));
        tracing::info!("certificates or encryption keys were renewed");
    }
}

async fn look(source: &Source) {
    loop {
        let client = source.connected().await;
        let temporal = temporal::answers(&client, ANSWER_WITHIN).await.err();
        let workers = match temporal {
            None => no_worker(&client, &source.site.task_queue).await,
            // Nobody can tell.
            Some(_) => None,
        };
        let temporal = temporal.map(|reason| {
            let address = source.site.settings.address();
            format!(
                "the Temporal server at {address} does not answer ({reason}); orders go on when it is back"
            )
        });
        source.reach.send_if_modified(|reach| {
            let changed = reach.temporal != temporal || reach.workers != workers;
            (reach.temporal, reach.workers) = (temporal, workers);
            changed
        });
        sleep(LOOK_EVERY).await;
        source.somebody_looks().await;
    }
}

/// That nobody takes tasks from the queue, if that is so.
async fn no_worker(client: &Client, queue: &str) -> Option<String> {
    for kind in [TaskQueueType::Workflow, TaskQueueType::Activity] {
        let there = describe(client, queue, kind).await?;
        let lain = there.stats.and_then(|stats| stats.approximate_backlog_age);
        let lain = lain.and_then(|age| Duration::try_from(age).ok());
        let lain = lain.unwrap_or_default();
        if there.pollers.is_empty() || lain >= NO_WORKER_AFTER {
            return Some(format!(
                "no worker takes tasks from task queue {queue:?}; start one: {}",
                unserved::start_worker(queue)
            ));
        }
    }
    None
}

async fn describe(
    client: &Client,
    queue: &str,
    kind: TaskQueueType,
) -> Option<DescribeTaskQueueResponse> {
    let request = DescribeTaskQueueRequest {
        namespace: client.options().namespace.clone(),
        task_queue: Some(TaskQueue {
            name: queue.to_owned(),
            ..TaskQueue::default()
        }),
        task_queue_type: kind.into(),
        report_stats: true,
        ..DescribeTaskQueueRequest::default()
    };
    let mut client = client.clone();
    let asking = WorkflowService::describe_task_queue(&mut client, request.into_request());
    let there = timeout(ANSWER_WITHIN, asking).await.ok()?.ok()?;
    Some(there.into_inner())
}
