//! Why connecting failed, and what to do next.

use std::{error::Error, io, time::Duration};

use rustls::CertificateError;
use temporalio_client::{
    errors::ClientConnectError,
    tonic::{Code, Status},
};

use crate::text::{excerpt, reported, shell_word};

const CHECK_OWN: &str =
    "Check --tls-cert and --tls-key (TEMPORAL_TLS_CLIENT_CERT_PATH, ..._KEY_PATH)";

/// The server and the namespace that an error is about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// With the scheme: `http://localhost:7233`.
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) uses_tls: bool,
    /// What a person is to check if the server refuses access.
    pub(crate) credentials: &'static str,
}

impl Target {
    fn host_port(&self) -> &str {
        let scheme_end = self.address.find("://").map_or(0, |at| at + 3);
        &self.address[scheme_end..]
    }
}

/// Why connecting failed. The message is for the person who reads it: which address, what was
/// found there, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A flag, an environment variable or the configuration file holds an invalid value. Trying again
    /// does not help.
    #[error("wrong Temporal settings: {0}")]
    Settings(String),

    /// Nothing listens at the address, or it cannot be reached.
    #[error(
        "no Temporal server at {address}: {reason}. Start one with `{start}` or \
         `temporal server start-dev{start_dev_port}`, or name another one with --address or \
         TEMPORAL_ADDRESS"
    )]
    NoServer {
        /// The address that was tried, with its scheme.
        address: String,
        /// The operating system's message.
        reason: String,
        /// This project's command that starts a server there.
        start: String,
        /// The Temporal CLI's flag for the same, where one is needed.
        start_dev_port: String,
    },

    /// Something accepts connections and then does not answer.
    #[error(
        "the program at {address} accepted a connection but did not answer within {waited:?}. It is \
         not a Temporal server, or it hangs; name another one with --address or TEMPORAL_ADDRESS"
    )]
    NoAnswer {
        /// The address that was tried, with its scheme.
        address: String,
        /// How long it was waited for.
        waited: Duration,
    },

    /// Something answers, but not as a Temporal server does.
    #[error(
        "the program at {address} is not a Temporal server, or expects {other_tls}: {found}. Name \
         another one with --address or TEMPORAL_ADDRESS, or {tls_advice}"
    )]
    NotTemporal {
        /// The address that was tried, with its scheme.
        address: String,
        /// Its answer.
        found: String,
        /// "TLS", or "no TLS": the opposite of what was tried.
        other_tls: &'static str,
        /// How to try the opposite.
        tls_advice: &'static str,
    },

    /// The server answers, but does not have the namespace.
    #[error(
        "the Temporal server at {address} has no namespace \"{}\". Name another one with \
         --namespace or TEMPORAL_NAMESPACE, or create it: `temporal operator namespace create \
         --address {} --namespace {}`",
        excerpt(namespace),
        shell_word(host_port),
        shell_word(namespace)
    )]
    NamespaceNotFound {
        /// The server's address, with its scheme.
        address: String,
        /// The same address without the scheme.
        host_port: String,
        /// The namespace that is missing.
        namespace: String,
    },

    /// The encrypted connection failed, because of a certificate or of TLS itself.
    #[error("cannot open an encrypted connection to {address}: {problem}. {advice}")]
    Tls {
        /// The address that was tried, with its scheme.
        address: String,
        /// What is wrong, and with whose certificate.
        problem: String,
        /// What to do next.
        advice: String,
    },

    /// The server rejects the credentials, or does not let them into the namespace.
    #[error(
        "the Temporal server at {address} refuses access to namespace \"{}\": {reason}. \
         Check {credentials} and the namespace's full name",
        excerpt(namespace)
    )]
    PermissionDenied {
        /// The server's address, with its scheme.
        address: String,
        /// The namespace that was asked for.
        namespace: String,
        /// The server's message.
        reason: String,
        /// What to check.
        credentials: &'static str,
    },

    /// The server cannot serve at the moment, for example while it starts or stops.
    #[error("the Temporal server at {address} is not ready: {reason}. Try again in a moment")]
    NotReady {
        /// The server's address, with its scheme.
        address: String,
        /// The server's message.
        reason: String,
    },
}

