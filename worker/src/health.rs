//! Whether a worker does its work: alive while the process answers, ready while it polls.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use temporal::telemetry::Polls;
use temporalio_client::Client;
use tokio::{net::TcpListener, sync::watch};

/// How long the server may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Between a poll's end and the next one's beginning lies a moment; a worker is not unready for it.
const NEXT_POLL_LIMIT: Duration = Duration::from_secs(1);

/// How long somebody may take to ask.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// What is known of a worker. Cheap to clone; all clones know the same.
#[derive(Clone)]
pub struct Health(Arc<Known>);

struct Known {
    polls: Polls,
    client: watch::Sender<Option<Client>>,
    stopping: watch::Sender<bool>,
}

/// Why a worker is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It is not connected yet.
    NotConnected,
    /// It was asked to stop.
    Stopping,
    /// The server does not answer.
    NoAnswer(String),
    /// No poll is under way for these tasks.
    NoPoll(&'static str),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not ready: not connected to a Temporal server yet"),
            Self::Stopping => f.write_str("not ready: stopping, and taking no new tasks"),
            Self::NoAnswer(why) => {
                write!(f, "not ready: the Temporal server does not answer: {why}")
            }
            Self::NoPoll(tasks) => write!(
                f,
                "not ready: no poll for {tasks} tasks is under way; the worker is just starting, \
                 trying again, or all its slots are taken"
            ),
        }
    }
}

impl Health {
    /// Of a worker that is not connected, and whose polls will be these.
    pub fn new(polls: Polls) -> Self {
        Self(Arc::new(Known {
            polls,
            client: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
        }))
    }

    /// The worker is connected, by this client from now on.
    pub fn connected(&self, client: Client) {
        self.0.client.send_replace(Some(client));
    }

    /// The worker was asked to stop.
    pub fn stopping(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Whether the worker polls now: the server answers, and holds a poll for tasks of each kind.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let Some(client) = self.0.client.borrow().clone() else {
            return Err(NotReady::NotConnected);
        };
        self.not_stopping()?;
        temporal::answers(&client, ANSWER_LIMIT)
            .await
            .map_err(NotReady::NoAnswer)?;
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

    /// Serves `/ready` and `/live` until the process ends. Returns the address, which matters where
    /// the port is 0.
    ///
    /// # Errors
    /// The address is in use, or is none of this machine's.
    pub async fn serve(&self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot serve health at {address}; choose another --health-address")
        })?;
        let bound = listener.local_addr()?;
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of file descriptors, as a rule: some are given back soon.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let health = health.clone();
                let answer = service_fn(move |request| {
                    let health = health.clone();
                    async move { health.answer(request).await }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(QUESTION_LIMIT)
                    .serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a question about health was broken off");
                    }
                });
            }
        });
        Ok(bound)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
        let (status, text) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/ready") => match self.ready().await {
                Ok(()) => (StatusCode::OK, "ready: polling for orders".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
            },
            (&Method::GET | &Method::HEAD, "/live") => (StatusCode::OK, "alive".to_owned()),
            (&Method::GET | &Method::HEAD, _) => {
                let pages = "there are two pages here, /ready and /live";
                (StatusCode::NOT_FOUND, pages.to_owned())
            }
            _ => (
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD".to_owned(),
            ),
        };
        Response::builder()
            .status(status)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::from(format!("{text}\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_is_not_connected_is_not_ready() {
        let health = Health::new(Polls::default());
        assert_eq!(health.ready().await, Err(NotReady::NotConnected));
    }
}
