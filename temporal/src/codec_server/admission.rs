//! Which requests are answered at all.

use std::net::SocketAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{Method, StatusCode};

use crate::encryption::codec::EncryptionError;

const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
/// What the Web UI sends besides what any page may send: the namespace, and where it is set up so,
/// its user's token.
const HEADERS: HeaderValue = HeaderValue::from_static("content-type, x-namespace, authorization");
/// With these a browser asks before a page from elsewhere may reach this machine.
const ASKS_FOR_PRIVATE: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Whom a codec server answers.
#[derive(Debug)]
pub struct Admission {
    hosts: Vec<String>,
    origins: Vec<String>,
    namespaces: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// To encrypt.
    Encode,
    /// To decrypt.
    Decode,
}

/// A request that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A browser asks whether a page may ask.
    Preflight,
    /// The request itself.
    Work(Work),
}

/// Why a request is not answered as it wished. The message goes to whoever asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is asked under a name that is not its own: a page may have bent its own name to this
    /// address (DNS rebinding).
    #[error("this codec server is not called {0:?}; if it is, start it with --host")]
    Host(String),
    /// There is nothing there.
    #[error("there is nothing here but /encode and /decode")]
    Path,
    /// A page asks that is not the Web UI.
    #[error("pages of {0:?} may not ask; if this is your Web UI, start it with --origin")]
    Origin(String),
    /// Not a POST.
    #[error("only POST is answered")]
    Method,
    /// Not JSON.
    #[error("only Content-Type application/json is answered")]
    ContentType,
    /// A namespace it was not started for.
    #[error("namespace {0:?} is none that this codec server was started for with --namespace")]
    Namespace(String),
    /// The body is longer than it may be.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// How long it may be.
        limit: usize,
    },
    /// The body did not arrive.
    #[error("the body did not arrive")]
    CutShort,
    /// The body holds no payloads.
    #[error("the body is not {{\"payloads\":[...]}}: {0}")]
    NoPayloads(serde_json::Error),
    /// A payload cannot be encrypted or decrypted.
    #[error("a payload: {0}")]
    Encryption(EncryptionError),
}

impl Refusal {
    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Host(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Origin(_) | Self::Namespace(_) => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CutShort => StatusCode::REQUEST_TIMEOUT,
            Self::NoPayloads(_) | Self::Encryption(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Admission {
    /// For a server that listens at `address` and may also be asked under `hosts`, by pages of
    /// `origins` and programs that are no pages, for `namespaces`, or for any where that is empty.
    pub fn new(
        address: SocketAddr,
        hosts: &[String],
        origins: &[String],
        namespaces: &[String],
    ) -> Self {
        let mut hosts: Vec<_> = hosts.iter().map(|host| host.to_lowercase()).collect();
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        if address.ip().is_loopback() {
            hosts.push(format!("localhost:{}", address.port()));
        }
        let origins = origins.iter();
        Self {
            hosts,
            origins: origins
                .map(|origin| origin.trim_end_matches('/').to_lowercase())
                .collect(),
            namespaces: namespaces.to_vec(),
        }
    }

    /// Whether a request is answered, by what comes before its body.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, head: &request::Parts) -> Result<Admitted, Refusal> {
        let headers = &head.headers;
        let host = text(headers, header::HOST).unwrap_or_default();
        if !self.hosts.contains(&host.to_lowercase()) {
            return Err(Refusal::Host(host.to_owned()));
        }
        let work = match head.uri.path() {
            "/encode" => Work::Encode,
            "/decode" => Work::Decode,
            _ => return Err(Refusal::Path),
        };
        // A program that is no page sends none.
        if headers.contains_key(header::ORIGIN) && self.origin(headers).is_none() {
            let origin = text(headers, header::ORIGIN).unwrap_or_default();
            return Err(Refusal::Origin(origin.to_owned()));
        }
        if head.method == Method::OPTIONS && headers.contains_key(header::ORIGIN) {
            return Ok(Admitted::Preflight);
        }
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        // A page can send other types without asking before.
        let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::ContentType);
        }
        let namespace = text(headers, NAMESPACE).unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|known| known == namespace) {
            return Err(Refusal::Namespace(namespace.to_owned()));
        }
        Ok(Admitted::Work(work))
    }

    /// Lets the page that asked read the answer, where it may ask.
    pub(crate) fn add_cors(&self, asked: &request::Parts, headers: &mut HeaderMap) {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.origin(&asked.headers) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if asked.method == Method::OPTIONS {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            if asked.headers.contains_key(ASKS_FOR_PRIVATE) {
                headers.insert(ALLOWS_PRIVATE, HeaderValue::from_static("true"));
            }
        }
    }

    /// The page's origin, where it may ask.
    fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?.to_lowercase();
        self.origins.contains(&text).then_some(origin)
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