impl ConnectError {
    /// Returns whether trying again with the same settings is pointless.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Settings(_))
    }

    /// Returns whether no server answers at the moment.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::NoServer { .. } | Self::NoAnswer { .. } | Self::NotReady { .. }
        )
    }

    /// Returns whether an API key or a certificate was rejected.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::PermissionDenied { .. } | Self::Tls { .. })
    }

    pub(crate) fn settings(problem: impl Into<String>) -> Self {
        Self::Settings(problem.into())
    }

    pub(crate) fn no_server(target: &Target, reason: &str) -> Self {
        let (host, port) = target.host_port().rsplit_once(':').unwrap_or_default();
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let (mut start, mut start_dev_port) =
            ("cargo run -p demo -- server".to_owned(), String::new());
        if local && port != "7233" {
            start_dev_port = format!(" --port {port}");
            start += &start_dev_port;
        }
        Self::NoServer {
            address: target.address.clone(),
            reason: reported(reason),
            start,
            start_dev_port,
        }
    }

    pub(crate) fn no_answer(target: &Target, waited: Duration) -> Self {
        Self::NoAnswer {
            address: target.address.clone(),
            waited,
        }
    }

    pub(crate) fn from_connect(target: &Target, error: ClientConnectError) -> Self {
        match error {
            ClientConnectError::InvalidUri(_)
            | ClientConnectError::InvalidHeaders(_)
            | ClientConnectError::InvalidConfig(_) => Self::Settings(error.to_string()),
            ClientConnectError::DnsResolutionError { .. } => {
                Self::no_server(target, &innermost(&error))
            }
            ClientConnectError::SystemInfoCallError(status) => Self::from_status(target, &status),
            error => Self::from_transport(target, &error),
        }
    }

    pub(crate) fn from_status(target: &Target, status: &Status) -> Self {
        let address = target.address.clone();
        // A status with a source was made on this side, because the connection failed.
        if status.source().is_some() {
            return Self::from_transport(target, status);
        }
        let reason = match status.message() {
            "" => status.code().description().to_owned(),
            message => reported(message.trim_end_matches('.')),
        };
        match status.code() {
            Code::NotFound => Self::NamespaceNotFound {
                address,
                host_port: target.host_port().to_owned(),
                namespace: target.namespace.clone(),
            },
            Code::PermissionDenied | Code::Unauthenticated => Self::PermissionDenied {
                address,
                namespace: target.namespace.clone(),
                reason,
                credentials: target.credentials,
            },
            // The request means nothing to the server, and that will not change. A server that
            // speaks HTTP but not gRPC ends up here as well.
            Code::Unimplemented | Code::InvalidArgument | Code::Unknown | Code::Internal => {
                Self::not_temporal(target, reason)
            }
            _ => Self::NotReady { address, reason },
        }
    }

    fn from_transport(target: &Target, error: &(dyn Error + 'static)) -> Self {
        if let Some(trouble) = find_tls(error) {
            return Self::from_tls(target, trouble);
        }
        let innermost = innermost(error);
        // Since TLS 1.3 a server refuses a client's certificate after the handshake, where HTTP/2
        // keeps no more of the error than its text.
        if let Some((_, alert)) = innermost.split_once("received fatal alert: ") {
            return Self::from_alert(target, alert);
        }
        match find_io(error) {
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable) => {
                Self::no_server(target, &innermost)
            }
            _ => Self::not_temporal(target, innermost),
        }
    }

    fn not_temporal(target: &Target, found: String) -> Self {
        let (other_tls, tls_advice) = if target.uses_tls {
            ("no TLS", "turn TLS off with --tls=false")
        } else {
            ("TLS", "turn TLS on with --tls")
        };
        Self::NotTemporal {
            address: target.address.clone(),
            found: reported(&found),
            other_tls,
            tls_advice,
        }
    }

    fn from_tls(target: &Target, error: &rustls::Error) -> Self {
        const CHECK_CA: &str = "If the server has a root certificate of its own, name it with \
                                --tls-ca (TEMPORAL_TLS_SERVER_CA_CERT_PATH)";
        let (problem, advice) = match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    "the server's certificate has expired".to_owned(),
                    "Whoever runs the server must renew it; check this machine's clock too",
                ),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                    "the server's certificate is not valid yet".to_owned(),
                    "Check this machine's clock",
                ),
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => (
                    format!("the server's certificate is for another name ({reason})"),
                    "Set that name with --tls-server-name (TEMPORAL_TLS_SERVER_NAME)",
                ),
                CertificateError::UnknownIssuer => (
                    "the server's certificate is signed by an authority that this machine does not trust".to_owned(),
                    CHECK_CA,
                ),
                reason => (
                    format!("the server's certificate is not accepted ({reason})"),
                    CHECK_CA,
                ),
            },
            rustls::Error::AlertReceived(alert) => {
                return Self::from_alert(target, &format!("{alert:?}"));
            }
            rustls::Error::InvalidMessage(_) => (
                "the program there does not speak TLS".to_owned(),
                "Turn TLS off with --tls=false, or check the address",
            ),
            rustls::Error::InconsistentKeys(_) => (
                "your own certificate and private key do not belong together".to_owned(),
                CHECK_OWN,
            ),
            error => (error.to_string(), "Check the --tls flags"),
        };
        Self::Tls {
            address: target.address.clone(),
            problem,
            advice: advice.to_owned(),
        }
    }

    /// From the name of the TLS alert that the server sent before it closed the connection.
    fn from_alert(target: &Target, alert: &str) -> Self {
        let (problem, advice) = match alert {
            "CertificateRequired" => (
                "the server asks for your own certificate (mTLS)".to_owned(),
                "Name it with --tls-cert and --tls-key",
            ),
            "CertificateExpired" => (
                "the server says that your own certificate has expired".to_owned(),
                "Renew it, and name the new one with --tls-cert and --tls-key",
            ),
            "UnknownCA" => (
                "your own certificate is signed by an authority that the server does not trust"
                    .to_owned(),
                CHECK_OWN,
            ),
            alert => (
                format!("the server refuses your own certificate or the connection ({alert})"),
                CHECK_OWN,
            ),
        };
        Self::Tls {
            address: target.address.clone(),
            problem,
            advice: advice.to_owned(),
        }
    }
}

/// `error` and its causes, outermost first.
fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |&error| {
        // An I/O error's own `source` leaves out the error it wraps, which is the one that counts.
        match error.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(Some(wrapped)) => Some(wrapped as &(dyn Error + 'static)),
            _ => error.source(),
        }
    })
}

fn find_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn find_io(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    chain(error).find_map(|error| Some(error.downcast_ref::<io::Error>()?.kind()))
}

/// The innermost cause: the outer ones say no more than "transport error".
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
