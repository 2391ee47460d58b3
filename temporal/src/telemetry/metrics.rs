//! The SDK's metrics, served for Prometheus.
//!
//! The SDK's own server has no limits for its clients, and ends for good at the first connection that
//! it cannot accept. So it gets one client, over a connection that is made at the start and kept, and
//! listens no more. That client is a router with limits, which everybody else asks.

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use temporalio_common::telemetry::{
    PrometheusExporterOptions, TelemetryOptions,
    metrics::{CoreMeter, NoOpCoreMeter, TemporalMeter},
    start_prometheus_metric_exporter, telemetry_init,
};
use temporalio_sdk::{Runtime, error::RuntimeError, runtime::RuntimeOptions};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::polls::{PollMeter, Polls};
use crate::http::{self as server, Limits};

/// The media type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4";

const LIMITS: Limits = Limits {
    body: 0,
    time: Duration::from_secs(10),
    connections: 100,
};

/// Why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {reason}; choose another --metrics-address")]
pub struct MetricsError {
    address: SocketAddr,
    reason: String,
}

/// The metrics of a process: the SDK's and its own.
#[derive(Clone)]
pub struct Metrics {
    meter: Arc<dyn CoreMeter>,
    polls: Polls,
    address: Option<SocketAddr>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics that are not served. Only the polls under way are counted.
    pub fn unserved() -> Self {
        Self::over(Arc::new(NoOpCoreMeter), None)
    }

    /// Serves the metrics at `http://<address>/metrics` until the process ends. Port 0 means any
    /// free port.
    ///
    /// Names and units follow Prometheus: counters end with `_total`, durations are in seconds and
    /// end with `_seconds`.
    ///
    /// # Errors
    /// Returns an error if the address is in use or does not belong to this machine.
    pub async fn serve(address: SocketAddr) -> Result<Self, MetricsError> {
        let failed = |reason: &dyn fmt::Display| MetricsError {
            address,
            reason: format!("{reason:#}"),
        };
        let listener = TcpListener::bind(address).await.map_err(|e| failed(&e))?;
        let address = listener.local_addr().map_err(|e| failed(&e))?;
        let options = PrometheusExporterOptions::builder()
            .socket_addr((Ipv4Addr::LOCALHOST, 0).into())
            .counters_total_suffix(true)
            .unit_suffix(true)
            .use_seconds_for_durations(true)
            .build();
        let exporter = start_prometheus_metric_exporter(options).map_err(|e| failed(&e))?;
        let source = Source::connect(exporter.bound_addr)
            .await
            .map_err(|e| failed(&e))?;
        exporter.abort_handle.abort();
        let router = Router::new()
            .route("/metrics", get(metrics))
            .fallback(async || (StatusCode::NOT_FOUND, "the page is /metrics\n"))
            .with_state(source);
        tokio::spawn(server::serve(listener, router, LIMITS));
        Ok(Self::over(exporter.meter, Some(address)))
    }

    fn over(meter: Arc<dyn CoreMeter>, address: Option<SocketAddr>) -> Self {
        let polls = Polls::default();
        Self {
            meter: Arc::new(PollMeter::new(meter, polls.clone())),
            polls,
            address,
        }
    }

    /// Returns the address they are served at, or `None` if they are not served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the meter for the process's own metrics. It appends `_total` to counters.
    pub fn meter(&self) -> &dyn CoreMeter {
        self.meter.as_ref()
    }

    /// Returns the polls under way on connections that use [`Metrics::client_meter`].
    pub fn polls(&self) -> &Polls {
        &self.polls
    }

    /// Returns a meter for a connection's settings, which counts its requests.
    pub fn client_meter(&self) -> Option<TemporalMeter> {
        telemetry_init(self.telemetry())
            .ok()
            .and_then(|telemetry| telemetry.get_temporal_metric_meter())
    }

    /// Returns a runtime for workers, on the current Tokio runtime, that reports its metrics here.
    ///
    /// # Errors
    /// Returns an error outside a Tokio runtime.
    pub fn runtime(&self) -> Result<Runtime, RuntimeError> {
        let options = RuntimeOptions::builder().telemetry_options(self.telemetry());
        Runtime::from_current_tokio(
            options
                .build()
                .expect("the heartbeat interval is the default"),
        )
    }

    fn telemetry(&self) -> TelemetryOptions {
        TelemetryOptions::builder()
            .metrics(Arc::clone(&self.meter))
            // Prometheus adds the labels job and instance itself.
            .attach_service_name(false)
            .build()
    }
}

/// The one connection to the SDK's server. It takes one request at a time.
#[derive(Clone)]
struct Source(Arc<Mutex<SendRequest<Body>>>);

impl Source {
    async fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!("the SDK no longer tells its metrics: {error}");
            }
        });
        let source = Self(Arc::new(Mutex::new(sender)));
        // The first answer shows that the SDK has accepted the connection.
        source.read().await?;
        Ok(source)
    }

    async fn read(&self) -> Result<Bytes, hyper::Error> {
        let mut sender = self.0.lock().await;
        sender.ready().await?;
        let request = Request::get("/metrics").body(Body::empty());
        let answer = sender.send_request(request.expect("a valid path")).await?;
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}

async fn metrics(State(source): State<Source>) -> Response {
    // In a task of its own: a client that goes away in the middle must not break the connection.
    match tokio::spawn(async move { source.read().await }).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Ok(Err(error)) => failure(&error),
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn Error) -> Response {
    let text = format!("the metrics cannot be read: {error}\n");
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

#[cfg(test)]
mod tests {
    use temporalio_common::telemetry::metrics::MetricKeyValue;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn asked(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn what_is_counted_is_served_to_many_at_once() {
        let metrics = Metrics::serve("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let address = metrics.address().unwrap();
        let counter = metrics.meter().counter("tries".into());
        let labels = metrics
            .meter()
            .new_attributes([MetricKeyValue::new("kind", "x")].into());
        counter.add(2, &labels);
        // These go away without reading the answer.
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
            stream.write_all(request).await.unwrap();
        }
        let answers = (0..20).map(|_| asked(address, "/metrics"));
        for answer in futures::future::join_all(answers).await {
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(
                answer.contains("content-type: text/plain; version=0.0.4"),
                "{answer}"
            );
            assert!(answer.contains("tries_total{kind=\"x\"} 2\n"), "{answer}");
        }
        assert!(asked(address, "/").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Metrics::serve(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
