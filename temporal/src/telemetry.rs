//! What a process tells of itself: metrics, traces, and which polls are under way.
//!
//! | module | what lives there |
//! |---|---|
//! | [`metrics`] | the SDK's metrics, served for Prometheus |
//! | [`polls`] | which polls for tasks are under way, seen through the SDK's own meter |
//! | [`replay`] | keeps workflow code silent while it is replayed |
//! | [`traces`] | OpenTelemetry traces, switched on by the standard `OTEL_*` variables |

pub mod metrics;
pub mod polls;
pub mod replay;
pub mod traces;

pub use metrics::{Metrics, MetricsError};
pub use polls::Polls;
pub use traces::{Traces, TracesError};
