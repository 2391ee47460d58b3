//! A text that is never printed, and files that hold one.

use std::{convert::Infallible, fmt, fs, os::unix::fs::PermissionsExt, path::Path, str::FromStr};

use crate::text::printable;

/// A text that is never printed: its `Debug` form is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The permission of users who are neither the owner nor in the group to read a file.
const OTHERS_READ: u32 = 0o004;

/// Returns a warning if `file`, which holds `secret`, can be read by every user of this machine.
pub(crate) fn exposed(file: &Path, secret: &str) -> Option<String> {
    let mode = fs::metadata(file).ok()?.permissions().mode();
    let file = printable(&file.to_string_lossy()).into_owned();
    (mode & OTHERS_READ != 0).then(|| {
        format!(
            "every user of this machine can read {secret} in {file}; take the permission away with \
             chmod o-rwx"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_everybody_can_read_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mode = |mode| fs::set_permissions(file.path(), fs::Permissions::from_mode(mode));
        for hidden in [0o600, 0o640] {
            mode(hidden).unwrap();
            assert_eq!(exposed(file.path(), "a key"), None);
        }
        mode(0o644).unwrap();
        let warning = exposed(file.path(), "a key").unwrap();
        assert!(warning.contains("can read a key in"), "{warning}");
    }
}
