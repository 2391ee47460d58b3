//! Which names a server of this machine answers to, and headers that must not be there twice.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header::HOST, uri::Authority};

/// The names of a server, as HOST:PORT. A request for any other name is refused, which stops DNS rebinding,
/// where a page points its own name to this address.
#[derive(Debug)]
pub struct Hosts(Vec<String>);

/// What is wrong with a request's head.
#[derive(Debug)]
pub enum HeadError {
    /// This header is there twice, or is not text.
    Ambiguous(HeaderName),
    /// The request is for this name.
    Host(String),
}

impl Hosts {
    /// The names of a server that listens at `address` and is also known by those in `hosts`.
    pub fn new(address: SocketAddr, hosts: &[String]) -> Self {
        let mut hosts: Vec<_> = hosts.iter().map(|host| host.to_lowercase()).collect();
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        if address.ip().is_loopback() {
            hosts.push(format!("localhost:{}", address.port()));
        }
        Self(hosts)
    }

    /// Returns the name that a request is for.
    ///
    /// # Errors
    /// Returns an error if it is not one of these, or is there twice.
    pub fn check<'a>(&self, headers: &'a HeaderMap, uri: &Uri) -> Result<&'a str, HeadError> {
        let host = only(headers, HOST)?.unwrap_or_default();
        // A request line may hold a whole URL, whose host counts before the header (RFC 9112, 3.2.2).
        let host_of_url = uri.authority().map(Authority::as_str);
        for host in [Some(host), host_of_url].into_iter().flatten() {
            if !self.0.contains(&host.to_lowercase()) {
                return Err(HeadError::Host(host.to_owned()));
            }
        }
        Ok(host)
    }
}

/// Returns the text of a header that may be there at most once. Another program on the way might go by the
/// other one.
///
/// # Errors
/// Returns an error if it is there twice, or is not text.
pub fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, HeadError> {
    let mut all = headers.get_all(&name).iter();
    let (first, second) = (all.next(), all.next());
    match first.map(HeaderValue::to_str).transpose() {
        Ok(text) if second.is_none() => Ok(text),
        _ => Err(HeadError::Ambiguous(name)),
    }
}
