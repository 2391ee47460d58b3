//! Connects to a Temporal server, once or until it works, and finds out what listens at an address.

use std::{net::IpAddr, pin::pin, process, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use temporalio_client::{
    Client, Connection, GrpcCompression, RetryOptions,
    grpc::WorkflowService,
    request_extensions::RetryConfigForCall,
    tonic::{Code, IntoRequest, Request},
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, GetSystemInfoRequest, RegisterNamespaceRequest,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    args::ConnectArgs, connect_error::ConnectError, encryption::client_options, settings::Settings,
    text::reported,
};

/// The time limit for connecting. A person waits for it, so it ends within 5 seconds.
const LIMIT: Duration = Duration::from_millis(4500);
/// Shorter than `LIMIT`, so that an address that drops packets is told apart from a slow server.
const TCP_LIMIT: Duration = Duration::from_secs(3);

/// How long a namespace that is registered here keeps the histories of workflows that have ended.
const RETENTION: Duration = Duration::from_hours(3 * 24);

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects within 5 seconds, and makes sure that the namespace exists.
///
/// The server shows `client_name`, with the process ID and the host, as the identity of this
/// process.
///
/// ```no_run
/// use temporal::{Settings, connect};
///
/// # async fn example() -> Result<(), temporal::ConnectError> {
/// let settings = Settings::plain("localhost:7233", "default")?;
/// let client = connect(&settings, "my-program").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns the [`ConnectError`] that says what was found at the address and what to do next.
pub fn connect<'a>(
    settings: &'a Settings,
    client_name: &'a str,
) -> BoxFuture<'a, Result<Client, ConnectError>> {
    // An `async fn` is compiled by each crate that awaits it, with all of the SDK's code below it.
    // A boxed future is compiled here, once for every program.
    async move {
        match timeout(LIMIT, try_connect(settings, client_name)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::no_answer(&settings.target(), LIMIT)),
        }
    }
    .boxed()
}

/// The identity that the server shows of a program that runs on this machine as this process, unless a
/// setting says otherwise.
pub fn identity(client_name: &str, pid: u32) -> String {
    let host = gethostname::gethostname();
    format!("{client_name} {pid}@{}", host.to_string_lossy())
}

impl ConnectArgs {
    /// Connects as these flags say. See [`connect`].
    ///
    /// # Errors
    /// Returns any variant of [`ConnectError`].
    pub async fn connect(&self, client_name: &str) -> Result<Client, ConnectError> {
        connect(&self.settings()?, client_name).await
    }
}

async fn try_connect(settings: &Settings, client_name: &str) -> Result<Client, ConnectError> {
    // A bare TCP connection comes first because its errors are clear. The SDK's are not if a name
    // has several addresses or the address does not answer.
    let connecting = TcpStream::connect((settings.host(), settings.port()));
    let peer = match timeout(TCP_LIMIT, connecting).await {
        Ok(Ok(stream)) => stream.peer_addr(),
        Ok(Err(error)) => {
            return Err(ConnectError::no_server(
                &settings.target(),
                &error.to_string(),
            ));
        }
        Err(_) => {
            return Err(ConnectError::no_server(
                &settings.target(),
                "it does not answer",
            ));
        }
    };

    let mut options = settings.options.clone();
    if let Ok(peer) = peer {
        options.grpc_compression = compression(peer.ip());
    }
    options.connect_timeout.get_or_insert(TCP_LIMIT);
    if options.identity.is_empty() {
        options.identity = identity(client_name, process::id());
    }
    let connection = Connection::connect(options)
        .await
        .map_err(|error| ConnectError::from_connect(&settings.target(), error))?;
    let client = Client::new(
        connection,
        client_options(&settings.namespace, &settings.encryption),
    )
    .map_err(|error| ConnectError::from_connect(&settings.target(), error.into()))?;
    find_namespace(settings, &client).await?;
    Ok(client)
}

/// Loopback crosses no network, so compressing would only cost CPU time.
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
    let found = WorkflowService::describe_namespace(&mut client.clone(), once(request)).await;
    match found {
        Ok(_) => Ok(()),
        Err(status)
            if settings.create_namespace
                && status.code() == Code::NotFound
                && register_namespace(settings, client).await =>
        {
            Ok(())
        }
        Err(status) => Err(ConnectError::from_status(&settings.target(), &status)),
    }
}

/// Registers the namespace. Returns whether there is one now; whoever may not register it learns what to do
/// from the error that it is missing.
async fn register_namespace(settings: &Settings, client: &Client) -> bool {
    let request = RegisterNamespaceRequest {
        namespace: settings.namespace.clone(),
        workflow_execution_retention_period: RETENTION.try_into().ok(),
        ..Default::default()
    };
    let registered = WorkflowService::register_namespace(&mut client.clone(), once(request)).await;
    match registered {
        Ok(_) => {
            info!("the namespace {:?} was registered", settings.namespace);
            true
        }
        // Another program has registered it in the meantime.
        Err(status) => status.code() == Code::AlreadyExists,
    }
}

/// Checks that the server answers on this connection within `limit`. A request that is lost is sent once
/// more: servers close connections that have become old, and the client makes a new one.
///
/// # Errors
/// Returns the connection's own message, or says that there was no answer in time.
pub async fn answers(client: &Client, limit: Duration) -> Result<(), String> {
    let ask = async || {
        let request = once(GetSystemInfoRequest::default());
        WorkflowService::get_system_info(&mut client.clone(), request).await
    };
    let asking = async {
        match ask().await {
            Ok(answer) => Ok(answer),
            Err(_) => ask().await,
        }
    };
    match timeout(limit, asking).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(reported(status.message())),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

/// A request that the client does not retry. By default it retries for some 10 seconds.
pub(crate) fn once<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request
        .extensions_mut()
        .insert(RetryConfigForCall(RetryOptions::no_retries()));
    request
}

/// Keeps trying to connect until it succeeds, or until `stop` resolves, which gives `None`.
///
/// Each failure is logged as a warning, unless it is the same as the one before.
///
/// # Errors
/// Returns [`ConnectError::Settings`] if the SDK rejects the settings. Any other error may pass, so
/// connecting is tried again.
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
                    warn!("{trouble}. Retrying until it works");
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
    /// Nothing.
    Nothing,
}

/// Finds out within 5 seconds what listens at the address in `settings`.
///
/// A Temporal server counts as one even if it lacks the namespace or refuses access.
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
