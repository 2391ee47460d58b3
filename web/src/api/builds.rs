//! Builds of the workers behind the page: started, given new orders, and taken back.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
    routing::post,
};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::{
    Api,
    extract::{Json, bad, body},
    stage::{Answer, Done, of, to_its_end},
};
use crate::problem::Problem;

/// The routes below `/api/stage/builds`.
pub(super) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/stage/builds/{id}/start", post(start))
        .route("/api/stage/builds/{id}/deploy", post(deploy))
        .route("/api/stage/builds/{id}/take-back", post(take_back))
}

#[derive(OpenApi)]
#[openapi(paths(start, deploy, take_back))]
pub(super) struct Description;

/// Starts a worker of a build.
#[utoipa::path(
    post,
    path = "/api/stage/builds/{id}/start",
    params(("id" = String, Path, description = "The build, as the event `stage` names it")),
    responses(
        (status = 200, description = "It is ready", body = Done),
        (status = 404, description = "No such build", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It runs already", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn start(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    let stage = of(&api)?.clone();
    to_its_end(async move { stage.start_build(&id).await }).await?;
    Ok(Json(Done {}))
}

/// How many orders go to a build.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Share {
    /// How many of the new orders, in percent.
    #[schema(minimum = 1, maximum = 100)]
    percent: u8,
}

/// Gives new orders to a build.
#[utoipa::path(
    post,
    path = "/api/stage/builds/{id}/deploy",
    params(("id" = String, Path, description = "The build, as the event `stage` names it")),
    request_body = Share,
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such build", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its worker does not run", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The server refuses", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn deploy(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    let Share { percent } = body(&api.bodies, &headers, content).await?;
    if !(1..=100).contains(&percent) {
        return Err(bad("a share is 1 to 100 percent"));
    }
    let stage = of(&api)?.clone();
    to_its_end(async move { stage.deploy(&id, percent).await }).await?;
    Ok(Json(Done {}))
}

/// Gives no more new orders to a build, and moves those under way on it to an earlier one.
#[utoipa::path(
    post,
    path = "/api/stage/builds/{id}/take-back",
    params(("id" = String, Path, description = "The build, as the event `stage` names it")),
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 404, description = "No such build", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No earlier build runs", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The server refuses", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn take_back(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    let stage = of(&api)?.clone();
    to_its_end(async move { stage.take_back(&id).await }).await?;
    Ok(Json(Done {}))
}
