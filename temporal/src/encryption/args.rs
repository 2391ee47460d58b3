//! The flags every command takes to say what orders are encrypted with.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::keys::Keys;
use crate::args::Secret;
use crate::connect_error::ConnectError;

const HEADING: &str = "Encryption";

/// The keys that orders are encrypted with. To be taken into a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug, Default)]
pub struct EncryptionArgs {
    /// File with the keys to encrypt orders with, ID=KEY lines; the first one encrypts
    /// [default: orders are not encrypted]
    #[arg(long, help_heading = HEADING, env = "TEMPORAL_ENCRYPTION_KEYS_FILE", value_name = "FILE")]
    pub encryption_keys_file: Option<PathBuf>,

    /// The keys themselves, with commas between them. Better set as the variable: others can read
    /// a command line
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
    /// The keys; none where nothing names any.
    ///
    /// # Errors
    /// [`ConnectError::Settings`], which names the file or the variable.
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
                "encryption keys are given twice, by --encryption-keys-file \
                 (TEMPORAL_ENCRYPTION_KEYS_FILE) and by TEMPORAL_ENCRYPTION_KEYS; unset one of them"
                    .to_owned(),
            ),
        }
    }

    /// The environment in which another process means the same keys.
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
