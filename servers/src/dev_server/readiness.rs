//! Whether a dev server can be used already.
//!
//! It takes two calls, so they are written out here. The SDK's client would make this crate, and
//! whoever uses it for another server, depend on all of the SDK.

use std::{collections::HashMap, time::Duration};

use prost::Message;
use tonic::{
    Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

/// How long one check may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

const DESCRIBE_NAMESPACE: &str =
    "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace";
const LIST_SEARCH_ATTRIBUTES: &str =
    "/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes";

/// The request of both calls, as far as they are needed.
#[derive(Clone, PartialEq, Message)]
struct OfNamespace {
    #[prost(string, tag = "1")]
    namespace: String,
}

/// What is of no interest here beyond having come.
#[derive(Clone, PartialEq, Message)]
struct Namespace {}

#[derive(Clone, PartialEq, Message)]
struct SearchAttributes {
    #[prost(map = "string, int32", tag = "1")]
    custom: HashMap<String, i32>,
}

/// Returns an error with the reason if the server at `address` does not have the namespace or one
/// of the search attributes, which are pairs of name and type.
pub(super) async fn check(
    address: &str,
    namespace: &str,
    search_attributes: &[(String, String)],
) -> Result<(), String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| error.to_string())?;
    let channel = endpoint.connect_timeout(CONNECT_LIMIT).connect().await;
    let channel = channel.map_err(|error| error.to_string())?;
    let call = OfNamespace {
        namespace: namespace.to_owned(),
    };
    let described = ask::<Namespace>(&channel, DESCRIBE_NAMESPACE, call.clone()).await;
    described.map_err(|status| status.to_string())?;
    if search_attributes.is_empty() {
        return Ok(());
    }
    let known = ask::<SearchAttributes>(&channel, LIST_SEARCH_ATTRIBUTES, call).await;
    let known = known.map_err(|status| status.to_string())?.custom;
    match search_attributes
        .iter()
        .find(|(name, _)| !known.contains_key(name))
    {
        Some((name, _)) => Err(format!("search attribute {name} is not registered yet")),
        None => Ok(()),
    }
}

async fn ask<T: Message + Default + 'static>(
    channel: &Channel,
    method: &'static str,
    call: OfNamespace,
) -> Result<T, Status> {
    let mut client = Grpc::new(channel.clone());
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<OfNamespace, T>::default();
    let path = PathAndQuery::from_static(method);
    let answer = client.unary(Request::new(call), path, codec).await?;
    Ok(answer.into_inner())
}
