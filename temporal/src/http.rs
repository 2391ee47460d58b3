//! Serves an `axum` router over HTTP/1.1, with limits on what its clients may take.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    http::StatusCode,
};
use futures::{StreamExt, stream};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_io_timeout::TimeoutStream;
use tower_http::timeout::TimeoutLayer;
use tracing::{debug, warn};

/// The pause after the operating system refused a new connection: as a rule the process has too
/// many files open, and some of them are closed soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the log says so.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The most that is read of a connection before it is parsed, in bytes; so a request's head is no
/// longer than this.
const READ_BUFFER: usize = 64 * 1024;

/// What the clients of a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest request body, in bytes. A longer one is answered with status 413.
    pub body: usize,
    /// How long each of these may take: the client sending a request's head (an idle connection
    /// counts as one that sends none), the server receiving the body and beginning to answer (after
    /// which it answers with status 408), and the client accepting the next part of the answer. An answer
    /// that has begun may go on for as long as it likes.
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
    let mut warned: Option<Instant> = None;
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // It may go on for long, and would fill the log.
                if warned.is_none_or(|last| last.elapsed() > WARN_EVERY) {
                    warn!("cannot accept connections: {error}. Retrying until it works");
                    warned = Some(Instant::now());
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.time));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.time)
            .max_buf_size(READ_BUFFER)
            .serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection broke off: {error}");
            }
            drop(place);
        });
    }
}

/// Room for the bodies of all requests that a server works on at the same time. Without it, each
/// connection could make the server hold a body of the longest length that it accepts.
#[derive(Clone, Debug)]
pub struct BodyRoom {
    room: Arc<Semaphore>,
    longest: usize,
}

/// A request's body. It takes its room until it is dropped.
#[derive(Debug)]
pub struct HeldBody {
    /// The body.
    pub bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than any may be.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The longest body accepted, in bytes.
        limit: usize,
    },
    /// Other bodies take all the room.
    #[error("the server is busy with other requests; try again in a moment")]
    NoRoom,
    /// The connection broke before the whole body had arrived.
    #[error("the body did not arrive completely")]
    CutShort,
}

impl BodyRoom {
    /// Creates room for bodies of `total` bytes together, of which each may be `longest` bytes long.
    pub fn new(longest: usize, total: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(total)),
            longest,
        }
    }

    /// Receives a body. Only bytes that have arrived take room, so a client that announces a long body
    /// and sends nothing keeps nobody out.
    ///
    /// # Errors
    /// Returns an error if it is too long, if there is no room for it, or if it does not arrive.
    pub async fn receive(&self, body: Body) -> Result<HeldBody, BodyError> {
        let mut held = HeldBody {
            bytes: Vec::new(),
            room: None,
        };
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| BodyError::CutShort)?;
            if held.bytes.len() + part.len() > self.longest {
                return Err(BodyError::TooLong {
                    limit: self.longest,
                });
            }
            let needed = u32::try_from(part.len()).map_err(|_| BodyError::NoRoom)?;
            let room = Arc::clone(&self.room).try_acquire_many_owned(needed);
            let room = room.map_err(|_| BodyError::NoRoom)?;
            match &mut held.room {
                Some(all) => all.merge(room),
                none => *none = Some(room),
            }
            held.bytes.extend_from_slice(&part);
        }
        Ok(held)
    }
}

impl HeldBody {
    /// Returns an answer's body that takes this one's room until the client has taken the answer in.
    pub fn answered_by(self, answer: Vec<u8>) -> Body {
        let room = self.room;
        let answer = stream::iter([Bytes::from(answer)]);
        let end = stream::once(async move {
            drop(room);
            Bytes::new()
        });
        Body::from_stream(answer.chain(end).map(Ok::<_, Infallible>))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::mpsc,
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

    /// Parts that come for longer than one answer may take to begin.
    fn parts() -> Body {
        let parts = stream::iter(0..4).then(async |part| {
            sleep(LIMITS.time / 2).await;
            Ok::<_, Infallible>(part.to_string())
        });
        Body::from_stream(parts)
    }

    async fn served(limits: Limits) -> SocketAddr {
        let router = Router::new()
            .route("/", get("hello"))
            .route("/", post(|body: String| async { body }))
            .route("/parts", get(async || parts()))
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

    /// A body of which half has arrived, and its other end.
    fn half_a_body() -> (mpsc::UnboundedSender<&'static str>, Body) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        sender.send("half.").unwrap();
        let parts = stream::poll_fn(move |context| receiver.poll_recv(context));
        (sender, Body::from_stream(parts.map(Ok::<_, Infallible>)))
    }

    #[tokio::test]
    async fn unfinished_bodies_take_no_more_than_the_room_for_all() {
        let room = BodyRoom::new(10, 12);
        let whole = || Body::from("whole body");
        let (first_end, first) = half_a_body();
        let (second_end, second) = half_a_body();
        let mut first = Box::pin(room.receive(first));
        let mut second = Box::pin(room.receive(second));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        assert_eq!(room.receive(whole()).await.unwrap_err(), BodyError::NoRoom);

        // One that breaks off gives its room back, and one that is worked on does not.
        drop(second);
        drop(second_end);
        drop(first_end);
        let held = first.await.unwrap();
        assert_eq!(held.bytes, b"half.");
        assert_eq!(room.receive(whole()).await.unwrap_err(), BodyError::NoRoom);

        let mut answer = held.answered_by(b"answer".to_vec()).into_data_stream();
        assert_eq!(answer.next().await.unwrap().unwrap(), "answer");
        assert_eq!(room.receive(whole()).await.unwrap_err(), BodyError::NoRoom);
        while answer.next().await.is_some() {}
        assert_eq!(room.receive(whole()).await.unwrap().bytes, b"whole body");
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_told_apart_from_one_without_room() {
        let room = BodyRoom::new(10, 12);
        let body = Body::from("12345678901");
        let limit = 10;
        let error = room.receive(body).await.unwrap_err();
        assert_eq!(error, BodyError::TooLong { limit });
    }

    #[tokio::test]
    async fn a_long_head_is_refused() {
        let address = served(LIMITS).await;
        let long = "x".repeat(2 * READ_BUFFER);
        let text = format!("GET / HTTP/1.1\r\nHost: {long}\r\nConnection: close\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It is closed before all of it is sent.
        let _ = stream.write_all(text.as_bytes()).await;
        let text = rest(stream).await;
        assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
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
    async fn an_answer_that_has_begun_may_go_on_for_longer() {
        let address = served(LIMITS).await;
        let parts = "GET /parts HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        let text = answer(address, parts).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.ends_with("1\r\n3\r\n0\r\n\r\n"), "{text}");
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
