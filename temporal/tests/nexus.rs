//! Nexus operations served by this crate and called from a workflow, on a real server.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::{LONG, cli};
use futures::TryStreamExt;
use servers::DevServer;
use temporal::{
    Settings, connect, failure_message,
    nexus::{
        Call, NexusServer, NoEndpoint, Operation, OperationError, Service, Started,
        WorkflowOperation, ensure_endpoint,
    },
};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowCancelOptions, WorkflowFetchHistoryOptions,
    WorkflowGetResultOptions, WorkflowListOptions, WorkflowStartOptions,
};
use temporalio_common::{
    data_converters::{
        GenericPayloadConverter, PayloadConverter, SerializationContext, SerializationContextData,
    },
    protos::{
        coresdk::nexus::{NexusOperationResult, nexus_operation_result::Status},
        temporal::api::{
            enums::v1::EventType, failure::v1::Failure, nexus::v1::StartOperationRequest,
        },
    },
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, NexusOperationOptions, Runtime, Worker, WorkerOptions, WorkflowContext,
    WorkflowResult, WorkflowTermination, runtime::RuntimeOptions,
};
use tokio::{
    task::LocalSet,
    time::{sleep, timeout},
};

const CALLERS: &str = "callers";
const HANDLERS: &str = "handlers";
const ENDPOINT: &str = "test-endpoint";

/// Calls an operation with a text, and tells what came of it.
#[workflow]
#[derive(Default)]
struct Caller;

#[workflow_methods]
impl Caller {
    #[run(name = "Caller")]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        (operation, input): (String, String),
    ) -> WorkflowResult<String> {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let options = NexusOperationOptions::builder()
            .endpoint(ENDPOINT)
            .service("texts")
            .operation(operation)
            .input(converter.to_payload(&context, &input).unwrap())
            .build();
        let told = match ctx.start_nexus_operation(options).await {
            Ok(started) => came_of(started.result().await),
            Err(failure) => format!("not started: {}", innermost(&failure)),
        };
        Ok(told)
    }
}

fn came_of(result: NexusOperationResult) -> String {
    match result.status {
        Some(Status::Completed(payload)) => String::from_utf8(payload.data).unwrap(),
        Some(Status::Failed(failure)) => format!("failed: {}", innermost(&failure)),
        Some(Status::Cancelled(_)) => "cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}

fn innermost(failure: &Failure) -> String {
    let mut failure = failure;
    while let Some(cause) = &failure.cause {
        failure = cause;
    }
    failure_message(failure)
}

/// Backs the operations: shouts a text, fails, or waits until it is cancelled.
#[workflow]
#[derive(Default)]
struct Shout;

#[workflow_methods]
impl Shout {
    #[run(name = "Shout")]
    async fn run(ctx: &mut WorkflowContext<Self>, text: String) -> WorkflowResult<String> {
        match text.as_str() {
            "fail" => Err(ApplicationFailure::non_retryable("hoarse").into()),
            "wait" => {
                ctx.cancelled().await;
                Err(WorkflowTermination::cancelled())
            }
            text => Ok(text.to_uppercase()),
        }
    }
}

fn name(text: &String) -> Result<String, OperationError> {
    if text.is_empty() {
        return Err(OperationError::BadRequest("there is no text".to_owned()));
    }
    Ok(format!("shout-{text}"))
}

/// Begins the operation the first time, and dies before it can say so.
struct DiesOnce {
    inner: WorkflowOperation<shout::Run>,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl Operation for DiesOnce {
    async fn start(&self, call: &Call<'_>) -> Result<Started, OperationError> {
        let started = self.inner.start(call).await?;
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        Ok(started)
    }

    async fn cancel(&self, client: &Client, token: &str) -> Result<(), OperationError> {
        self.inner.cancel(client, token).await
    }
}

/// The service under test, and how often its operations were called.
fn service(calls: &Arc<AtomicUsize>) -> Service {
    let (flaky, counted) = (calls.clone(), calls.clone());
    Service::new("texts")
        .synchronous("length", async |text: String| Ok(text.len()))
        .synchronous("refuse", move |_: String| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Err::<(), _>(OperationError::BadRequest("a bad text".to_owned())) }
        })
        .synchronous("fail", async |_: String| {
            Err::<(), _>(OperationError::Failed {
                message: "nobody reads it".to_owned(),
                type_name: "Unread".to_owned(),
            })
        })
        .synchronous("flaky", move |text: String| {
            let first = flaky.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if first {
                    return Err(OperationError::Unavailable("try again".to_owned()));
                }
                Ok(text)
            }
        })
        .workflow("shout", Shout::run, name)
        .with(
            "dies-once",
            DiesOnce {
                inner: WorkflowOperation::new(Shout::run, name),
                calls: calls.clone(),
            },
        )
}

