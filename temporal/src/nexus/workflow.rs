//! An operation that is backed by a workflow, and may take years.

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use temporalio_client::{Client, NamespacedClient, grpc::WorkflowService};
use temporalio_common::{
    WorkflowDefinition,
    protos::temporal::api::{
        common::v1::{Callback, Payloads, WorkflowExecution, WorkflowType, callback},
        enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
        nexus::v1::{Link, workflow_event_link_from_nexus},
        workflow::v1::OnConflictOptions,
        workflowservice::v1::{
            RequestCancelWorkflowExecutionRequest, StartWorkflowExecutionRequest,
        },
    },
};
use tonic::{Code, IntoRequest};

use super::{Call, Operation, OperationError, Started};

/// By which header the server learns the operation's token if the workflow ends before the handler has
/// answered.
const TOKEN_HEADER: &str = "nexus-operation-token";

/// The type of a link that leads to an event of a workflow.
const EVENT_LINK: &str = "temporal.api.common.v1.Link.WorkflowEvent";

/// What a part of a link may not contain as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

type NameFor<I> = dyn Fn(&I) -> Result<String, OperationError> + Send + Sync;

/// An operation that starts a workflow. [`Service::workflow`](super::Service::workflow) makes one.
pub struct WorkflowOperation<W: WorkflowDefinition> {
    workflow: W,
    workflow_id: Box<NameFor<W::Input>>,
}

impl<W: WorkflowDefinition> WorkflowOperation<W> {
    /// An operation that starts `workflow` under the ID that `workflow_id` gives to its input.
    pub fn new(
        workflow: W,
        workflow_id: impl Fn(&W::Input) -> Result<String, OperationError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            workflow,
            workflow_id: Box::new(workflow_id),
        }
    }
}

#[async_trait]
impl<W> Operation for WorkflowOperation<W>
where
    W: WorkflowDefinition + Send + Sync + 'static,
    W::Input: Send + Sync,
{
    async fn start(&self, call: &Call<'_>) -> Result<Started, OperationError> {
        let workflow_id = (self.workflow_id)(&call.input().await?)?;
        let token = Token::new(call.client.namespace(), &workflow_id).encoded();
        let request = start_request(call, self.workflow.name(), &workflow_id, &token);
        let mut client = call.client.clone();
        let starting = client.start_workflow_execution(request.into_request());
        let started = starting.await.map_err(|status| match status.code() {
            // The workflow is made of what the caller sent, so the server says that the caller is wrong.
            Code::InvalidArgument | Code::AlreadyExists => {
                OperationError::BadRequest(status.message().to_owned())
            }
            _ => OperationError::Unavailable(status.message().to_owned()),
        })?;
        let run_id = started.into_inner().run_id;
        Ok(Started::GoesOn {
            token,
            links: vec![link_to(&call.client.namespace(), &workflow_id, &run_id)],
        })
    }

    async fn cancel(&self, client: &Client, token: &str) -> Result<(), OperationError> {
        let token = Token::decoded(token, &client.namespace())?;
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: token.namespace,
            workflow_execution: Some(WorkflowExecution {
                workflow_id: token.workflow_id,
                run_id: String::new(),
            }),
            identity: client.identity(),
            reason: "the Nexus operation was cancelled".to_owned(),
            ..Default::default()
        };
        let mut client = client.clone();
        let cancelling = client.request_cancel_workflow_execution(request.into_request());
        match cancelling.await {
            Ok(_) => Ok(()),
            // It has ended.
            Err(status) if status.code() == Code::NotFound => Ok(()),
            Err(status) => Err(OperationError::Unavailable(status.message().to_owned())),
        }
    }
}

