//! The flags that every command takes for the encryption keys.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::keys::Keys;
use crate::{
    connect_error::ConnectError,
    secret::{Secret, exposed},
};

const HEADING: &str = "Encryption";

/// The keys that orders are encrypted with. Add it to a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug, Default)]
pub struct EncryptionArgs {
    /// A file with the keys for orders, one ID=KEY on each line. The first key encrypts, every key
    /// decrypts [default: orders are not encrypted]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_ENCRYPTION_KEYS_FILE", value_name = "FILE")]
    pub encryption_keys_file: Option<PathBuf>,

    /// The keys themselves, separated by commas. Prefer the variable: other users of this machine
    /// can read a command line
    #[arg(
        long,
        help_heading = HEADING,
        env = "TEMPORAL_ENCRYPTION_KEYS",
        hide_env_values = true,
        value_name = "ID=KEY"
    )]
    pub encryption_keys: Option<Secret>,
}

impl EncryptionArgs {
    /// Reads the keys. Without flags and variables there are none.
    ///
    /// # Errors
    /// Returns [`ConnectError::Settings`], which names the file or the variable.
    pub fn keys(&self) -> Result<Keys, ConnectError> {
        let wrong = |what: String| Err(ConnectError::Settings(what));
        match (&self.encryption_keys_file, &self.encryption_keys) {
            (None, None) => Ok(Keys::default()),
            (Some(file), None) => Keys::from_file(file).or_else(|error| {
                wrong(format!(
                    "the encryption keys in {} (--encryption-keys-file, \
                     TEMPORAL_ENCRYPTION_KEYS_FILE): {error}",
                    file.display()
                ))
            }),
            (None, Some(keys)) => Keys::parse(keys.reveal()).or_else(|error| {
                wrong(format!(
                    "the encryption keys (TEMPORAL_ENCRYPTION_KEYS): {error}"
                ))
            }),
            (Some(_), Some(_)) => wrong(
                "the encryption keys are given twice, by --encryption-keys-file \
                 (TEMPORAL_ENCRYPTION_KEYS_FILE) and by TEMPORAL_ENCRYPTION_KEYS; unset one of them"
                    .to_owned(),
            ),
        }
    }

    /// Returns a warning if every user of this machine can read the file with the keys.
    pub fn warning(&self) -> Option<String> {
        exposed(self.encryption_keys_file.as_deref()?, "the encryption keys")
    }

    /// The environment variables that make another process use the same keys.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let file = self.encryption_keys_file.as_ref().map(OsString::from);
        let keys = self.encryption_keys.as_ref();
        let keys = keys.map(|keys| keys.reveal().into());
        [
            ("TEMPORAL_ENCRYPTION_KEYS_FILE", file),
            ("TEMPORAL_ENCRYPTION_KEYS", keys),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}
