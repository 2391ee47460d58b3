//! A database's address, and what it says about the connection.

use std::{fmt, path::PathBuf};

use tokio_postgres::{
    Error,
    config::{Host, SslMode},
};

use crate::error::InventoryError;

/// The address of a PostgreSQL database. It may hold a password, which is never shown.
///
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?...` as for `psql`. For a Unix socket, `?host=` names its
/// folder. `sslmode` is one of `disable`, `prefer` (the default), `require` and `verify-full`. The server's
/// certificate is checked with `verify-full`, or if `sslrootcert` names the certificates to check against. `connections` is how
/// many connections one process opens at most, 16 by default.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

/// Connections that one process opens at most, if the address does not say.
const CONNECTIONS: usize = 16;

/// What an address says.
pub(crate) struct Settings {
    pub config: tokio_postgres::Config,
    /// Whether the server's certificate is checked.
    pub verify: bool,
    /// A file with the certificates to check it against, in PEM.
    pub root_certificates: Option<PathBuf>,
    /// How many connections one process opens at most.
    pub connections: usize,
}

impl Address {
    /// Takes a text that looks like the address of a database.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let is_one = ["postgres://", "postgresql://"]
            .iter()
            .any(|it| text.starts_with(it));
        is_one.then(|| Self(text.to_owned()))
    }

    pub(crate) fn settings(&self) -> Result<Settings, InventoryError> {
        let (mut verify, mut root_certificates) = (false, None);
        let mut connections = CONNECTIONS;
        // Three settings that the driver does not know.
        let (base, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let rest = query.split('&').filter_map(|setting| match setting {
            "sslmode=verify-full" => {
                verify = true;
                Some("sslmode=require")
            }
            other => {
                if let Some(file) = other.strip_prefix("sslrootcert=") {
                    root_certificates = Some(file.into());
                    return None;
                }
                // A number that is none is left to the driver, which refuses the setting.
                let number = other
                    .strip_prefix("connections=")
                    .and_then(|it| it.parse().ok());
                match number.filter(|number| (1..=1_000).contains(number)) {
                    Some(number) => {
                        connections = number;
                        None
                    }
                    None => Some(other),
                }
            }
        });
        let text = format!("{base}?{}", rest.collect::<Vec<_>>().join("&"));
        let parsed = text.trim_end_matches('?').parse();
        // The driver's reason names the setting at fault, and quotes none of the address.
        let mut config: tokio_postgres::Config =
            parsed.map_err(|error| InventoryError::Location {
                location: "the database's address".to_owned(),
                problem: format!(
                    "{}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX",
                    reason(&error)
                ),
            })?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("inventory");
        }
        // As with `psql`, certificates to check against are checked against.
        if root_certificates.is_some() {
            verify = true;
            config.ssl_mode(SslMode::Require);
        }
        Ok(Settings {
            config,
            verify,
            root_certificates,
            connections,
        })
    }

    /// The same database, with tables in a schema of this name.
    pub(crate) fn with_schema(&self, name: &str) -> Self {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        Self(format!(
            "{}{separator}options=-csearch_path%3D{name}",
            self.0
        ))
    }

    /// The whole address, with its password: for a program that starts another one.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The reason without details: those quote the data.
pub(crate) fn reason(error: &Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} (SQLSTATE {})", refusal.message(), refusal.code().code()),
        None => {
            let mut reason = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                reason = format!("{reason}: {cause}");
                source = cause.source();
            }
            if reason.contains("invalid peer certificate") {
                reason += ". The server proved to be another one than expected: check the address, and \
                           the certificates that sslrootcert names";
            }
            reason
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(Settings { config, .. }) = self.settings() else {
            return f.write_str("postgres://(an address that cannot be read)");
        };
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = config.get_ports();
        for (index, host) in config.get_hosts().iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(host) => write!(f, "{separator}{host}:{port}")?,
                Host::Unix(folder) => write!(f, "{separator}{}:{port}", folder.display())?,
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    #[test]
    fn the_password_is_never_shown() {
        for text in [
            "postgres://shop:hunter2@db.example:6432/orders?sslmode=require",
            "postgresql://shop:hunter2@/orders?host=/run/postgresql&port=6432",
            "postgres://shop@db.example/orders?password=hunter2",
        ] {
            let address = address(text);
            let shown = format!("{address} {address:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(
                shown.contains("shop@") && shown.contains("/orders"),
                "{shown}"
            );
        }
        for text in [
            "postgres://shop:hunter2@db.example:port/orders",
            "postgres://shop:hunter2@db.example/orders?sslmode=hunter2",
            "postgres://shop:hunter2@db.example/orders?colour=hunter2",
        ] {
            let address = address(text);
            let error = address.settings().err().unwrap();
            let shown = format!("{address} {address:?} {error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn settings_for_certificates_are_read() {
        let plain = address("postgres://localhost/orders").settings().unwrap();
        assert!(!plain.verify);
        assert_eq!(plain.config.get_ssl_mode(), SslMode::Prefer);
        let text = "postgres://db/orders?sslrootcert=/etc/ca.pem&sslmode=verify-full";
        let verified = address(text).settings().unwrap();
        assert!(verified.verify);
        assert_eq!(verified.root_certificates, Some("/etc/ca.pem".into()));
        assert_eq!(verified.config.get_ssl_mode(), SslMode::Require);
        assert_eq!((plain.connections, verified.connections), (16, 16));
        let more = address("postgres://localhost/orders?connections=64");
        assert_eq!(more.settings().unwrap().connections, 64);
        let none = address("postgres://localhost/orders?connections=0");
        assert!(none.settings().is_err());
    }
}
