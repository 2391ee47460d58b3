//! The name by which callers find a task queue that serves Nexus operations.

use std::{
    fmt,
    time::{Duration, Instant},
};

use temporalio_client::{Client, NamespacedClient, grpc::OperatorService};
use temporalio_common::protos::temporal::api::{
    nexus::v1::{EndpointSpec, EndpointTarget, endpoint_target},
    operatorservice::v1::{CreateNexusEndpointRequest, ListNexusEndpointsRequest},
};
use thiserror::Error;
use tokio::time::sleep;
use tonic::{Code, Status};

use crate::{connect::once, text::reported};

/// How long the server may take to know a new namespace everywhere: it looks every 10 seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);

/// An endpoint: calls to `name` go to a task queue of the client's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// By which callers know it. It is unique on the whole server.
    pub name: String,
    /// The namespace that the calls go to.
    pub namespace: String,
    /// The task queue that they go to.
    pub task_queue: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            namespace,
            task_queue,
        } = self;
        write!(
            f,
            "{name} (namespace {namespace:?}, task queue {task_queue:?})"
        )
    }
}

/// Why callers do not find the task queue.
#[derive(Debug, Error)]
pub enum NoEndpoint {
    /// Calls to the name go elsewhere.
    #[error(
        "the Nexus endpoint {wanted} cannot be registered, because there is the endpoint {found} already; \
         choose another name, or have an administrator change it"
    )]
    Elsewhere {
        /// The endpoint that is wanted.
        wanted: Endpoint,
        /// The one that there is.
        found: Endpoint,
    },
    /// The server does not let this client register it.
    #[error(
        "the Nexus endpoint {wanted} cannot be looked up or registered: {reason}. If there is none yet, \
         an administrator creates it with `temporal operator nexus endpoint create --name {} \
         --target-namespace {} --target-task-queue {}`; on Temporal Cloud, `tcld nexus endpoint create` or the \
         web page does",
        wanted.name, wanted.namespace, wanted.task_queue
    )]
    Refused {
        /// The endpoint that is wanted.
        wanted: Endpoint,
        /// The server's message.
        reason: String,
    },
}

/// Makes sure that calls to the endpoint `name` go to this task queue of the client's namespace, and registers the
/// endpoint if there is none.
///
/// # Errors
/// Returns [`NoEndpoint`] if they do not, with what to do next. The task queue can be served nevertheless: the
/// calls come as soon as an administrator has registered the endpoint.
pub async fn ensure_endpoint(
    client: &Client,
    name: &str,
    task_queue: &str,
) -> Result<(), NoEndpoint> {
    let wanted = Endpoint {
        name: name.to_owned(),
        namespace: client.namespace(),
        task_queue: task_queue.to_owned(),
    };
    let found = match registered(client, name).await {
        Ok(Some(found)) => found,
        Ok(None) => match register(client, &wanted).await {
            Ok(()) => return Ok(()),
            // Another program may have registered it in the meantime.
            Err(reason) => match registered(client, name).await {
                Ok(Some(found)) => found,
                _ => return Err(NoEndpoint::Refused { wanted, reason }),
            },
        },
        Err(reason) => return Err(NoEndpoint::Refused { wanted, reason }),
    };
    if found == wanted {
        Ok(())
    } else {
        Err(NoEndpoint::Elsewhere { wanted, found })
    }
}

async fn registered(client: &Client, name: &str) -> Result<Option<Endpoint>, String> {
    let request = ListNexusEndpointsRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let listed = OperatorService::list_nexus_endpoints(&mut client.clone(), once(request)).await;
    let listed = listed.map_err(|status| reported(status.message()))?;
    let spec = listed.into_inner().endpoints.into_iter().next();
    Ok(spec.and_then(|it| it.spec).map(|spec| {
        match spec.target.and_then(|target| target.variant) {
            Some(endpoint_target::Variant::Worker(target)) => Endpoint {
                name: spec.name,
                namespace: target.namespace,
                task_queue: target.task_queue,
            },
            // An endpoint outside has neither.
            _ => Endpoint {
                name: spec.name,
                namespace: String::new(),
                task_queue: String::new(),
            },
        }
    }))
}

async fn register(client: &Client, endpoint: &Endpoint) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match try_to_register(client, endpoint).await {
            Ok(()) => return Ok(()),
            // A namespace that was registered a moment ago is not known to all parts of the server yet.
            Err(status)
                if status.code() == Code::FailedPrecondition && begun.elapsed() < PATIENCE =>
            {
                sleep(PAUSE).await;
            }
            Err(status) => return Err(reported(status.message())),
        }
    }
}

async fn try_to_register(client: &Client, endpoint: &Endpoint) -> Result<(), Status> {
    let request = CreateNexusEndpointRequest {
        spec: Some(EndpointSpec {
            name: endpoint.name.clone(),
            description: None,
            target: Some(EndpointTarget {
                variant: Some(endpoint_target::Variant::Worker(endpoint_target::Worker {
                    namespace: endpoint.namespace.clone(),
                    task_queue: endpoint.task_queue.clone(),
                })),
            }),
        }),
    };
    let created = OperatorService::create_nexus_endpoint(&mut client.clone(), once(request)).await;
    created.map(|_| ())
}
