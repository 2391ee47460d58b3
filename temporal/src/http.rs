//! Serves an `axum` router over HTTP/1.1, with limits on what its clients may take.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, http::StatusCode};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};
use tokio_io_timeout::TimeoutStream;
use tower_http::timeout::TimeoutLayer;
use tracing::{debug, warn};

/// The pause after the operating system refused a new connection: as a rule the process has too
/// many files open, and some of them are closed soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the clients of a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest request body, in bytes. A longer one is answered with status 413.
    pub body: usize,
    /// How long each of these may take: the client sending a request's head (an idle connection
    /// counts as one that sends none), the server receiving the body and answering (after which it
    /// answers with status 408), and the client accepting the next part of the answer.
    pub time: Duration,
    /// The number of open connections. Further clients wait until one is closed.
    pub connections: usize,
}

/// Answers requests by `router` until the future is dropped. Connections that are open then are
/// served to their end.
///
/// The body limit holds for handlers that read the body by an extractor of `axum`.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let router =
        router
            .layer(DefaultBodyLimit::max(limits.body))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                limits.time,
            ));
    let service = TowerToHyperService::new(router);
    let places = Arc::new(Semaphore::new(limits.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!("could not accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.time));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.time)
            .serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection broke off: {error}");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::timeout,
    };

    use super::*;

    const LIMITS: Limits = Limits {
        body: 10,
        time: Duration::from_millis(300),
        connections: 2,
    };
    /// Long after `LIMITS.time`, even on a busy machine.
    const LONG: Duration = Duration::from_secs(20);
    const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

    async fn served(limits: Limits) -> SocketAddr {
        let router = Router::new()
            .route("/", get("hello"))
            .route("/", post(|body: String| async { body }))
            .route("/never", get(std::future::pending::<()>))
            .route("/long", get("x".repeat(64 * 1024 * 1024)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, limits));
        address
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the server closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        // A connection that is closed with something unread ends with an error.
        let _ = timeout(LONG, stream.read_to_end(&mut text)).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    async fn answer(address: SocketAddr, text: &str) -> String {
        rest(send(address, text).await).await
    }

    #[tokio::test]
    async fn a_request_is_answered() {
        let address = served(LIMITS).await;
        let text = answer(address, GET).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.ends_with("hello"), "{text}");
    }

    #[tokio::test]
    async fn a_long_body_is_refused() {
        let address = served(LIMITS).await;
        for (length, status) in [(10, "200"), (11, "413")] {
            let body = "x".repeat(length);
            let text = format!(
                "POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let text = answer(address, &text).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        }
    }

    #[tokio::test]
    async fn a_slow_client_is_cut_off() {
        let address = served(LIMITS).await;
        for (what, status) in [
            ("", ""),
            ("GET / HTTP/1.1\r\nHost:", ""),
            ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "HTTP/1.1 200"),
            (
                "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf",
                "HTTP/1.1 408",
            ),
            ("GET /never HTTP/1.1\r\nHost: test\r\n\r\n", "HTTP/1.1 408"),
        ] {
            let text = answer(address, what).await;
            assert!(text.starts_with(status), "{what:?}: {text}");
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_no_answer_loses_its_place() {
        let address = served(LIMITS).await;
        let long = "GET /long HTTP/1.1\r\nHost: test\r\n\r\n";
        let _held = [send(address, long).await, send(address, long).await];
        let text = answer(address, GET).await;
        assert!(text.ends_with("hello"), "{text}");
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_a_place() {
        let time = LONG;
        let address = served(Limits { time, ..LIMITS }).await;
        let held = [send(address, "GET").await, send(address, "GET").await];
        let mut waiting = send(address, GET).await;
        let answered = timeout(LIMITS.time, waiting.read_u8()).await;
        assert!(answered.is_err(), "{answered:?}");
        drop(held);
        let text = rest(waiting).await;
        assert!(text.ends_with("hello"), "{text}");
    }
}
