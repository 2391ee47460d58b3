//! The simulated faults.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use crate::activity::Activity;

/// Where an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// Before the effect.
    Before,
    /// After the effect, before the report.
    After,
}

/// How likely an attempt is to fail: at least 0 (never), and below 1, at which no order could ever
/// end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct FaultRate(f64);

impl FaultRate {
    /// No faults.
    pub const NONE: Self = Self(0.0);
    /// The Go demo's rate, as near as its pages tell: an order now and then fails on its way.
    pub const DEFAULT: Self = Self(0.2);
}

/// The error for a number that is no fault rate.
#[derive(Debug, thiserror::Error)]
#[error("a fault rate is a number from 0 (no faults) up to, but not including, 1")]
pub struct InvalidFaultRate;

impl TryFrom<f64> for FaultRate {
    type Error = InvalidFaultRate;

    fn try_from(rate: f64) -> Result<Self, InvalidFaultRate> {
        (0.0..1.0)
            .contains(&rate)
            .then_some(Self(rate))
            .ok_or(InvalidFaultRate)
    }
}

impl From<FaultRate> for f64 {
    fn from(rate: FaultRate) -> Self {
        rate.0
    }
}

impl FromStr for FaultRate {
    type Err = InvalidFaultRate;

    fn from_str(text: &str) -> Result<Self, InvalidFaultRate> {
        text.parse::<f64>()
            .map_err(|_| InvalidFaultRate)?
            .try_into()
    }
}

impl fmt::Display for FaultRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which attempts fail: a function of the seed, the order, the activity and the attempt, so that
/// the same seed fails the same attempts in whatever order they come.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    rate: FaultRate,
    seed: u64,
}

impl Faults {
    /// Faults at `rate`, drawn from `seed`.
    pub fn new(rate: FaultRate, seed: u64) -> Self {
        Self { rate, seed }
    }

    /// The same faults at another rate.
    pub fn at(&self, rate: FaultRate) -> Self {
        Self { rate, ..*self }
    }

    /// No faults at all.
    pub fn none() -> Self {
        Self::new(FaultRate::NONE, 0)
    }

    /// Whether, and where, this attempt fails. Attempts count from 1.
    pub fn draw(&self, order_id: &str, activity: Activity, attempt: u32) -> Option<FaultPoint> {
        let mut hasher = DefaultHasher::new();
        (self.seed, order_id, activity.name(), attempt).hash(&mut hasher);
        let mut rng = StdRng::seed_from_u64(hasher.finish());
        if !rng.random_bool(self.rate.0) {
            return None;
        }
        Some(if rng.random_bool(0.5) {
            FaultPoint::Before
        } else {
            FaultPoint::After
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, rate: f64) -> Vec<Option<FaultPoint>> {
        let faults = Faults::new(rate.try_into().unwrap(), seed);
        (1..=1000)
            .map(|attempt| faults.draw("order-1", Activity::Charge, attempt))
            .collect()
    }

    #[test]
    fn the_same_seed_fails_the_same_attempts() {
        assert_eq!(drawn(7, 0.5), drawn(7, 0.5));
        assert_ne!(drawn(7, 0.5), drawn(8, 0.5));
    }

    #[test]
    fn the_rate_is_kept_and_both_points_occur() {
        let drawn = drawn(1, 0.2);
        let before = drawn
            .iter()
            .filter(|d| **d == Some(FaultPoint::Before))
            .count();
        let after = drawn
            .iter()
            .filter(|d| **d == Some(FaultPoint::After))
            .count();
        assert!((150..250).contains(&(before + after)), "{before} + {after}");
        assert!(before > 50 && after > 50, "{before}, {after}");
    }

    #[test]
    fn rate_zero_never_fails() {
        assert!(drawn(3, 0.0).iter().all(Option::is_none));
    }

    #[test]
    fn a_rate_at_which_no_order_could_end_is_refused() {
        for bad in ["1", "1.5", "-0.1", "NaN", "often"] {
            assert!(bad.parse::<FaultRate>().is_err(), "{bad}");
        }
        assert!("0.8".parse::<FaultRate>().is_ok());
    }
}
