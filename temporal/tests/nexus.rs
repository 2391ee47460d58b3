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
            common::v1::link,
            enums::v1::EventType,
            failure::v1::Failure,
            history::v1::{HistoryEvent, history_event::Attributes},
            nexus::v1::StartOperationRequest,
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
async fn what_has_ended_lets_its_connection_go() {
    let server = DevServer::builder(cli().await).start().await.unwrap();
    let settings = Settings::plain(&server.address(), "default").unwrap();
    let client = connect(&settings, "test").await.unwrap();
    let of_connection = Arc::downgrade(&client.connection().workers());
    let nexus = NexusServer::new(&client, HANDLERS, service(&Arc::default())).unwrap();
    let (served, ()) = tokio::join!(nexus.run(), async { nexus.stop() });
    served.unwrap();
    drop((nexus, client));
    let let_go = async {
        while of_connection.upgrade().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, let_go).await.unwrap();
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

/// Waits until the workflow's history has an event of this type, and gives it.
async fn event(client: &Client, id: &str, wanted: EventType) -> HistoryEvent {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
    loop {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let events = history.into_events().await.unwrap();
        if let Some(event) = events.into_iter().find(|it| it.event_type() == wanted) {
            return event;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the caller's operation is known to have begun, and gives the event that says so.
async fn until_started(client: &Client, caller: &str) -> HistoryEvent {
    event(client, caller, EventType::NexusOperationStarted).await
}

/// The workflows that an event's links lead to, whether they are its own or those of its callbacks.
fn leads_to(event: &HistoryEvent) -> Vec<&str> {
    let callbacks = match event.attributes.as_ref().unwrap() {
        Attributes::WorkflowExecutionStartedEventAttributes(it) => &it.completion_callbacks[..],
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(it) => {
            &it.attached_completion_callbacks
        }
        _ => &[],
    };
    let of_callbacks = callbacks.iter().flat_map(|it| &it.links);
    let links = event.links.iter().chain(of_callbacks);
    links
        .filter_map(|link| match link.variant.as_ref()? {
            link::Variant::WorkflowEvent(event) => Some(event.workflow_id.as_str()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn links_lead_from_each_caller_to_the_workflow_and_back() {
    Scene::run(async |scene| {
        let client = &scene.client;
        for (caller, told_by) in [
            ("first", EventType::WorkflowExecutionStarted),
            ("second", EventType::WorkflowExecutionOptionsUpdated),
        ] {
            scene.start(caller, "shout", "wait").await;
            let started = until_started(client, caller).await;
            assert_eq!(leads_to(&started), ["shout-wait"]);
            let told = event(client, "shout-wait", told_by).await;
            assert_eq!(leads_to(&told), [caller]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_dies_before_it_answers_starts_no_second_workflow() {
    Scene::run(async |scene| {
        assert_eq!(scene.call("dies-once", "hello").await, "\"HELLO\"");
        assert_eq!(scene.runs("shout-hello", 1).await, 1);
        // Nobody but the workflow's end can have told the token.
        assert_eq!(scene.calls.load(Ordering::Relaxed), 1);
        let started = until_started(&scene.client, "caller-dies-once-hello").await;
        match started.attributes {
            Some(Attributes::NexusOperationStartedEventAttributes(it)) => {
                assert!(!it.operation_token.is_empty());
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

/// A call with this text, as the server makes it.
fn call<'a>(client: &'a Client, request_id: &str, text: &str) -> Call<'a> {
    let converter = PayloadConverter::default();
    let context = SerializationContext::new(&SerializationContextData::None, &converter);
    let input = converter.to_payload(&context, &text.to_owned()).unwrap();
    let request = StartOperationRequest {
        request_id: request_id.to_owned(),
        callback: "temporal://system".to_owned(),
        payload: Some(input),
        ..Default::default()
    };
    Call {
        client,
        task_queue: HANDLERS,
        request,
    }
}

#[tokio::test]
async fn one_request_starts_one_workflow_even_after_its_end() {
    Scene::run(async |scene| {
        let operation = WorkflowOperation::new(Shout::run, name);
        for (request_id, runs) in [("one", 1), ("one", 1), ("two", 2)] {
            let call = call(&scene.client, request_id, "hello");
            let started = operation.start(&call).await.unwrap();
            let shout = scene
                .client
                .get_workflow_handle::<shout::Run>("shout-hello");
            let ended = shout.get_result(WorkflowGetResultOptions::default());
            assert_eq!(ended.await.unwrap(), "HELLO");
            assert_eq!(scene.runs("shout-hello", runs).await, runs);
            let Started::GoesOn { token, .. } = started else {
                panic!("{started:?}");
            };
            // There is nothing left to cancel, and nothing to try again.
            operation.cancel(&scene.client, &token).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn the_server_calls_again_only_if_it_may_help() {
    let mut server = DevServer::builder(cli().await).start().await.unwrap();
    let settings = Settings::plain(&server.address(), "default").unwrap();
    let client = connect(&settings, "test").await.unwrap();
    let operation = WorkflowOperation::new(Shout::run, name);
    let mut no_text = call(&client, "one", "");
    no_text.request.payload.as_mut().unwrap().data = b"5".to_vec();
    // The server takes no workflow ID that is so long.
    for hopeless in [no_text, call(&client, "two", &"a".repeat(2_000))] {
        let error = operation.start(&hopeless).await.unwrap_err();
        assert!(matches!(error, OperationError::BadRequest(_)), "{error}");
    }
    let waits = call(&client, "three", "wait");
    let started = operation.start(&waits).await.unwrap();
    let Started::GoesOn { token, .. } = started else {
        panic!("{started:?}");
    };
    server.stop().await.unwrap();
    let (starting, cancelling) =
        futures::join!(operation.start(&waits), operation.cancel(&client, &token));
    for error in [starting.unwrap_err(), cancelling.unwrap_err()] {
        assert!(matches!(error, OperationError::Unavailable(_)), "{error}");
    }
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
