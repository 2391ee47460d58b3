//! Takes the tasks of a task queue to the services.

use std::{collections::HashMap, sync::Arc};

use temporalio_client::{Client, NamespacedClient};
use temporalio_common::{
    protos::{
        coresdk::nexus::{NexusTaskCompletion, nexus_task, nexus_task_completion::Status},
        temporal::api::nexus::v1::{
            CancelOperationResponse, Request, Response, StartOperationResponse, request, response,
            start_operation_response::{self, Async, Sync},
        },
    },
    worker::WorkerTaskTypes,
};
use temporalio_sdk_core::{
    CoreRuntime, PollError, RuntimeOptions, Worker, WorkerConfig, WorkerVersioningStrategy,
    init_worker,
};
use thiserror::Error;
use tokio::task::AbortHandle;

use super::{Call, OperationError, Service, Started, error::ToCaller};

/// The most calls to work on at the same time.
const MOST_AT_ONCE: usize = 50;

/// Why a task queue is not served.
#[derive(Debug, Error)]
pub enum NotServed {
    /// The server refuses the polls.
    #[error("the server refuses to hand out Nexus tasks: {0}")]
    Refused(#[from] PollError),
    /// The layer below the SDK could not begin.
    #[error("cannot serve Nexus operations: {0}")]
    NotBegun(String),
}

/// Serves a service on a task queue. It is a worker of its own beside the SDK's, which may run in the same process
/// on the same task queue.
pub struct NexusServer {
    worker: Arc<Worker>,
    handlers: Arc<Handlers>,
}

impl NexusServer {
    /// A server for the task queue, in the client's namespace. It must be made within a Tokio runtime.
    ///
    /// # Errors
    /// Returns [`NotServed::NotBegun`] if the core refuses the settings.
    pub fn new(client: &Client, task_queue: &str, service: Service) -> Result<Self, NotServed> {
        let not_begun = |error: &dyn std::fmt::Display| NotServed::NotBegun(error.to_string());
        let runtime = CoreRuntime::new_assume_tokio(RuntimeOptions::default())
            .map_err(|error| not_begun(&error))?;
        let config = WorkerConfig::builder()
            .namespace(client.namespace())
            .task_queue(task_queue)
            .task_types(WorkerTaskTypes::nexus_only())
            .max_outstanding_nexus_tasks(MOST_AT_ONCE)
            .versioning_strategy(WorkerVersioningStrategy::default())
            .build()
            .map_err(|error| not_begun(&error))?;
        let worker = init_worker(&runtime, config, client.connection().clone())
            .map_err(|error| not_begun(&error))?;
        Ok(Self {
            worker: Arc::new(worker),
            handlers: Arc::new(Handlers {
                client: client.clone(),
                task_queue: task_queue.to_owned(),
                service,
            }),
        })
    }

    /// Serves until [`stop`](Self::stop) is called, and then until the calls under way are answered.
    ///
    /// # Errors
    /// Returns [`NotServed::Refused`] if the server refuses the polls for good.
    pub async fn run(&self) -> Result<(), NotServed> {
        let mut under_way: HashMap<Vec<u8>, AbortHandle> = HashMap::new();
        loop {
            let task = match self.worker.poll_nexus_task().await {
                Ok(task) => task,
                Err(PollError::ShutDown) => break,
                Err(error) => return Err(error.into()),
            };
            under_way.retain(|_, handle| !handle.is_finished());
            match task.variant {
                Some(nexus_task::Variant::Task(task)) => {
                    let token = task.task_token.clone();
                    let (worker, handlers) = (self.worker.clone(), self.handlers.clone());
                    let answering = tokio::spawn(async move {
                        let status = handlers.answer(task.request).await;
                        complete(&worker, task.task_token, status).await;
                    });
                    under_way.insert(token, answering.abort_handle());
                }
                // Nobody waits for the answer any more.
                Some(nexus_task::Variant::CancelTask(task)) => {
                    if let Some(handle) = under_way.remove(&task.task_token) {
                        handle.abort();
                    }
                    complete(&self.worker, task.task_token, Status::AckCancel(true)).await;
                }
                None => {}
            }
        }
        self.worker.shutdown().await;
        // A worker on its connection's list and the connection keep each other in memory.
        let workers = self.handlers.client.connection().workers();
        let _ = workers.finalize_unregister(self.worker.worker_instance_key());
        Ok(())
    }

    /// Takes no more calls.
    pub fn stop(&self) {
        self.worker.initiate_shutdown();
    }
}

async fn complete(worker: &Worker, task_token: Vec<u8>, status: Status) {
    let completion = NexusTaskCompletion {
        task_token,
        status: Some(status),
    };
    if let Err(error) = worker.complete_nexus_task(completion).await {
        tracing::error!(%error, "a call could not be answered; the server calls again");
    }
}

/// What answers the calls.
struct Handlers {
    client: Client,
    task_queue: String,
    service: Service,
}

impl Handlers {
    async fn answer(&self, request: Option<Request>) -> Status {
        let answered = match request.and_then(|request| request.variant) {
            Some(request::Variant::StartOperation(request)) => {
                let name = format!("{}/{}", request.service, request.operation);
                let call = Call {
                    client: &self.client,
                    task_queue: &self.task_queue,
                    request,
                };
                let started = self.start(&call).await;
                started
                    .map(started_response)
                    .inspect_err(|error| tracing::warn!(operation = name, %error, "not started"))
            }
            Some(request::Variant::CancelOperation(request)) => {
                let handler = self.service.find(&request.service, &request.operation);
                let cancelled = match handler {
                    Ok(handler) => handler.cancel(&self.client, &request.operation_token).await,
                    Err(error) => Err(error),
                };
                cancelled.map(|()| response::Variant::CancelOperation(CancelOperationResponse {}))
            }
            None => Err(OperationError::NotFound(
                "the server asks for something that this handler does not know".to_owned(),
            )),
        };
        let variant = match answered {
            Ok(variant) => variant,
            Err(error) => match error.into_failure(self.client.data_converter()).await {
                ToCaller::NotHandled(failure) => return Status::Failure(failure),
                ToCaller::OperationFailed(failure) => {
                    start_response(start_operation_response::Variant::Failure(failure))
                }
            },
        };
        Status::Completed(Response {
            variant: Some(variant),
        })
    }

    async fn start(&self, call: &Call<'_>) -> Result<Started, OperationError> {
        let handler = self
            .service
            .find(&call.request.service, &call.request.operation)?;
        handler.start(call).await
    }
}

fn started_response(started: Started) -> response::Variant {
    start_response(match started {
        Started::Done(payload) => start_operation_response::Variant::SyncSuccess(Sync {
            payload: Some(payload),
            links: Vec::new(),
        }),
        Started::GoesOn { token, links } => {
            start_operation_response::Variant::AsyncSuccess(Async {
                operation_token: token,
                links,
                ..Async::default()
            })
        }
    })
}

fn start_response(variant: start_operation_response::Variant) -> response::Variant {
    response::Variant::StartOperation(StartOperationResponse {
        variant: Some(variant),
    })
}
