//! The routes of the HTTP API.
//!
//! | module | what lives there |
//! |---|---|
//! | `extract` | reads what a request brings, within limits |
//! | `orders` | places orders, shows them, and tells them something |
//! | `facts` | the stock, the ledger, the audit |
//! | `events` | what changes, as server-sent events |
//! | `stage` | what only a demo has |
//! | `builds` | the builds of a demo's workers |

mod builds;
mod events;
mod extract;
#[expect(unused_qualifications, reason = "of the code that utoipa writes")]
mod facts;
#[expect(unused_qualifications, reason = "of the code that utoipa writes")]
mod orders;
mod stage;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, Uri, header::CONTENT_TYPE},
    routing::{get, post},
};
use temporal::{excerpt, http::BodyRoom};
use tokio::sync::Semaphore;
use utoipa::OpenApi;

use crate::{LIMITS, problem::Problem, watch::Watching};

/// The bytes of all bodies that are received at the same time.
const BYTES_IN_FLIGHT: usize = 64 * LIMITS.body;

/// The most streams of events. Other requests always find a place beside them.
const MAX_STREAMS: usize = 1_500;

/// What the handlers share.
pub(crate) struct Api {
    watching: Arc<Watching>,
    bodies: BodyRoom,
    streams: Arc<Semaphore>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orders",
        description = "Places orders, follows them, and tells them something. Errors are \
            application/problem+json."
    ),
    paths(
        orders::place,
        orders::list,
        orders::show,
        orders::approve,
        orders::reject,
        orders::cancel,
        orders::address,
        events::of_order,
        events::of_all,
        facts::stock,
        facts::ledger,
        facts::audit,
        facts::about,
    )
)]
struct Description;

/// The routes below `/api`.
pub(crate) fn router(watching: Arc<Watching>) -> Router {
    let has_stage = watching.source.site.stage.is_some();
    let api = Arc::new(Api {
        watching,
        bodies: BodyRoom::new(LIMITS.body, BYTES_IN_FLIGHT),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
    });
    let router = Router::new()
        .route("/api/orders", post(orders::place).get(orders::list))
        .route("/api/orders/{id}", get(orders::show))
        .route("/api/orders/{id}/events", get(events::of_order))
        .route("/api/orders/{id}/approve", post(orders::approve))
        .route("/api/orders/{id}/reject", post(orders::reject))
        .route("/api/orders/{id}/cancel", post(orders::cancel))
        .route("/api/orders/{id}/address", post(orders::address))
        .route("/api/events", get(events::of_all))
        .route("/api/stock", get(facts::stock))
        .route("/api/ledger", get(facts::ledger))
        .route("/api/audit", get(facts::audit))
        .route("/api/about", get(facts::about))
        .route("/api/openapi.json", get(description));
    let router = if has_stage {
        router.merge(stage::router()).merge(builds::router())
    } else {
        router
    };
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(api)
}

async fn description(State(api): State<Arc<Api>>) -> impl axum::response::IntoResponse {
    let mut description = Description::openapi();
    if api.watching.source.site.stage.is_some() {
        description.merge(stage::Description::openapi());
        description.merge(builds::Description::openapi());
    }
    let json = description.to_json().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], json)
}

async fn no_such_path(uri: Uri) -> Problem {
    let detail = format!(
        "there is nothing at {:?}; /api/openapi.json describes what there is",
        excerpt(uri.path())
    );
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{:?} does not take {}; /api/openapi.json describes what it takes",
        excerpt(uri.path()),
        excerpt(method.as_str())
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