/// The raw request, because the SDK's own has no request ID: with it, the server starts one workflow however
/// often it is called.
fn start_request(
    call: &Call<'_>,
    workflow_type: &str,
    workflow_id: &str,
    token: &str,
) -> StartWorkflowExecutionRequest {
    let request = &call.request;
    let links = request.links.iter().map(workflow_event_link_from_nexus);
    // A link of another kind leads nowhere that the Web UI knows.
    let links: Vec<_> = links.filter_map(Result::ok).collect();
    let mut header = request.callback_header.clone();
    header.insert(TOKEN_HEADER.to_owned(), token.to_owned());
    let callback = Callback {
        variant: Some(callback::Variant::Nexus(callback::Nexus {
            url: request.callback.clone(),
            header,
        })),
        links: links.clone(),
    };
    StartWorkflowExecutionRequest {
        namespace: call.client.namespace(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: workflow_type.to_owned(),
        }),
        task_queue: Some(call.task_queue.to_owned().into()),
        // As it came: it is encrypted already, if it is.
        input: Some(Payloads {
            payloads: request.payload.iter().cloned().collect(),
        }),
        identity: call.client.identity(),
        request_id: request.request_id.clone(),
        workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
        workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
        on_conflict_options: Some(OnConflictOptions {
            attach_request_id: true,
            attach_completion_callbacks: true,
            attach_links: true,
        }),
        completion_callbacks: vec![callback],
        links,
        ..Default::default()
    }
}

/// What an operation's token says, in the form of Temporal's other SDKs.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    /// What kind of operation it is.
    #[serde(rename = "t")]
    kind: u8,
    #[serde(rename = "ns")]
    namespace: String,
    #[serde(rename = "wid")]
    workflow_id: String,
}

impl Token {
    /// The kind of an operation that is backed by a workflow.
    const WORKFLOW: u8 = 1;

    fn new(namespace: String, workflow_id: &str) -> Self {
        Self {
            kind: Self::WORKFLOW,
            namespace,
            workflow_id: workflow_id.to_owned(),
        }
    }

    fn encoded(&self) -> String {
        // A number and two texts always have a form in JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads a token, which comes from outside: it must name a workflow of this namespace.
    fn decoded(token: &str, namespace: &str) -> Result<Self, OperationError> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        let token: Option<Self> = json.and_then(|json| serde_json::from_slice(&json).ok());
        token
            .filter(|token| token.kind == Self::WORKFLOW && token.namespace == namespace)
            .ok_or_else(|| {
                OperationError::BadRequest(
                    "the token is of no operation of this service".to_owned(),
                )
            })
    }
}

/// Where the Web UI leads from the caller's event: the beginning of the workflow.
fn link_to(namespace: &str, workflow_id: &str, run_id: &str) -> Link {
    let part = |text| utf8_percent_encode(text, ESCAPED);
    Link {
        url: format!(
            "temporal:///namespaces/{}/workflows/{}/{}/history?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference",
            part(namespace),
            part(workflow_id),
            part(run_id),
        ),
        r#type: EVENT_LINK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_the_workflow_as_other_sdks_do() {
        let token = Token::new("shipping".to_owned(), "order-1/run/ship");
        // What Temporal's Go SDK makes of the same three.
        let gos = r#"{"t":1,"ns":"shipping","wid":"order-1/run/ship"}"#;
        assert_eq!(token.encoded(), BASE64_URL_SAFE_NO_PAD.encode(gos));
        assert_eq!(Token::decoded(&token.encoded(), "shipping"), Ok(token));
    }

    #[test]
    fn a_token_that_is_none_of_this_services_is_refused() {
        let others = Token::new("billing".to_owned(), "order-1").encoded();
        let kind = BASE64_URL_SAFE_NO_PAD.encode(r#"{"t":2,"ns":"shipping","wid":"order-1"}"#);
        for bad in ["", "nonsense", "e30", &others, &kind] {
            let refused = Token::decoded(bad, "shipping").unwrap_err();
            assert!(matches!(refused, OperationError::BadRequest(_)), "{bad}");
        }
    }

    #[test]
    fn a_link_is_read_as_the_server_reads_it() {
        let link = workflow_event_link_from_nexus(&link_to("shipping", "order-1", "run"));
        let link = format!("{:?}", link.unwrap());
        for part in ["shipping", "order-1", "run", "WorkflowExecutionStarted"] {
            assert!(link.contains(part), "{link}");
        }
        assert!(!link_to("a", "b/c", "d").url.contains("b/c"));
    }
}
