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
    ///
    /// # Panics
    /// Panics outside a Tokio runtime.
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
