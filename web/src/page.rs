//! The page's files, and what a browser may do with them.

use axum::{
    Router,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    response::IntoResponse,
    routing::get,
};

/// A page may load and ask nothing but this server, and nobody may put it into another page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Serves the page at `/` and at each order's address, and its other files below `/page/`.
pub(crate) fn router() -> Router {
    let mut router = Router::new();
    for (name, text) in FILES {
        let kind = kind(name);
        let file = move || async move { file(kind, text) };
        if *name == "index.html" {
            router = router
                .route("/", get(file))
                .route("/orders/{id}", get(file));
        } else {
            router = router.route(&format!("/page/{name}"), get(file));
        }
    }
    router
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A new version of the program brings new files.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => HTML,
    }
}
