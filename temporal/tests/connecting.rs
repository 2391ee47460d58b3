//! Connecting to a Temporal server, to nothing, and to what is no Temporal server.

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use clap::{CommandFactory, Parser};
use common::{LONG, NOWHERE, cli, error_at, error_with, listener, plain, server};
use servers::{DevServer, ReservedPort};
use temporal::{
    ConnectArgs, ConnectError, Listener, Settings, answers, connect, connect_patiently,
    what_listens,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tracing::{
    field::{Field, Visit},
    span,
};

/// Answers whatever comes as an HTTP/1.1 server does that cannot make sense of it.
async fn http_server() -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nwhat";
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// Accepts every connection and says nothing.
async fn silent_server() -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn where_nothing_listens_it_says_how_to_start_a_server() {
    let error = error_at(NOWHERE).await;
    assert!(matches!(error, ConnectError::NoServer { .. }), "{error:?}");
    let (_, port) = NOWHERE.split_once(':').unwrap();
    let text = error.to_string();
    assert!(text.contains(NOWHERE), "{text}");
    assert!(
        text.contains(&format!("`cargo run -p demo -- server --port {port}`")),
        "{text}"
    );
    assert_eq!(what_listens(&plain(NOWHERE)).await, Listener::Nothing);
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() {
    let error = error_at("no-such-host.invalid:7233").await;
    assert!(matches!(error, ConnectError::NoServer { .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-host.invalid:7233"));
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_told_in_time() {
    let address = silent_server().await;
    let error = error_at(&address).await;
    assert!(matches!(error, ConnectError::NoAnswer { .. }), "{error:?}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn an_http_server_is_no_temporal_server() {
    let address = http_server().await;
    let error = error_at(&address).await;
    assert!(
        matches!(error, ConnectError::NotTemporal { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&address), "{error}");
    let found = what_listens(&plain(&address)).await;
    assert!(matches!(found, Listener::SomethingElse(_)), "{found:?}");
}

#[tokio::test]
async fn a_web_ui_is_no_temporal_server() {
    let server = DevServer::builder(cli().await).ui().start().await.unwrap();
    let address = server.ui_address().unwrap();
    let error = error_at(address.strip_prefix("http://").unwrap()).await;
    assert!(
        matches!(error, ConnectError::NotTemporal { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_is_connected_to_and_an_unknown_namespace_named() {
    let server = server().await;
    let args = ConnectArgs {
        address: Some(server.address()),
        namespace: Some("default".to_owned()),
        ..ConnectArgs::default()
    };
    let client = args.connect("a test").await.unwrap();
    assert!(client.connection().identity().starts_with("a test "));
    let settings = plain(&server.address());
    assert_eq!(what_listens(&settings).await, Listener::TemporalServer);

    let settings = Settings::plain(&server.address(), "no-such-one").unwrap();
    let error = error_with(&settings).await;
    assert!(
        matches!(error, ConnectError::NamespaceNotFound { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("\"no-such-one\""), "{error}");
    assert_eq!(what_listens(&settings).await, Listener::TemporalServer);
}

/// Passes everything on, and closes a connection instead of passing on what comes after `close` was set.
async fn closing(server: String, close: Arc<AtomicBool>) -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let close = close.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let requests = async {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                        if close.swap(false, Ordering::SeqCst) {
                            break;
                        }
                        to_server.write_all(&buffer[..read]).await.unwrap();
                    }
                };
                tokio::select! {
                    () = requests => {}
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_closes_a_connection_is_not_away() {
    let server = server().await;
    let close = Arc::new(AtomicBool::default());
    let address = closing(server.address(), close.clone()).await;
    let client = connect(&plain(&address), "test").await.unwrap();
    close.store(true, Ordering::SeqCst);
    assert_eq!(answers(&client, LONG).await, Ok(()));
    assert!(!close.load(Ordering::SeqCst), "no connection was closed");
}

#[tokio::test]
async fn a_patient_one_says_what_is_wrong_and_connects_when_the_server_is_there() {
    let warned = Warnings::default();
    let _guard = tracing::subscriber::set_default(warned.clone());
    let port = ReservedPort::new().unwrap();
    let settings = plain(&format!("127.0.0.1:{}", port.number()));
    let patient = connect_patiently(&settings, "test", std::future::pending());
    let start_server = async {
        warned.first.notified().await;
        let builder = DevServer::builder(cli().await).port(port.number());
        builder.start().await.unwrap()
    };
    let both = async { tokio::join!(patient, start_server) };
    let (client, _server) = timeout(LONG, both).await.unwrap();
    assert!(client.unwrap().is_some());
}

#[tokio::test]
async fn a_patient_one_does_not_repeat_itself() {
    /// Each attempt makes two connections or three.
    const CONNECTIONS_OF_SOME_ATTEMPTS: usize = 10;
    let warned = Warnings::default();
    let _guard = tracing::subscriber::set_default(warned.clone());
    let (listener, address) = listener().await;
    let settings = plain(&address);
    let closes_each = async {
        for _ in 0..CONNECTIONS_OF_SOME_ATTEMPTS {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    let ended = timeout(LONG, connect_patiently(&settings, "test", closes_each)).await;
    assert!(ended.unwrap().unwrap().is_none());
    // The operating system reports a connection that is closed at once in one way or another, so
    // the trouble may change a little.
    let mut lines = warned.lines.lock().unwrap().clone();
    lines.dedup();
    assert_eq!(lines, *warned.lines.lock().unwrap());
}

#[tokio::test]
async fn a_patient_one_stops_when_asked() {
    let settings = plain(NOWHERE);
    let warned = Warnings::default();
    let _guard = tracing::subscriber::set_default(warned.clone());
    let stop = warned.first.notified();
    let ended = timeout(LONG, connect_patiently(&settings, "test", stop)).await;
    assert!(ended.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn a_patient_one_does_not_wait_for_wrong_settings_to_right_themselves() {
    let args = ConnectArgs {
        address: Some("localhost".to_owned()),
        ..ConnectArgs::default()
    };
    let patient = args.connect_renewably("test", None, std::future::pending());
    let ended = timeout(LONG, patient).await.unwrap();
    assert!(matches!(ended, Err(ConnectError::Settings(_))));
}

#[tokio::test]
async fn two_clients_of_one_process_are_independent() {
    let server = server().await;
    let settings = plain(&server.address());
    let first = connect(&settings, "first").await.unwrap();
    let second = connect(&settings, "second").await.unwrap();
    assert_ne!(
        first.connection().identity(),
        second.connection().identity()
    );
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    connect: ConnectArgs,
}

#[test]
fn the_flags_make_sense_to_clap() {
    Command::command().debug_assert();
    let parsed = Command::try_parse_from(["x", "--tls", "--api-key", "hush"]).unwrap();
    assert_eq!(parsed.connect.tls, Some(true));
    let parsed = Command::try_parse_from(["x", "--tls=false"]).unwrap();
    assert_eq!(parsed.connect.tls, Some(false));
    assert!(Command::try_parse_from(["x", "--tls=perhaps"]).is_err());
}

/// Collects the warnings of one thread.
#[derive(Clone, Default)]
struct Warnings {
    lines: Arc<Mutex<Vec<String>>>,
    first: Arc<Notify>,
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("temporal::")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.lines.lock().unwrap().push(message.0);
        self.first.notify_one();
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
