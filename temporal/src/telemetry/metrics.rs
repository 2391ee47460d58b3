//! The SDK's metrics, served for Prometheus.

use std::{fmt, net::SocketAddr, sync::Arc};

use temporalio_common::telemetry::{
    PrometheusExporterOptions, TelemetryOptions,
    metrics::{CoreMeter, NoOpCoreMeter, TemporalMeter},
    start_prometheus_metric_exporter, telemetry_init,
};
use temporalio_sdk::{Runtime, error::RuntimeError, runtime::RuntimeOptions};

use super::polls::{PollMeter, Polls};

/// Why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {reason}; choose another --metrics-address")]
pub struct MetricsError {
    address: SocketAddr,
    reason: String,
}

/// Where a process's figures are kept: the SDK's, and its own.
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
    /// Figures that nobody reads, but for the polls under way.
    pub fn unserved() -> Self {
        Self::over(Arc::new(NoOpCoreMeter), None)
    }

    /// Serves the figures at `http://<address>/metrics`, as long as the process runs. Port 0 is
    /// any free port.
    ///
    /// Names and units are as Prometheus has them: counters end with `_total`, durations are in
    /// seconds and end with `_seconds`.
    ///
    /// # Errors
    /// The address is in use, or is none of this machine's.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn serve(address: SocketAddr) -> Result<Self, MetricsError> {
        let options = PrometheusExporterOptions::builder()
            .socket_addr(address)
            .counters_total_suffix(true)
            .unit_suffix(true)
            .use_seconds_for_durations(true)
            .build();
        let server = start_prometheus_metric_exporter(options).map_err(|error| MetricsError {
            address,
            reason: format!("{error:#}"),
        })?;
        Ok(Self::over(server.meter, Some(server.bound_addr)))
    }

    fn over(meter: Arc<dyn CoreMeter>, address: Option<SocketAddr>) -> Self {
        let polls = Polls::default();
        Self {
            meter: Arc::new(PollMeter::new(meter, polls.clone())),
            polls,
            address,
        }
    }

    /// Where they are served, if they are.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// For figures of the process's own, beside the SDK's. Counters get their `_total` here.
    pub fn meter(&self) -> &dyn CoreMeter {
        self.meter.as_ref()
    }

    /// Which polls are under way, on connections with [`Metrics::client_meter`].
    pub fn polls(&self) -> &Polls {
        &self.polls
    }

    /// For a connection's settings: counts its requests.
    pub fn client_meter(&self) -> Option<TemporalMeter> {
        telemetry_init(self.telemetry())
            .ok()
            .and_then(|telemetry| telemetry.get_temporal_metric_meter())
    }

    /// A runtime for workers, on the current Tokio runtime, that keeps its figures here.
    ///
    /// # Errors
    /// Outside a Tokio runtime.
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
            // Prometheus itself labels what it scrapes with job and instance.
            .attach_service_name(false)
            .build()
    }
}
