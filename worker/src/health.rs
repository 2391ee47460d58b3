//! Tells over HTTP whether a worker is alive (its process answers) and ready (it polls for tasks).

use std::{fmt, fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use temporal::{
    http::{self, Limits},
    telemetry::Polls,
};
use temporalio_client::Client;
use tokio::{net::TcpListener, sync::watch};

/// How long the Temporal server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A worker stays ready in the moment between the end of one poll and the start of the next.
const NEXT_POLL_LIMIT: Duration = Duration::from_secs(1);

const LIMITS: Limits = Limits {
    body: 0,
    // Longer than the two limits above together.
    time: Duration::from_secs(5),
    connections: 100,
};

/// The state of a worker. Cheap to clone; all clones share the same state.
#[derive(Clone)]
pub struct Health(Arc<Shared>);

struct Shared {
    polls: Polls,
    client: watch::Sender<Option<Client>>,
    stopping: watch::Sender<bool>,
}

/// Why a worker is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The worker is not connected yet.
    NotConnected,
    /// The worker was asked to stop.
    Stopping,
    /// The Temporal server does not answer; the text says why.
    NoAnswer(String),
    /// The operating system gives this process no more files or connections; the text says why.
    NoDescriptor(String),
    /// No poll is under way for tasks of this kind.
    NoPoll(&'static str),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not ready: not connected to a Temporal server yet"),
            Self::Stopping => f.write_str("not ready: stopping, and accepting no new tasks"),
            Self::NoAnswer(why) => {
                write!(f, "not ready: the Temporal server does not answer: {why}")
            }
            Self::NoDescriptor(why) => write!(
                f,
                "not ready: the process cannot open files or connections: {why}; allow it more open \
                 files (ulimit -n), or give it fewer slots (--max-activities)"
            ),
            Self::NoPoll(tasks) => write!(
                f,
                "not ready: no poll for {tasks} tasks is under way; the worker is just starting, \
                 is reconnecting, or has no free slots"
            ),
        }
    }
}

impl Health {
    /// The state of a worker that is not connected yet and whose polls are counted in `polls`.
    pub fn new(polls: Polls) -> Self {
        Self(Arc::new(Shared {
            polls,
            client: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Notes that the worker is connected, with this client from now on.
    pub fn connected(&self, client: Client) {
        self.0.client.send_replace(Some(client));
    }

    /// The client that the worker is connected with.
    pub fn client(&self) -> Option<Client> {
        self.0.client.borrow().clone()
    }

    /// Notes that the worker was asked to stop.
    pub fn stopping(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Checks that the server answers, that polls for workflow and activity tasks are under way, and
    /// that activities could open their files. Takes up to 3 seconds.
    ///
    /// # Errors
    /// Returns the reason if the worker is not ready.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let Some(client) = self.client() else {
            return Err(NotReady::NotConnected);
        };
        self.not_stopping()?;
        temporal::answers(&client, ANSWER_LIMIT)
            .await
            .map_err(NotReady::NoAnswer)?;
        can_open(Path::new("/dev/null"))?;
        let under_way = self.0.polls.both_within(NEXT_POLL_LIMIT).await;
        self.not_stopping()?;
        if under_way.workflow_tasks == 0 {
            return Err(NotReady::NoPoll("workflow"));
        }
        if under_way.activity_tasks == 0 {
            return Err(NotReady::NoPoll("activity"));
        }
        Ok(())
    }

    fn not_stopping(&self) -> Result<(), NotReady> {
        if *self.0.stopping.borrow() {
            return Err(NotReady::Stopping);
        }
        Ok(())
    }

    /// Serves `/ready` and `/live` until the process ends. Returns the address it listens at, which
    /// tells the port if `address` has port 0, for any free one.
    ///
    /// # Errors
    /// Returns an error if the address is in use or does not belong to this machine.
    pub async fn serve(&self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot serve health at {address}; choose another --health-address")
        })?;
        let bound = listener.local_addr()?;
        tokio::spawn(http::serve(listener, self.router(), LIMITS));
        Ok(bound)
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/ready", get(ready))
            .route("/live", get("alive\n"))
            .method_not_allowed_fallback(async || {
                (StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n")
            })
            .fallback(async || (StatusCode::NOT_FOUND, "the pages are /ready and /live\n"))
            .with_state(self.clone())
    }
}

/// Polls go on over connections that are open, while activities wait for a file descriptor.
fn can_open(file: &Path) -> Result<(), NotReady> {
    match File::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(NotReady::NoDescriptor(error.to_string())),
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.ready().await {
        Ok(()) => (StatusCode::OK, "ready: polling for orders\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    async fn a_worker_that_is_not_connected_is_not_ready() {
        let health = Health::new(Polls::default());
        assert_eq!(health.ready().await, Err(NotReady::NotConnected));
    }

    #[test]
    fn what_cannot_be_opened_makes_a_worker_not_ready() {
        assert_eq!(can_open(Path::new("/dev/null")), Ok(()));
        let reason = can_open(Path::new("/nowhere/file")).unwrap_err();
        assert!(reason.to_string().contains("cannot open files"), "{reason}");
    }

    #[tokio::test]
    async fn there_are_two_pages_to_get() {
        let health = Health::new(Polls::default());
        let address = health.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        for (request, status) in [
            ("GET /live", "200"),
            ("HEAD /live", "200"),
            ("GET /ready", "503"),
            ("POST /ready", "405"),
            ("GET /", "404"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&expected), "{request}: {answer}");
            assert!(
                answer.contains("content-type: text/plain; charset=utf-8"),
                "{answer}"
            );
        }
    }
}
