//! Connecting, at once or patiently, and what listens at an address.

use std::net::IpAddr;
use std::pin::pin;
use std::process;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::tonic::{IntoRequest, Request};
use temporalio_client::{Client, Connection, GrpcCompression, RetryOptions};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, GetSystemInfoRequest,
};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::connect_error::ConnectError;
use crate::encryption::client_options;
use crate::settings::Settings;

/// The whole of connecting takes no longer than this: a person waits for it, and is told within
/// 5 seconds.
const LIMIT: Duration = Duration::from_millis(4500);
/// An address that swallows packets is told from a server that is slow to answer.
const TCP_LIMIT: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects, within 5 seconds, and makes sure that the namespace is there.
///
/// `client_name` is what the server shows for this process, with its process ID and host.
///
/// # Errors
/// Each variant of [`ConnectError`] but [`ConnectError::Settings`], which comes with making
/// `settings`.
pub fn connect<'a>(
    settings: &'a Settings,
    client_name: &'a str,
) -> BoxFuture<'a, Result<Client, ConnectError>> {
    // An `async fn` is compiled by each crate that awaits it, with all of the SDK's code below it.
    // A boxed future is compiled here, once for every program.
    async move {
        match timeout(LIMIT, try_connect(settings, client_name)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::no_answer(settings, LIMIT)),
        }
    }
    .boxed()
}

async fn try_connect(settings: &Settings, client_name: &str) -> Result<Client, ConnectError> {
    // A bare TCP connection first: what it fails with is plain, where the SDK's error for a name
    // that is balanced over several addresses, or for a silent one, is not.
    let connecting = TcpStream::connect((settings.host(), settings.port()));
    let peer = match timeout(TCP_LIMIT, connecting).await {
        Ok(Ok(stream)) => stream.peer_addr(),
        Ok(Err(error)) => return Err(ConnectError::no_server(settings, &error.to_string())),
        Err(_) => return Err(ConnectError::no_server(settings, "it does not answer")),
    };

    let mut options = settings.options.clone();
    if let Ok(peer) = peer {
        options.grpc_compression = compression(peer.ip());
    }
    options.connect_timeout.get_or_insert(TCP_LIMIT);
    if options.identity.is_empty() {
        let host = gethostname::gethostname();
        options.identity = format!("{client_name} {}@{}", process::id(), host.to_string_lossy());
    }
    let connection = Connection::connect(options)
        .await
        .map_err(|error| ConnectError::from_connect(settings, error))?;
    let client = Client::new(
        connection,
        client_options(&settings.namespace, &settings.encryption),
    )
    .map_err(|error| ConnectError::from_connect(settings, error.into()))?;
    find_namespace(settings, &client).await?;
    Ok(client)
}

/// On loopback nothing crosses a network, and both ends would compress and decompress each message.
fn compression(server: IpAddr) -> GrpcCompression {
    if server.is_loopback() {
        GrpcCompression::None
    } else {
        GrpcCompression::default()
    }
}

async fn find_namespace(settings: &Settings, client: &Client) -> Result<(), ConnectError> {
    let request = DescribeNamespaceRequest {
        namespace: settings.namespace.clone(),
        ..Default::default()
    };
    WorkflowService::describe_namespace(&mut client.clone(), once(request))
        .await
        .map_err(|status| ConnectError::from_status(settings, &status))?;
    Ok(())
}

/// Whether the server answers on this connection, within `limit`.
///
/// # Errors
/// What is wrong instead, in the connection's own words.
pub async fn answers(client: &Client, limit: Duration) -> Result<(), String> {
    let mut client = client.clone();
    let request = once(GetSystemInfoRequest::default());
    let asking = WorkflowService::get_system_info(&mut client, request);
    match timeout(limit, asking).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(status.message().to_owned()),
        Err(_) => Err(format!("nothing within {limit:?}")),
    }
}

/// A request that the client does not try again by itself, for some 10 seconds, when it fails.
pub(crate) fn once<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request
        .extensions_mut()
        .insert(RetryConfigForCall(RetryOptions::no_retries()));
    request
}

/// Keeps trying to connect until it succeeds, or until `stop` resolves, which gives `None`.
///
/// What is wrong is logged as a warning, once for each time it changes.
///
/// # Errors
/// [`ConnectError::Settings`] where the SDK finds fault with them only now; all else may pass.
pub async fn connect_patiently(
    settings: &Settings,
    client_name: &str,
    stop: impl Future<Output = ()>,
) -> Result<Option<Client>, ConnectError> {
    let mut stop = pin!(stop);
    let mut last_trouble = String::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = tokio::select! {
            biased;
            () = &mut stop => return Ok(None),
            attempt = connect(settings, client_name) => attempt,
        };
        match attempt {
            Ok(client) => {
                if !last_trouble.is_empty() {
                    info!("connected to the Temporal server at {}", settings.address());
                }
                return Ok(Some(client));
            }
            Err(error) if error.is_permanent() => return Err(error),
            Err(error) => {
                let trouble = error.to_string();
                if trouble != last_trouble {
                    warn!("{trouble}. Trying again until it works");
                    last_trouble = trouble;
                    pause = FIRST_PAUSE;
                }
            }
        }
        tokio::select! {
            () = &mut stop => return Ok(None),
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What listens at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A Temporal server.
    TemporalServer,
    /// Something else, described for the person who reads it.
    SomethingElse(String),
    /// Nothing does.
    Nothing,
}

/// What listens where `settings` point to, told within 5 seconds.
///
/// A Temporal server is one whether or not it has the namespace, or lets this process in.
pub async fn what_listens(settings: &Settings) -> Listener {
    match connect(settings, "probe").await {
        Ok(_)
        | Err(
            ConnectError::NamespaceNotFound { .. }
            | ConnectError::PermissionDenied { .. }
            | ConnectError::NotReady { .. },
        ) => Listener::TemporalServer,
        Err(ConnectError::NoServer { .. }) => Listener::Nothing,
        Err(error) => Listener::SomethingElse(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_compressed_where_they_cross_a_network() {
        for (server, compressed) in [
            ("127.0.0.1", false),
            ("::1", false),
            ("192.0.2.7", true),
            ("2001:db8::7", true),
        ] {
            let chosen = compression(server.parse().unwrap());
            assert_eq!(chosen == GrpcCompression::Gzip, compressed, "{server}");
        }
    }
}
