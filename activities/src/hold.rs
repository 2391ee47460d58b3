//! Stops an activity at a named point.
//!
//! A test that kills a worker at an exact point needs the worker to be there. With
//! `charge:after=FILE`, the first charge that has done its work writes FILE and waits, still alive
//! and sending heartbeats, until FILE is removed. If that takes so long that the server begins another attempt
//! at the step, that one waits too.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
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
    /// The order that stopped here.
    held: Arc<OnceLock<String>>,
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
            held: Arc::default(),
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
            held: Arc::default(),
        }
    }

    /// Waits at this point, if it is this hold's, until the file is gone. A file that cannot be
    /// written holds nothing up: the test that waits for it will say so.
    pub(crate) async fn wait(
        &self,
        activity: Activity,
        point: FaultPoint,
        order_id: &str,
        attempt: u32,
    ) {
        if self.activity != activity || self.point != point {
            return;
        }
        let is_first = self.held.set(order_id.to_owned()).is_ok();
        if is_first {
            if let Err(error) = tokio::fs::write(&self.file, order_id).await {
                tracing::warn!(file = %self.file.display(), %error, "cannot hold");
                return;
            }
            tracing::info!(order_id, activity = activity.name(), ?point, "held");
        }
        let is_same_step = attempt > 1 && self.held.get().is_some_and(|held| held == order_id);
        if !is_first && !is_same_step {
            return;
        }
        while tokio::fs::try_exists(&self.file).await.unwrap_or(false) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_step_is_held_with_all_its_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held");
        let hold: Hold = format!("Charge:before={}", file.display()).parse().unwrap();
        let comes_by = async |order_id, attempt| {
            hold.wait(Activity::Charge, FaultPoint::Before, order_id, attempt)
                .await;
        };
        let reached = async {
            while std::fs::read_to_string(&file).unwrap_or_default() != "order-1" {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let mut first = Box::pin(comes_by("order-1", 1));
        tokio::select! {
            () = &mut first => panic!("it was not held"),
            () = reached => {}
        }
        comes_by("order-2", 1).await;
        comes_by("order-2", 2).await;
        let mut second = Box::pin(comes_by("order-1", 2));
        let held = tokio::time::timeout(5 * LOOK_EVERY, &mut second).await;
        held.expect_err("another attempt should be held, too");

        std::fs::remove_file(&file).unwrap();
        tokio::join!(first, second);
    }
}
