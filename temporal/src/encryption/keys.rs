//! Encryption keys, each with an ID.

use std::{fmt, fs, io, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest::{Digest, SHA256, digest},
};

/// The bytes of an AES-256 key.
const KEY_LENGTH: usize = 32;

/// Encryption keys. The first key encrypts, and every key decrypts what it encrypted. To change
/// keys, put the new one first and keep the old one for orders that are still running.
///
/// Keys are written as `ID=KEY`, one on each line or separated by commas. The ID is any name; the
/// key is 32 bytes in base64. Empty lines and lines that begin with `#` are ignored. The ID is not
/// secret: the server stores it with each payload.
///
/// ```
/// use temporal::Keys;
///
/// # fn main() -> Result<(), temporal::KeysError> {
/// let keys = Keys::parse(
///     "# The new key encrypts, the old one only decrypts.
///      new=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
///      old=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
/// )?;
/// assert_eq!(keys.ids().collect::<Vec<_>>(), ["new", "old"]);
///
/// // Keys are never printed, only their IDs.
/// assert_eq!(format!("{keys:?}"), r#"Keys(["new", "old"])"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Keys(Arc<[Key]>);

pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) cipher: LessSafeKey,
    /// Tells two keys of the same ID apart.
    fingerprint: Digest,
}

/// Why keys cannot be used. No message holds any part of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// The operating system's error.
        error: io::Error,
    },
    /// One of the entries is not a key.
    #[error("key {number}: {problem}. A key is ID=KEY, with 32 bytes in base64 for KEY: `{MAKE}`")]
    Key {
        /// Its position, counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// There are no keys.
    #[error("it contains no key. Make one, 32 bytes in base64 after an ID: `{MAKE}`")]
    None,
}

/// A command that makes a key, with an ID.
const MAKE: &str = "echo \"key-1=$(openssl rand -base64 32)\"";

impl Keys {
    /// Reads keys from a file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, contains no key, or has an invalid entry.
    pub fn from_file(path: &Path) -> Result<Self, KeysError> {
        let text = fs::read_to_string(path).map_err(|error| KeysError::File {
            path: path.display().to_string(),
            error,
        })?;
        Self::parse(&text)
    }

    /// Reads keys from a text.
    ///
    /// # Errors
    /// Returns an error if the text contains no key or has an invalid entry.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        let entries = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let wrong = |problem: String| KeysError::Key {
                number: index + 1,
                problem,
            };
            let key = Key::parse(entry).map_err(wrong)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(wrong(format!("the ID \"{}\" is already taken", key.id)));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(KeysError::None);
        }
        Ok(Self(keys.into()))
    }

    /// Returns whether there are no keys, so that nothing is encrypted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the IDs, beginning with that of the key that encrypts.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    pub(crate) fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn parse(entry: &str) -> Result<Self, String> {
        let (id, key) = entry.split_once('=').ok_or("it has no \"=\"")?;
        let id = id.trim();
        if id.is_empty() {
            return Err("it has no ID before the \"=\"".to_owned());
        }
        let bytes = STANDARD
            .decode(key.trim())
            .map_err(|_| format!("what follows \"{id}=\" is not base64"))?;
        // The cipher's own error does not say what is wrong.
        if bytes.len() != KEY_LENGTH {
            return Err(format!(
                "\"{id}\" has {} bytes instead of {KEY_LENGTH}",
                bytes.len()
            ));
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes)
            .map_err(|_| format!("\"{id}\" is not accepted by the cipher"))?;
        Ok(Self {
            id: id.to_owned(),
            cipher: LessSafeKey::new(key),
            fingerprint: digest(&SHA256, &bytes),
        })
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        let parts = |keys: &Self| -> Vec<_> {
            let keys = keys.0.iter();
            keys.map(|key| (key.id.clone(), key.fingerprint.as_ref().to_owned()))
                .collect()
        };
        parts(self) == parts(other)
    }
}

impl Eq for Keys {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys")
            .field(&self.ids().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const TWO: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

    #[test]
    fn keys_are_lines_or_a_list_with_commas() {
        let lines = format!("# the newest first\n\n  second = {TWO}\nfirst={ONE}\n");
        let list = format!("second={TWO}, first={ONE}");
        for text in [lines, list] {
            let keys = Keys::parse(&text).unwrap();
            assert_eq!(keys.ids().collect::<Vec<_>>(), ["second", "first"]);
            assert_eq!(keys.first().unwrap().id, "second");
        }
    }

    #[test]
    fn what_is_no_key_is_told_without_a_word_of_it() {
        for (text, part) in [
            (format!("first={ONE}\nsecond"), "key 2: it has no \"=\""),
            (format!("={ONE}"), "no ID"),
            ("first=c2VjcmV0".to_owned(), "\"first\" has 6 bytes"),
            ("first=secret secret".to_owned(), "not base64"),
            (format!("first={ONE},first={TWO}"), "already taken"),
            ("# none\n".to_owned(), "no key"),
        ] {
            let error = Keys::parse(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
            assert!(!error.contains(ONE), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Keys::from_file(Path::new("/nowhere/keys")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/keys"), "{error}");
    }

    #[test]
    fn keys_are_the_same_where_ids_bytes_and_order_are() {
        let keys = |text: String| Keys::parse(&text).unwrap();
        let both = keys(format!("a={ONE},b={TWO}"));
        assert_eq!(both, keys(format!("a={ONE}\nb={TWO}")));
        assert_ne!(both, keys(format!("b={TWO},a={ONE}")));
        assert_ne!(both, keys(format!("a={ONE}")));
        assert_ne!(keys(format!("a={ONE}")), keys(format!("a={TWO}")));
    }

    #[test]
    fn only_ids_are_printed() {
        let keys = Keys::parse(&format!("first={ONE}")).unwrap();
        let text = format!("{keys:?}");
        assert_eq!(text, "Keys([\"first\"])");
    }
}
