//! Decides which requests are answered.

use std::net::SocketAddr;

use axum::http::{
    Method, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    request,
    uri::Uri,
};

use crate::{
    encryption::codec::EncryptionError,
    hosts::{HeadError, Hosts, only},
    http::BodyError,
    text::excerpt,
};

const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
/// The headers that the Web UI sends and that need permission. With `authorization` it passes its
/// user's token on, if it is set up to.
const HEADERS: HeaderValue = HeaderValue::from_static("content-type, x-namespace, authorization");
/// A browser asks with these headers before it lets a page from elsewhere reach this machine.
const ASKS_FOR_PRIVATE: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Reads the origin of a Web UI, as a value parser of a flag: as browsers send it, without a path.
///
/// # Errors
/// Returns the reason if no page has such an origin. There is no `*`: any page that a person has open
/// could read orders then.
pub fn origin(text: &str) -> Result<String, String> {
    let origin = text.trim_end_matches('/').to_lowercase();
    let url: Option<Uri> = origin.parse().ok();
    let url = url.filter(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.authority().is_some_and(|it| !it.as_str().contains('@'))
            && format!("{origin}/") == url.to_string()
    });
    url.map(|_| origin).ok_or_else(|| {
        "expected the address of one Web UI, such as https://ui.example:8233; \"*\" would let any \
         page read orders"
            .to_owned()
    })
}

/// Which requests a codec server answers.
#[derive(Debug)]
pub struct Admission {
    hosts: Hosts,
    origins: Vec<String>,
    namespaces: Vec<String>,
}

/// What an answered request asks for.
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
    /// A browser asks whether a page may send its request (a CORS preflight).
    Preflight,
    /// The request itself.
    Work(Work),
}

/// Why a request is refused. The message goes to the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A header that decides about the request is there twice, or is not text.
    #[error("the header {0} must be there once, and be text")]
    Ambiguous(HeaderName),
    /// The `Host` header is not one of the server's names.
    #[error("{:?} is not a name of this codec server; if it should be, add it with --host", excerpt(.0))]
    Host(String),
    /// The path is unknown.
    #[error("the paths are /encode and /decode")]
    Path,
    /// The request comes from a page that is not an allowed Web UI.
    #[error(
        "pages from {:?} may not use this codec server; if this is your Web UI, add it with --origin",
        excerpt(.0)
    )]
    Origin(String),
    /// The method is not POST.
    #[error("use POST")]
    Method,
    /// The content type is not JSON.
    #[error("use Content-Type application/json")]
    ContentType,
    /// The server was not started for this namespace.
    #[error(
        "this codec server was not started for namespace {:?}; add it with --namespace",
        excerpt(.0)
    )]
    Namespace(String),
    /// The body was not taken in.
    #[error(transparent)]
    Body(BodyError),
    /// The body is not a list of payloads.
    #[error("the body is not {{\"payloads\":[...]}}: {0}")]
    NoPayloads(serde_json::Error),
    /// A payload cannot be encrypted or decrypted.
    #[error("a payload cannot be processed: {0}")]
    Encryption(EncryptionError),
}

impl Refusal {
    /// Returns the HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Ambiguous(_) => StatusCode::BAD_REQUEST,
            Self::Host(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Origin(_) | Self::Namespace(_) => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BodyError::TooLong { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::NoRoom) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::CutShort) => StatusCode::REQUEST_TIMEOUT,
            Self::NoPayloads(_) | Self::Encryption(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<HeadError> for Refusal {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Ambiguous(name) => Self::Ambiguous(name),
            HeadError::Host(host) => Self::Host(host),
        }
    }
}

impl Admission {
    /// Rules for a server that listens at `address` and is also known by the names in `hosts`.
    ///
    /// It answers pages from `origins` (see [`origin`]) and programs that are not web pages. It answers for
    /// `namespaces`, or for any namespace if that is empty.
    pub fn new(
        address: SocketAddr,
        hosts: &[String],
        origins: &[String],
        namespaces: &[String],
    ) -> Self {
        Self {
            hosts: Hosts::new(address, hosts),
            origins: origins.to_vec(),
            namespaces: namespaces.to_vec(),
        }
    }

    /// Decides whether a request is answered, from what comes before its body.
    ///
    /// # Errors
    /// Returns the reason if it is refused.
    pub fn admit(&self, head: &request::Parts) -> Result<Admitted, Refusal> {
        let headers = &head.headers;
        self.hosts.check(headers, &head.uri)?;
        let work = match head.uri.path() {
            "/encode" => Work::Encode,
            "/decode" => Work::Decode,
            _ => return Err(Refusal::Path),
        };
        // Only browsers send an Origin.
        let origin = only(headers, header::ORIGIN)?;
        if let Some(origin) = origin
            && self.allowed(headers).is_none()
        {
            return Err(Refusal::Origin(origin.to_owned()));
        }
        if head.method == Method::OPTIONS && origin.is_some() {
            return Ok(Admitted::Preflight);
        }
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        // Browsers let any page send other types without a preflight.
        let content_type = only(headers, header::CONTENT_TYPE)?.unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::ContentType);
        }
        let namespace = only(headers, NAMESPACE)?.unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|known| known == namespace) {
            return Err(Refusal::Namespace(namespace.to_owned()));
        }
        Ok(Admitted::Work(work))
    }

    /// Lets the page read the answer, if its origin is allowed.
    pub(crate) fn add_cors(&self, asked: &request::Parts, headers: &mut HeaderMap) {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.allowed(&asked.headers) else {
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

    /// The page's origin, if it is allowed.
    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = only(headers, header::ORIGIN).ok()??.to_lowercase();
        let allowed = self.origins.contains(&origin);
        allowed.then(|| headers.get(header::ORIGIN))?
    }
}

#[cfg(test)]
mod tests;
