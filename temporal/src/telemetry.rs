//! What a process reports about itself: metrics, traces, and which polls are under way.
//!
//! | module | what lives there |
//! |---|---|
//! | [`metrics`] | the SDK's metrics, served for Prometheus |
//! | [`polls`] | counts the polls for tasks that are under way, through the SDK's meter |
//! | [`replay`] | marks the replay of workflow code, so that nothing is logged twice |
//! | [`traces`] | OpenTelemetry traces, turned on by the standard `OTEL_*` variables |

pub mod metrics;
pub mod polls;
pub mod replay;
pub mod traces;

pub use metrics::{Metrics, MetricsError};
pub use polls::Polls;
pub use traces::{Traces, TracesError};
