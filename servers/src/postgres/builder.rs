//! What a PostgreSQL server is started with.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

/// The settings of a PostgreSQL server that is to be started. [`Postgres::builder`] makes one.
///
/// [`Postgres::builder`]: super::Postgres::builder
#[derive(Clone, Debug)]
pub struct PostgresBuilder {
    pub(super) programs: Option<PathBuf>,
    pub(super) folder: Option<PathBuf>,
    pub(super) listen: IpAddr,
    pub(super) settings: Vec<(String, String)>,
}

impl Default for PostgresBuilder {
    fn default() -> Self {
        Self {
            programs: None,
            folder: None,
            listen: Ipv4Addr::LOCALHOST.into(),
            settings: Vec::new(),
        }
    }
}

impl PostgresBuilder {
    /// Runs the programs in this folder, which [`PostgresSearch`] finds. Without this they are
    /// looked for, and fetched if need be, without a word to the user.
    ///
    /// [`PostgresSearch`]: crate::PostgresSearch
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// Keeps the database in this folder instead of a temporary one. The folder is created if it
    /// does not exist; a database that it has from an earlier server is used. If this process is
    /// root's, the folder is given to the user `nobody`.
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Allows so many connections at once; PostgreSQL's default is 100.
    pub fn max_connections(self, connections: u32) -> Self {
        self.setting("max_connections", connections.to_string())
    }

    /// Listens on this address instead of 127.0.0.1. Whoever can reach it needs the password to
    /// enter.
    pub fn listen(mut self, address: impl Into<IpAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Sets one of the server's parameters, such as `log_statement` to `all`. By default they are
    /// PostgreSQL's own, with which a committed change survives a crash.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}
