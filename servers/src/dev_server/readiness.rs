//! Whether a dev server can be used already.

use std::{error::Error, time::Duration};

use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, RetryOptions, Url,
    grpc::{OperatorService, WorkflowService},
    request_extensions::RetryConfigForCall,
    tonic::{IntoRequest, Request},
};
use temporalio_common::protos::temporal::api::{
    operatorservice::v1::ListSearchAttributesRequest, workflowservice::v1::DescribeNamespaceRequest,
};

/// How long one check may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Returns an error with the reason if the server at `address` does not have the namespace or one
/// of the search attributes, which are pairs of name and type.
pub(super) async fn check(
    address: &str,
    namespace: &str,
    search_attributes: &[(String, String)],
) -> Result<(), String> {
    let client = connect(address, namespace)
        .await
        .map_err(|error| error.to_string())?;
    let request = DescribeNamespaceRequest {
        namespace: namespace.to_owned(),
        ..Default::default()
    };
    WorkflowService::describe_namespace(&mut client.clone(), once(request))
        .await
        .map_err(|status| status.to_string())?;

    if search_attributes.is_empty() {
        return Ok(());
    }
    let request = ListSearchAttributesRequest {
        namespace: namespace.to_owned(),
    };
    let known = OperatorService::list_search_attributes(&mut client.clone(), once(request))
        .await
        .map_err(|status| status.to_string())?
        .into_inner()
        .custom_attributes;
    match search_attributes
        .iter()
        .find(|(name, _)| !known.contains_key(name))
    {
        Some((name, _)) => Err(format!("search attribute {name} is not registered yet")),
        None => Ok(()),
    }
}

async fn connect(address: &str, namespace: &str) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let target = Url::parse(&format!("http://{address}"))?;
    let options = ConnectionOptions::new(target)
        .identity("dev-server-check".to_owned())
        .connect_timeout(CONNECT_LIMIT)
        .build();
    let connection = Connection::connect(options).await?;
    let options = ClientOptions::new(namespace.to_owned()).build();
    Ok(Client::new(connection, options)?)
}

/// A request that the client does not repeat by itself when it fails: the whole check is repeated.
fn once<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request
        .extensions_mut()
        .insert(RetryConfigForCall(RetryOptions::no_retries()));
    request
}
