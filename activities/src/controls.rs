//! What a person changes while workers run: how often attempts fail, whether the payment service is up, and
//! where a charge stops.
//!
//! It is a small file, which each attempt at an activity reads anew, so that no worker has to be restarted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{activity::Activity, faults::FaultRate, hold::Hold};

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Controls {
    /// How many attempts fail at random.
    pub fault_rate: FaultRate,
    /// Whether the payment service cannot be reached.
    pub payments_down: bool,
    /// Where a charge tells that it is made, and stops before it can report that: see [`Hold`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_after_charge: Option<PathBuf>,
}

impl Controls {
    /// Reads the file.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or says something else.
    pub fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Writes the file. An attempt that reads it meanwhile finds what it said before, or what it says now.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, file)
    }

    /// Whether this activity needs a service that cannot be reached.
    pub(crate) fn outage(&self, activity: Activity) -> bool {
        self.payments_down && matches!(activity, Activity::Charge | Activity::Refund)
    }

    /// Where an attempt that begins now stops.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.hold_after_charge.clone().map(Hold::after_charge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controls.json");
        let mut controls = Controls {
            fault_rate: FaultRate::DEFAULT,
            payments_down: true,
            hold_after_charge: None,
        };
        controls.write(&file).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            r#"{"faultRate":0.2,"paymentsDown":true}"#
        );
        assert_eq!(Controls::read(&file).unwrap(), controls);
        controls.hold_after_charge = Some(folder.path().join("charged"));
        controls.write(&file).unwrap();
        assert_eq!(Controls::read(&file).unwrap(), controls);
    }

    #[test]
    fn a_fault_rate_at_which_no_order_could_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controls.json");
        fs::write(&file, r#"{"faultRate":1.0,"paymentsDown":false}"#).unwrap();
        let refused = Controls::read(&file).unwrap_err().to_string();
        assert!(refused.contains("not including, 1"), "{refused}");
    }
}
