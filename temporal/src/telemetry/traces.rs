//! OpenTelemetry traces, turned on by the standard `OTEL_*` variables.
//!
//! Each order is one trace: the starter's request, the workflow, and each attempt at an activity. The
//! SDK's plugin makes the spans and passes the trace on; spans of replayed workflow code are not sent
//! again. Spans are sent in the background, over HTTP as protobuf (OTLP), so orders do not wait for
//! them.

use std::{
    env, fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{self, SdkTracerProvider, SpanData},
};
use temporalio_sdk::{
    SimplePlugin,
    opentelemetry::{INSTRUMENTATION_SCOPE, OpenTelemetryPlugin, WorkflowIdGenerator},
};
use tokio::runtime::Handle;

use crate::{connect_error::innermost, text::excerpt};

/// How long a process that ends waits for its last spans to be sent.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Why traces cannot be sent as the variables ask.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The collector's address is not a URL.
    // The value may hold a password.
    #[error("{variable} is not an http:// or https:// address, such as http://localhost:4318")]
    Endpoint {
        /// The variable's name.
        variable: &'static str,
    },
    /// A variable asks for a protocol or an exporter that is not supported.
    #[error(
        "{variable}: {:?} is not supported, only {supported:?} is",
        excerpt(value)
    )]
    Unsupported {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The only value supported.
        supported: &'static str,
    },
    /// The exporter could not be created.
    #[error("cannot send traces: {0}")]
    Exporter(String),
}

/// One for the process. Connections made after it is set are traced.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Traces the requests of a client and the work of its workers, in a process that has [`Traces`].
pub(crate) fn plugin() -> Option<SimplePlugin> {
    let tracer = PROVIDER.get()?.tracer(INSTRUMENTATION_SCOPE);
    Some(OpenTelemetryPlugin::builder().tracer(tracer).build())
}

/// The traces of a process, on all connections made from then on.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts tracing as the environment says. Returns `None` if traces are off: neither
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` nor `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set,
    /// `OTEL_SDK_DISABLED` is `true`, or `OTEL_TRACES_EXPORTER` is `none`.
    ///
    /// The service is called `service` unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES`
    /// names it. The standard variables for sampler, batches, headers and timeouts apply too.
    ///
    /// # Errors
    /// Returns an error if a variable has an invalid or unsupported value.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime.
    pub fn from_env(service: &'static str) -> Result<Option<Self>, TracesError> {
        let get = |name: &str| env::var(name).ok();
        let Some(endpoint) = endpoint(get)? else {
            return Ok(None);
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender::to(endpoint)?)
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let mut resource = Resource::builder();
        if !names_service(get) {
            resource = resource.with_service_name(service);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(WithoutLooks(exporter))
            .with_id_generator(WorkflowIdGenerator::default())
            .with_resource(resource.build())
            .build();
        let provider = PROVIDER.get_or_init(|| provider).clone();
        Ok(Some(Self { provider }))
    }

    /// Sends the last spans. Waits at most 3 seconds for a collector that does not answer.
    pub async fn end(self) {
        // It blocks, and it waits for work on this runtime.
        let ended =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_SPANS));
        if let Ok(Err(error)) = ended.await {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

fn names_service(get: impl Fn(&str) -> Option<String>) -> bool {
    let is_set = |name| get(name).is_some_and(|value| !value.is_empty());
    let attributes = get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let named = |attribute: &str| attribute.trim_start().starts_with("service.name=");
    is_set("OTEL_SERVICE_NAME") || attributes.split(',').any(named)
}

/// Where the spans are sent, or `None` if traces are off.
fn endpoint(get: impl Fn(&str) -> Option<String>) -> Result<Option<String>, TracesError> {
    let get = |name: &'static str| get(name).filter(|value| !value.is_empty());
    let says = |name, value: &str| get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let found = [
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]
    .into_iter()
    .find_map(|name| Some((name, get(name)?)));
    let Some((variable, value)) = found else {
        return Ok(None);
    };
    // The exporter would replace an address that it cannot parse with its default.
    let url = reqwest::Url::parse(&value).ok();
    if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err(TracesError::Endpoint { variable });
    }
    for (names, supported) in [
        (
            &[
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                "OTEL_EXPORTER_OTLP_PROTOCOL",
            ][..],
            "http/protobuf",
        ),
        (&["OTEL_TRACES_EXPORTER"][..], "otlp"),
    ] {
        let asked = names.iter().find_map(|name| Some((*name, get(name)?)));
        if let Some((variable, value)) = asked.filter(|(_, value)| value != supported) {
            return Err(TracesError::Unsupported {
                variable,
                value,
                supported,
            });
        }
    }
    Ok(Some(value))
}

/// Drops the spans of describing and querying a workflow. Following a workflow does so many times a
/// second, and each time would be a trace of its own.
#[derive(Debug)]
struct WithoutLooks(SpanExporter);

impl trace::SpanExporter for WithoutLooks {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.retain(|span| !is_look(&span.name));
        if batch.is_empty() {
            return Ok(());
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn is_look(span: &str) -> bool {
    ["DescribeWorkflow", "QueryWorkflow:", "HandleQuery:"]
        .iter()
        .any(|look| span.starts_with(look))
}

/// Sends spans on the Tokio runtime, because the exporter's own thread has none. An unreachable
/// collector is logged once, and so is its return.
struct Sender {
    runtime: Handle,
    client: reqwest::Client,
    endpoint: String,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Sender {
    fn to(endpoint: String) -> Result<Self, TracesError> {
        // The rest of this process uses the same TLS library. An error means that it is set already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        Ok(Self {
            runtime: Handle::current(),
            client,
            endpoint,
            trouble: Arc::default(),
        })
    }

    fn note(&self, trouble: Option<String>) {
        let mut before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::warn!(
                "traces cannot be sent to {}: {trouble}. Orders continue; spans are lost until the collector answers",
                self.endpoint
            ),
            None => tracing::info!("traces are sent to {} again", self.endpoint),
        }
        *before = trouble;
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self
            .runtime
            .spawn(async move { client.send_bytes(request).await });
        let sent = sending.await?;
        self.note(sent.as_ref().err().map(|error| innermost(error.as_ref())));
        sent
    }
}

#[cfg(test)]
mod tests;
