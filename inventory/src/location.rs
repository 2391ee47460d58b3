//! Where an inventory is.

use std::{ffi::OsString, fmt, path::PathBuf};

use crate::postgres::Address;

/// A path, or a database's address: what `--database` takes.
///
/// ```
/// use inventory::Location;
///
/// let file = Location::from("database/inventory.json");
/// assert_eq!(file.to_string(), "database/inventory.json");
///
/// // The password is never shown.
/// let database = Location::from("postgres://shop:secret@db.example/shop");
/// assert_eq!(database.to_string(), "postgres://shop@db.example:5432/shop");
/// assert_eq!(format!("{database:?}"), "postgres://shop@db.example:5432/shop");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// The inventory file; the ledger and the lock file are beside it.
    Files(PathBuf),
    /// A PostgreSQL database.
    Postgres(Address),
}

impl Location {
    /// Returns the location of another inventory near this one: in a folder beside the file, or in a schema
    /// of the same database.
    pub fn apart(&self, name: &str) -> Self {
        match self {
            Self::Files(path) => Self::Files(path.with_file_name(name).join("inventory.json")),
            Self::Postgres(address) => Self::Postgres(address.with_schema(name)),
        }
    }

    /// Returns it as it was given, with its password: for a program that starts another one.
    pub fn reveal(&self) -> OsString {
        match self {
            Self::Files(path) => path.clone().into(),
            Self::Postgres(address) => address.reveal().into(),
        }
    }
}

impl From<OsString> for Location {
    fn from(text: OsString) -> Self {
        match text.to_str().and_then(Address::new) {
            Some(address) => Self::Postgres(address),
            None => Self::Files(text.into()),
        }
    }
}

impl From<&str> for Location {
    fn from(text: &str) -> Self {
        OsString::from(text).into()
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::Files(path)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(path) => path.display().fmt(f),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
