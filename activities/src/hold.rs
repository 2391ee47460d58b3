//! Stops an activity at a named point.
//!
//! A test that kills a worker at an exact point needs the worker to be there. With
//! `charge:after=FILE`, the first charge that has done its work writes FILE and waits, still alive
//! and sending heartbeats, until FILE is removed.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{activity::Activity, faults::FaultPoint};

/// How often a held activity looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A point to stop at, once, and the file that tells of it.
#[derive(Clone, Debug)]
pub struct Hold {
    activity: Activity,
    point: FaultPoint,
    file: PathBuf,
    used: Arc<AtomicBool>,
}

/// The error for a text that describes no hold.
#[derive(Debug, thiserror::Error)]
#[error("invalid hold {0:?}: write it as ACTIVITY:before=FILE or ACTIVITY:after=FILE")]
pub struct InvalidHold(String);

impl FromStr for Hold {
    type Err = InvalidHold;

    fn from_str(text: &str) -> Result<Self, InvalidHold> {
        let invalid = || InvalidHold(text.to_owned());
        let (place, file) = text.split_once('=').ok_or_else(invalid)?;
        let (activity, point) = place.split_once(':').ok_or_else(invalid)?;
        Ok(Self {
            activity: activity.parse().map_err(|_| invalid())?,
            point: match point {
                "before" => FaultPoint::Before,
                "after" => FaultPoint::After,
                _ => return Err(invalid()),
            },
            file: file.into(),
            used: Arc::default(),
        })
    }
}

impl Hold {
    /// Stops the first charge that has done its work, and tells so with this file.
    pub(crate) fn after_charge(file: PathBuf) -> Self {
        Self {
            activity: Activity::Charge,
            point: FaultPoint::After,
            file,
            used: Arc::default(),
        }
    }

    /// Waits at this point, if it is this hold's, until the file is gone. A file that cannot be
    /// written holds nothing up: the test that waits for it will say so.
    pub(crate) async fn wait(&self, activity: Activity, point: FaultPoint, order_id: &str) {
        let here = self.activity == activity && self.point == point;
        if !here || self.used.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = tokio::fs::write(&self.file, order_id).await {
            tracing::warn!(file = %self.file.display(), %error, "cannot hold");
            return;
        }
        tracing::info!(order_id, activity = activity.name(), ?point, "held");
        while tokio::fs::try_exists(&self.file).await.unwrap_or(false) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
