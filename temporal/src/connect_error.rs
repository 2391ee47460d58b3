//! Why connecting failed, and what to do next.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use temporalio_client::errors::ClientConnectError;
use temporalio_client::tonic::{Code, Status};

use crate::settings::Settings;

const CHECK_OWN: &str =
    "Check --tls-cert and --tls-key (TEMPORAL_TLS_CLIENT_CERT_PATH, ..._KEY_PATH)";

/// Why connecting failed. The message is for the person who reads it: which address, what was
/// found there, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A flag, an environment variable or the configuration file says something that cannot be.
    /// Trying again does not help.
    #[error("wrong Temporal settings: {0}")]
    Settings(String),

    /// Nothing listens at the address, or it cannot be reached.
    #[error(
        "no Temporal server at {address}: {reason}. Start one with `{start}` or \
         `temporal server start-dev{start_dev_port}`, or name another with --address or \
         TEMPORAL_ADDRESS"
    )]
    NoServer {
        /// What was tried.
        address: String,
        /// What the operating system said.
        reason: String,
        /// The project's command that starts a server there.
        start: String,
        /// The Temporal CLI's flag for the same, where one is needed.
        start_dev_port: String,
    },

    /// Something accepts connections and then stays silent.
    #[error(
        "what listens at {address} accepts a connection but gave no answer within {waited:?}. It \
         is no Temporal server, or one that hangs; name another with --address or TEMPORAL_ADDRESS"
    )]
    NoAnswer {
        /// What was tried.
        address: String,
        /// For how long.
        waited: Duration,
    },

    /// Something answers, but not as a Temporal server does.
    #[error(
        "what listens at {address} is no Temporal server, or expects {other_tls}: {found}. Name \
         another with --address or TEMPORAL_ADDRESS, or {tls_advice}"
    )]
    NotTemporal {
        /// What was tried.
        address: String,
        /// How it answered.
        found: String,
        /// "TLS", or "no TLS": the opposite of what was tried.
        other_tls: &'static str,
        /// How to try the opposite.
        tls_advice: &'static str,
    },

    /// The server is there, the namespace is not.
    #[error(
        "the Temporal server at {address} has no namespace \"{namespace}\". Name another with \
         --namespace or TEMPORAL_NAMESPACE, or make it: `temporal operator namespace create \
         --address {host_port} --namespace {namespace}`"
    )]
    NamespaceNotFound {
        /// The server asked.
        address: String,
        /// The same without the scheme.
        host_port: String,
        /// The namespace it does not have.
        namespace: String,
    },

    /// A certificate, or encryption as such, is the trouble.
    #[error("no encrypted connection to {address}: {problem}. {advice}")]
    Tls {
        /// What was tried.
        address: String,
        /// Whose certificate, and what is wrong with it.
        problem: String,
        /// What to do next.
        advice: String,
    },

    /// The server refuses these credentials, or this namespace to them.
    #[error(
        "the Temporal server at {address} refuses access to namespace \"{namespace}\": {reason}. \
         Check {credentials} and the namespace's full name"
    )]
    PermissionDenied {
        /// The server asked.
        address: String,
        /// The namespace asked for.
        namespace: String,
        /// What the server said.
        reason: String,
        /// What was presented to the server.
        credentials: &'static str,
    },

    /// A Temporal server that cannot serve just now, as while it starts or ends.
    #[error("the Temporal server at {address} is not ready: {reason}. Try again in a moment")]
    NotReady {
        /// The server asked.
        address: String,
        /// What the server said.
        reason: String,
    },
}

