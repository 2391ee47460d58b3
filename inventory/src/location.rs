//! Where an inventory is.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{error::InventoryError, postgres::Address};

/// A path, or a database's address: what `--database` takes.
///
/// ```
/// use inventory::Location;
///
/// let file: Location = "database/inventory.json".parse()?;
/// assert_eq!(file.to_string(), "database/inventory.json");
///
/// // The password is never shown.
/// let database: Location = "postgres://shop:secret@db.example/shop".parse()?;
/// assert_eq!(database.to_string(), "postgres://shop@db.example:5432/shop");
/// # Ok::<(), inventory::InventoryError>(())
/// ```
#[derive(Clone)]
pub enum Location {
    /// The inventory file; the ledger and the lock file are beside it.
    Files(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
}

impl FromStr for Location {
    type Err = InventoryError;

    fn from_str(text: &str) -> Result<Self, InventoryError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Box::new(text.parse()?)));
        }
        let refuse = |problem: &str| InventoryError::Location {
            location: "the inventory's location".to_owned(),
            problem: problem.to_owned(),
        };
        if text.is_empty() {
            return Err(refuse("it is empty; name a file or a postgres:// address"));
        }
        if text.contains("://") {
            // It may hold a password, so it is not shown.
            return Err(refuse(
                "it is an address of another kind; name a file or a postgres:// address",
            ));
        }
        Ok(Self::Files(text.into()))
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
