//! Decides which requests are answered.
//!
//! On loopback, programs of this machine are answered, and of web pages only the own one. Where a token is
//! set, nobody is without it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{AUTHORIZATION, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use ring::digest::{SHA256, digest};
use temporal::{
    Secret, excerpt,
    hosts::{HeadError, Hosts, only},
};
use tracing::warn;

use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const TOKEN_COOKIE: &str = "order-management-token";

/// Which requests are answered.
pub(crate) struct Admission {
    hosts: Hosts,
    /// The token's hash, so that comparing takes the same time for every wrong one.
    token: Option<String>,
}

impl Admission {
    /// Rules for a server that listens at `address` and is also known by the names in `hosts`.
    pub fn new(address: SocketAddr, hosts: &[String], token: Option<Secret>) -> Self {
        Self {
            hosts: Hosts::new(address, hosts),
            token: token.map(|token| hash(token.reveal())),
        }
    }

    fn admit(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let host = self.hosts.check(headers, request.uri())?;
        let is_api = request.uri().path().starts_with("/api/");
        if is_api || !is_safe(request.method()) {
            self.not_from_another_page(headers, host)?;
        }
        match &self.token {
            Some(token) if !self.knows(token, headers)? => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "this server needs its token: send \"Authorization: Bearer TOKEN\", or open \
                 /?token=TOKEN in a browser once",
            )),
            _ => Ok(()),
        }
    }

    /// Only browsers send these headers, and a page cannot choose them.
    fn not_from_another_page(&self, headers: &HeaderMap, host: &str) -> Result<(), Problem> {
        let site = only(headers, SEC_FETCH_SITE)?;
        let origin = only(headers, ORIGIN)?;
        let own = |origin: &str| {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        };
        let same_site = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
        if same_site && origin.is_none_or(own) {
            return Ok(());
        }
        let detail =
            "other pages may not use this server; open its own page, or ask it by a program";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    fn knows(&self, token: &str, headers: &HeaderMap) -> Result<bool, Problem> {
        let bearer = only(headers, AUTHORIZATION)?
            .and_then(|text| text.strip_prefix("Bearer "))
            .map(hash);
        let cookies = headers.get_all(COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|text| text.to_str().ok())
            .flat_map(|text| text.split("; "))
            .filter_map(|cookie| cookie.split_once('='))
            .filter(|(name, _)| *name == TOKEN_COOKIE)
            .map(|(_, value)| hash(value));
        // A cookie holds the token's hash, which has no characters that a cookie may not have.
        Ok(bearer.as_deref() == Some(token) || cookies.any(|value| value == hash(token)))
    }

    /// For a browser that was given the right token in the address: keeps it in a cookie, and goes to
    /// the same address without it.
    fn welcome(&self, request: &Request) -> Option<Response> {
        let token = self.token.as_ref()?;
        let given = request.uri().query()?.strip_prefix("token=")?;
        if request.method() != Method::GET
            || hash(&percent_decode_str(given).decode_utf8_lossy()) != *token
        {
            return None;
        }
        let cookie = format!("{TOKEN_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
        let headers = [
            (SET_COOKIE, HeaderValue::try_from(cookie).ok()?),
            (
                LOCATION,
                HeaderValue::from_str(own_path(request.uri())).ok()?,
            ),
        ];
        Some((StatusCode::SEE_OTHER, headers).into_response())
    }
}

/// The path, unless a browser would take it for another server's address.
fn own_path(uri: &Uri) -> &str {
    match uri.path() {
        path if path.starts_with("//") || path.contains('\\') => "/",
        path => path,
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn hash(text: &str) -> String {
    let bytes = digest(&SHA256, text.as_bytes());
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Answers the requests that are admitted by `router`.
pub(crate) fn guard(admission: Admission, router: Router) -> Router {
    router.layer(middleware::from_fn_with_state(
        Arc::new(admission),
        admitted,
    ))
}

async fn admitted(
    State(admission): State<Arc<Admission>>,
    request: Request,
    next: Next,
) -> Response {
    match admission.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            // The host was right, or a page of another server would be given the cookie.
            if problem.is(StatusCode::UNAUTHORIZED)
                && let Some(welcome) = admission.welcome(&request)
            {
                return welcome;
            }
            let path = excerpt(request.uri().path());
            warn!(method = %request.method(), %path, "refused: {}", problem.detail());
            problem.into_response()
        }
    }
}

impl From<HeadError> for Problem {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Ambiguous(name) => Self::new(
                StatusCode::BAD_REQUEST,
                format!("the header {name} must be there once, and be text"),
            ),
            HeadError::Host(host) => Self::new(
                StatusCode::MISDIRECTED_REQUEST,
                format!(
                    "{:?} is not a name of this server; if it should be, add it with --host",
                    excerpt(&host)
                ),
            ),
        }
    }
}