impl ConnectError {
    /// Whether trying again with the same settings is pointless.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Settings(_))
    }

    /// Whether it is the API key or a certificate that is refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::PermissionDenied { .. } | Self::Tls { .. })
    }

    pub(crate) fn no_server(settings: &Settings, reason: &str) -> Self {
        const USUAL_PORT: u16 = 7233;
        let local = matches!(settings.host(), "localhost" | "127.0.0.1" | "::1");
        let port = settings.port();
        let (mut start, mut start_dev_port) =
            ("cargo run -p demo -- server".to_owned(), String::new());
        if local && port != USUAL_PORT {
            start_dev_port = format!(" --port {port}");
            start += &start_dev_port;
        }
        Self::NoServer {
            address: settings.address(),
            reason: reason.to_owned(),
            start,
            start_dev_port,
        }
    }

    pub(crate) fn no_answer(settings: &Settings, waited: Duration) -> Self {
        Self::NoAnswer {
            address: settings.address(),
            waited,
        }
    }

    pub(crate) fn from_connect(settings: &Settings, error: ClientConnectError) -> Self {
        match error {
            ClientConnectError::InvalidUri(_)
            | ClientConnectError::InvalidHeaders(_)
            | ClientConnectError::InvalidConfig(_) => Self::Settings(error.to_string()),
            ClientConnectError::DnsResolutionError { .. } => {
                Self::no_server(settings, &innermost(&error))
            }
            ClientConnectError::SystemInfoCallError(status) => Self::from_status(settings, &status),
            error => Self::from_transport(settings, &error),
        }
    }

    pub(crate) fn from_status(settings: &Settings, status: &Status) -> Self {
        let address = settings.address();
        // With a source the status was made on this side, of a connection's failure: the server
        // never said it.
        if status.source().is_some() {
            return Self::from_transport(settings, status);
        }
        let reason = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.trim_end_matches('.').to_owned(),
        };
        match status.code() {
            Code::NotFound => Self::NamespaceNotFound {
                address,
                host_port: settings.host_port(),
                namespace: settings.namespace.clone(),
            },
            Code::PermissionDenied | Code::Unauthenticated => Self::PermissionDenied {
                address,
                namespace: settings.namespace.clone(),
                reason,
                credentials: settings.credentials(),
            },
            // These say of the request, and of nothing that passes, that it means nothing there;
            // a server that speaks HTTP but not gRPC ends up here as well.
            Code::Unimplemented | Code::InvalidArgument | Code::Unknown | Code::Internal => {
                Self::not_temporal(settings, reason)
            }
            _ => Self::NotReady { address, reason },
        }
    }

    fn from_transport(settings: &Settings, error: &(dyn Error + 'static)) -> Self {
        if let Some(trouble) = find_tls(error) {
            return Self::from_tls(settings, trouble);
        }
        let innermost = innermost(error);
        // Since TLS 1.3 a server refuses a client's certificate after the handshake, where HTTP/2
        // keeps no more of the error than its text.
        if let Some((_, alert)) = innermost.split_once("received fatal alert: ") {
            return Self::from_alert(settings, alert);
        }
        match find_io(error) {
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable) => {
                Self::no_server(settings, &innermost)
            }
            _ => Self::not_temporal(settings, innermost),
        }
    }

    fn not_temporal(settings: &Settings, found: String) -> Self {
        let (other_tls, tls_advice) = if settings.uses_tls() {
            ("no TLS", "turn TLS off with --tls=false")
        } else {
            ("TLS", "turn TLS on with --tls")
        };
        Self::NotTemporal {
            address: settings.address(),
            found,
            other_tls,
            tls_advice,
        }
    }

    fn from_tls(settings: &Settings, error: &rustls::Error) -> Self {
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
                    "Name the one it is for with --tls-server-name (TEMPORAL_TLS_SERVER_NAME)",
                ),
                CertificateError::UnknownIssuer => (
                    "the server's certificate is signed by nobody this machine trusts".to_owned(),
                    CHECK_CA,
                ),
                reason => (
                    format!("the server's certificate is not accepted ({reason})"),
                    CHECK_CA,
                ),
            },
            rustls::Error::AlertReceived(alert) => {
                return Self::from_alert(settings, &format!("{alert:?}"));
            }
            rustls::Error::InvalidMessage(_) => (
                "what listens there does not speak TLS".to_owned(),
                "Turn TLS off with --tls=false, or check the address",
            ),
            rustls::Error::InconsistentKeys(_) => (
                "your own certificate and private key do not belong together".to_owned(),
                CHECK_OWN,
            ),
            error => (error.to_string(), "Check the --tls flags"),
        };
        Self::Tls {
            address: settings.address(),
            problem,
            advice: advice.to_owned(),
        }
    }

    /// What the server said, by the name of its alert, before it closed the connection.
    fn from_alert(settings: &Settings, alert: &str) -> Self {
        let (problem, advice) = match alert {
            "CertificateRequired" => (
                "the server asks for your own certificate (mTLS)".to_owned(),
                "Name it with --tls-cert and --tls-key",
            ),
            "CertificateExpired" => (
                "your own certificate has expired, says the server".to_owned(),
                "Renew it, and name the new one with --tls-cert and --tls-key",
            ),
            "UnknownCA" => (
                "your own certificate is signed by nobody the server trusts".to_owned(),
                CHECK_OWN,
            ),
            alert => (
                format!("the server refuses your own certificate or the connection ({alert})"),
                CHECK_OWN,
            ),
        };
        Self::Tls {
            address: settings.address(),
            problem,
            advice: advice.to_owned(),
        }
    }
}

/// `error` and what it came from, outermost first.
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