/// A server with the service on it, and a caller.
struct Scene {
    _server: DevServer,
    client: Client,
    calls: Arc<AtomicUsize>,
}

impl Scene {
    /// Runs a test on a server, with a worker for callers and handlers and a server of the service.
    async fn run(test: impl AsyncFnOnce(&Self)) {
        let server = DevServer::builder(cli().await).start().await.unwrap();
        let settings = Settings::plain(&server.address(), "default").unwrap();
        let client = connect(&settings, "test").await.unwrap();
        ensure_endpoint(&client, ENDPOINT, HANDLERS).await.unwrap();
        let calls = Arc::<AtomicUsize>::default();
        let nexus = NexusServer::new(&client, HANDLERS, service(&calls)).unwrap();
        let runtime = Runtime::from_current_tokio(RuntimeOptions::default()).unwrap();
        let worker = |queue: &str| {
            let options = WorkerOptions::new(queue)
                .register_workflow::<Caller>()
                .unwrap()
                .register_workflow::<Shout>()
                .unwrap();
            Worker::new(&runtime, client.clone(), options.build()).unwrap()
        };
        let (mut callers, mut handlers) = (worker(CALLERS), worker(HANDLERS));
        let stop = [callers.shutdown_handle(), handlers.shutdown_handle()];
        let scene = Self {
            _server: server,
            client,
            calls,
        };
        let testing = async {
            timeout(2 * LONG, test(&scene)).await.unwrap();
            nexus.stop();
            stop.iter().for_each(|stop| stop());
        };
        let working = async { tokio::join!(callers.run(), handlers.run(), nexus.run(), testing) };
        let (callers, handlers, nexus, ()) = LocalSet::new().run_until(working).await;
        callers.unwrap();
        handlers.unwrap();
        nexus.unwrap();
    }

    /// Calls an operation from a workflow of this ID.
    async fn start(&self, id: &str, operation: &str, input: &str) {
        let options = WorkflowStartOptions::new(CALLERS, id).build();
        let input = (operation.to_owned(), input.to_owned());
        let started = self.client.start_workflow(Caller::run, input, options);
        started.await.unwrap();
    }

    async fn told(&self, id: &str) -> String {
        let handle = self.client.get_workflow_handle::<caller::Run>(id);
        let result = handle.get_result(WorkflowGetResultOptions::default());
        result.await.unwrap()
    }

    async fn call(&self, operation: &str, input: &str) -> String {
        let id = format!("caller-{operation}-{input}");
        self.start(&id, operation, input).await;
        self.told(&id).await
    }

