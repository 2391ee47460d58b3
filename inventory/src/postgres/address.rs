//! A database's address, and how to connect there.

use std::{fmt, path::PathBuf, str::FromStr};

use tokio_postgres::config::Host;

use crate::error::InventoryError;

/// The address of a PostgreSQL database. It holds a password, which it never shows.
///
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…` as for `psql`. For a Unix socket, `?host=` names its
/// folder. `sslmode` is one of `disable`, `prefer` (the default), `require` and `verify-full`; only the last
/// checks the server's certificate, against `sslrootcert` or the system's certificates.
#[derive(Clone)]
pub struct Address {
    pub(crate) config: tokio_postgres::Config,
    /// Whether the server's certificate is checked.
    pub(crate) verify: bool,
    /// A file with the certificates to check it against, in PEM.
    pub(crate) root_certificates: Option<PathBuf>,
}

impl FromStr for Address {
    type Err = InventoryError;

    fn from_str(text: &str) -> Result<Self, InventoryError> {
        let (mut verify, mut root_certificates) = (false, None);
        // Two settings that the driver does not know.
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let rest = query.split('&').filter_map(|setting| match setting {
            "sslmode=verify-full" => {
                verify = true;
                Some("sslmode=require")
            }
            other => match other.strip_prefix("sslrootcert=") {
                Some(file) => {
                    root_certificates = Some(file.into());
                    None
                }
                None => Some(other),
            },
        });
        let text = format!("{base}?{}", rest.collect::<Vec<_>>().join("&"));
        let parsed = text.trim_end_matches('?').parse();
        // The driver's reason names the setting at fault, and quotes none of the address.
        let mut config: tokio_postgres::Config = parsed.map_err(|error| InventoryError::Location {
            location: "the database's address".to_owned(),
            problem: format!(
                "{}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE",
                super::reason(&error)
            ),
        })?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("inventory");
        }
        Ok(Self {
            config,
            verify,
            root_certificates,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(host) => write!(f, "{separator}{host}:{port}")?,
                Host::Unix(folder) => write!(f, "{separator}{}:{port}", folder.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    fn address(text: &str) -> Result<Address, InventoryError> {
        text.parse()
    }

    #[test]
    fn the_password_is_never_shown() {
        for text in [
            "postgres://shop:hunter2@db.example:6432/orders?sslmode=require",
            "postgresql://shop:hunter2@/orders?host=/run/postgresql&port=6432",
            "postgres://shop@db.example/orders?password=hunter2",
        ] {
            let address = address(text).unwrap();
            let shown = format!("{address} {address:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("shop@") && shown.contains("/orders"), "{shown}");
        }
        for text in [
            "postgres://shop:hunter2@db.example:port/orders",
            "postgres://shop:hunter2@db.example/orders?sslmode=hunter2",
            "postgres://shop:hunter2@db.example/orders?colour=hunter2",
        ] {
            let error = address(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_for_certificates_are_read() {
        let plain = address("postgres://localhost/orders").unwrap();
        assert!(!plain.verify);
        assert_eq!(plain.config.get_ssl_mode(), SslMode::Prefer);
        let text = "postgres://db/orders?sslrootcert=/etc/ca.pem&sslmode=verify-full";
        let verified = address(text).unwrap();
        assert!(verified.verify);
        assert_eq!(verified.root_certificates, Some("/etc/ca.pem".into()));
        assert_eq!(verified.config.get_ssl_mode(), SslMode::Require);
    }
}
