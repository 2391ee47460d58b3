//! What a load came to.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::workers::Usage;

/// What a load came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub orders: u32,
    pub concurrency: u32,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    pub orders_per_second: f64,
    pub latency: Latency,
    /// None where the workers are on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<Cost>,
    /// None where the ledger is on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_adds_up: Option<bool>,
}

/// From placing an order to its result.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Latency {
    #[serde(rename = "medianMs", serialize_with = "milliseconds")]
    median: Duration,
    #[serde(rename = "p95Ms", serialize_with = "milliseconds")]
    p95: Duration,
    #[serde(rename = "p99Ms", serialize_with = "milliseconds")]
    p99: Duration,
    #[serde(rename = "longestMs", serialize_with = "milliseconds")]
    longest: Duration,
}

/// What an order cost the workers.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    workers: usize,
    cpu_ms_per_order: f64,
    /// How much more resident memory the workers have than before the load.
    memory_growth_bytes: i64,
    memory_growth_bytes_per_order: f64,
}

impl Latency {
    pub(super) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        // The smallest that so many percent are no larger than.
        let percentile = |percent: usize| {
            let rank = (all.len() * percent).div_ceil(100).max(1);
            all.get(rank - 1).copied().unwrap_or_default()
        };
        Self {
            median: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
            longest: percentile(100),
        }
    }
}

impl Cost {
    pub(super) fn of(before: &Usage, after: &Usage, orders: u32) -> Self {
        let cpu = after.cpu_ms.saturating_sub(before.cpu_ms);
        let growth = after.memory.cast_signed() - before.memory.cast_signed();
        Self {
            workers: after.workers,
            cpu_ms_per_order: cpu as f64 / f64::from(orders),
            memory_growth_bytes: growth,
            memory_growth_bytes_per_order: growth as f64 / f64::from(orders),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency {
            median,
            p95,
            p99,
            longest,
        } = self.latency;
        writeln!(
            f,
            "orders       {}, {} at a time, in {:.1} s",
            self.orders,
            self.concurrency,
            self.took.as_secs_f64()
        )?;
        writeln!(f, "throughput   {:.1} orders/s", self.orders_per_second)?;
        writeln!(
            f,
            "latency      median {} ms, 95 % within {}, 99 % within {}, longest {} ms",
            median.as_millis(),
            p95.as_millis(),
            p99.as_millis(),
            longest.as_millis()
        )?;
        match &self.workers {
            Some(cost) => writeln!(
                f,
                "worker{}      {:.2} ms CPU and {:.1} KB of memory an order, {:.1} MB more in all",
                if cost.workers == 1 { " " } else { "s" },
                cost.cpu_ms_per_order,
                cost.memory_growth_bytes_per_order / 1e3,
                cost.memory_growth_bytes as f64 / 1e6,
            )?,
            None => writeln!(f, "workers      not on this machine, so not measured")?,
        }
        match self.ledger_adds_up {
            Some(true) => writeln!(f, "ledger       every order is in it, and it adds up"),
            Some(false) => writeln!(
                f,
                "ledger       it does NOT add up: starter audit says where"
            ),
            None => writeln!(
                f,
                "ledger       not here, so not checked (--database names it)"
            ),
        }
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let all = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(all);
        assert_eq!(latency.median, Duration::from_millis(100));
        assert_eq!(latency.p95, Duration::from_millis(190));
        assert_eq!(latency.p99, Duration::from_millis(198));
        assert_eq!(latency.longest, Duration::from_millis(200));
        let one = Latency::of(vec![Duration::from_millis(7)]);
        assert_eq!(
            (one.median, one.p99),
            (Duration::from_millis(7), Duration::from_millis(7))
        );
    }

    #[test]
    fn an_order_costs_what_was_used_meanwhile() {
        let before = Usage {
            workers: 2,
            cpu_ms: 1_000,
            memory: 50_000,
        };
        let after = Usage {
            workers: 2,
            cpu_ms: 1_400,
            memory: 49_000,
        };
        let cost = Cost::of(&before, &after, 100);
        assert_eq!(cost.cpu_ms_per_order, 4.0);
        assert_eq!(cost.memory_growth_bytes, -1_000);
        assert_eq!(cost.memory_growth_bytes_per_order, -10.0);
    }
}