    /// How often a workflow of this ID ran, once the server lists at least so many runs: it lists one a moment
    /// after it began.
    async fn runs(&self, id: &str, at_least: usize) -> usize {
        loop {
            let runs = self.listed(id).await;
            if runs >= at_least {
                return runs;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn listed(&self, id: &str) -> usize {
        let query = format!("WorkflowId = '{id}'");
        let listed = self
            .client
            .list_workflows(query, WorkflowListOptions::default());
        listed.try_collect::<Vec<_>>().await.unwrap().len()
    }
}

#[tokio::test]
async fn a_synchronous_operation_answers_at_once() {
    Scene::run(async |scene| {
        assert_eq!(scene.call("length", "four").await, "4");
    })
    .await;
}

#[tokio::test]
async fn what_no_retry_can_mend_is_told_to_the_caller_and_not_tried_again() {
    Scene::run(async |scene| {
        assert_eq!(
            scene.call("refuse", "text").await,
            "not started: a bad text"
        );
        assert_eq!(scene.calls.load(Ordering::Relaxed), 1);
        assert_eq!(
            scene.call("fail", "text").await,
            "not started: nobody reads it"
        );
        let unknown = scene.call("unknown", "text").await;
        assert!(unknown.contains("no operation \"unknown\""), "{unknown}");
        let empty = scene.call("shout", "").await;
        assert_eq!(empty, "not started: there is no text");
    })
    .await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    Scene::run(async |scene| {
        assert_eq!(scene.call("flaky", "text").await, "\"text\"");
        assert_eq!(scene.calls.load(Ordering::Relaxed), 2);
    })
    .await;
}

#[tokio::test]
async fn an_operation_ends_as_the_workflow_behind_it_does() {
    Scene::run(async |scene| {
        assert_eq!(scene.call("shout", "hello").await, "\"HELLO\"");
        assert_eq!(scene.call("shout", "fail").await, "failed: hoarse");
    })
    .await;
}

#[tokio::test]
async fn two_callers_share_a_workflow_and_cancelling_ends_it_for_both() {
    Scene::run(async |scene| {
        for caller in ["first", "second"] {
            scene.start(caller, "shout", "wait").await;
            until_started(&scene.client, caller).await;
        }
        assert_eq!(scene.runs("shout-wait", 1).await, 1);
        let caller = scene.client.get_workflow_handle::<UntypedWorkflow>("first");
        caller
            .cancel(WorkflowCancelOptions::default())
            .await
            .unwrap();
        for caller in ["first", "second"] {
            assert_eq!(scene.told(caller).await, "cancelled");
        }
    })
    .await;
}

/// Waits until the caller's operation is known to have begun.
async fn until_started(client: &Client, caller: &str) {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(caller);
    let started = async || {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let events = history.into_events().await.unwrap();
        let wanted = EventType::NexusOperationStarted;
        events.iter().any(|event| event.event_type() == wanted)
    };
    while !started().await {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_handler_that_dies_before_it_answers_starts_no_second_workflow() {
    Scene::run(async |scene| {
        assert_eq!(scene.call("dies-once", "hello").await, "\"HELLO\"");
        assert_eq!(scene.runs("shout-hello", 1).await, 1);
    })
    .await;
}

#[tokio::test]
async fn one_request_starts_one_workflow_even_after_its_end() {
    Scene::run(async |scene| {
        let input = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &input);
        let input = input.to_payload(&context, &"hello".to_owned()).unwrap();
        let operation = WorkflowOperation::new(Shout::run, name);
        for (request_id, runs) in [("one", 1), ("one", 1), ("two", 2)] {
            let request = StartOperationRequest {
                request_id: request_id.to_owned(),
                callback: "temporal://system".to_owned(),
                payload: Some(input.clone()),
                ..Default::default()
            };
            let call = Call {
                client: &scene.client,
                task_queue: HANDLERS,
                request,
            };
            operation.start(&call).await.unwrap();
            let shout = scene
                .client
                .get_workflow_handle::<shout::Run>("shout-hello");
            let ended = shout.get_result(WorkflowGetResultOptions::default());
            assert_eq!(ended.await.unwrap(), "HELLO");
            assert_eq!(scene.runs("shout-hello", runs).await, runs);
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_is_registered_once_and_never_moved() {
    let server = DevServer::builder(cli().await).start().await.unwrap();
    let mut settings = Settings::plain(&server.address(), "team").unwrap();
    assert!(connect(&settings, "test").await.is_err());
    settings.create_namespace = true;
    let client = connect(&settings, "test").await.unwrap();
    for _ in 0..2 {
        ensure_endpoint(&client, ENDPOINT, HANDLERS).await.unwrap();
    }
    let moved = ensure_endpoint(&client, ENDPOINT, "elsewhere").await;
    let error = moved.unwrap_err();
    assert!(matches!(error, NoEndpoint::Elsewhere { .. }), "{error}");
    let refused = ensure_endpoint(&client, "no endpoint", HANDLERS).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("endpoint create --name"), "{error}");
}
