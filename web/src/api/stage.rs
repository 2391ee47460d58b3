//! What only a demo has: processes to kill, faults to set, scenes to play.

use std::sync::Arc;

use activities::faults::FaultRate;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{
    Api,
    extract::{Json, bad, body},
};
use crate::{
    problem::Problem,
    stage::{Stage, StageError},
};

/// A report shows pictures and has its style in itself, and runs nothing.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The routes below `/api/stage`.
pub(super) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/stage/processes/{name}/kill", post(kill))
        .route("/api/stage/processes/{name}/start", post(start))
        .route(
            "/api/stage/processes/{name}/kill-after-charge",
            post(kill_after_charge),
        )
        .route("/api/stage/faults", post(faults))
        .route("/api/stage/payments", post(payments))
        .route("/api/stage/orders", post(orders))
        .route("/api/stage/comparison", post(comparison))
        .route("/api/stage/scenes/{id}", post(scene))
        .route("/api/stage/report", get(report))
}

#[derive(OpenApi)]
#[openapi(paths(
    kill,
    start,
    kill_after_charge,
    faults,
    payments,
    orders,
    comparison,
    scene,
    report
))]
pub(super) struct Description;

/// That it was done, or has begun; the event `stage` tells the rest.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {}

pub(super) type Answer = Result<Json<Done>, Problem>;

pub(super) fn of(api: &Api) -> Result<&Arc<dyn Stage>, Problem> {
    let stage = api.watching.source.site.stage.as_ref();
    stage.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "this server has no stage"))
}

fn problem(error: StageError) -> Problem {
    let status = match error {
        StageError::Unknown(_) => StatusCode::NOT_FOUND,
        StageError::Refused(_) => StatusCode::CONFLICT,
        StageError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.to_string())
}

/// Does something on the stage to its end, also if the browser that asked for it goes away meanwhile.
pub(super) async fn to_its_end<T: Send + 'static>(
    doing: impl Future<Output = Result<T, StageError>> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::spawn(doing).await;
    let done = done.unwrap_or_else(|error| Err(StageError::Failed(error.to_string())));
    done.map_err(problem)
}

/// Kills a process with SIGKILL.
#[utoipa::path(
    post,
    path = "/api/stage/processes/{name}/kill",
    params(("name" = String, Path, description = "The process: `worker-1`, `worker-2` or `server`")),
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 404, description = "No such process", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not run", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn kill(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    let stage = of(&api)?.clone();
    to_its_end(async move { stage.kill(&name).await }).await?;
    Ok(Json(Done {}))
}

/// Starts a process that has ended.
#[utoipa::path(
    post,
    path = "/api/stage/processes/{name}/start",
    params(("name" = String, Path, description = "The process: `worker-1`, `worker-2` or `server`")),
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 404, description = "No such process", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It runs already", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn start(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    let stage = of(&api)?.clone();
    to_its_end(async move { stage.start(&name).await }).await?;
    Ok(Json(Done {}))
}

/// Kills a worker when it has made its next charge, before it can report it.
#[utoipa::path(
    post,
    path = "/api/stage/processes/{name}/kill-after-charge",
    params(("name" = String, Path, description = "The worker: `worker-1` or `worker-2`")),
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 404, description = "No such process", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not run", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn kill_after_charge(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    of(&api)?.kill_after_charge(&name).await.map_err(problem)?;
    Ok(Json(Done {}))
}

/// How many attempts fail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Faults {
    /// The share of the attempts.
    #[schema(minimum = 0, maximum = 1)]
    rate: f64,
}

/// Makes so many of the attempts that begin from now on fail.
#[utoipa::path(
    post,
    path = "/api/stage/faults",
    request_body = Faults,
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn faults(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Faults { rate } = body(&api.bodies, &headers, content).await?;
    let rate = FaultRate::try_from(rate).map_err(|error| bad(error.to_string()))?;
    of(&api)?.set_fault_rate(rate).await.map_err(problem)?;
    Ok(Json(Done {}))
}

/// The payment service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Payments {
    /// Whether it is up.
    up: bool,
}

/// Takes the payment service down, or up again.
#[utoipa::path(
    post,
    path = "/api/stage/payments",
    request_body = Payments,
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn payments(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Payments { up } = body(&api.bodies, &headers, content).await?;
    of(&api)?.set_payments_up(up).await.map_err(problem)?;
    Ok(Json(Done {}))
}

/// Many orders.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Many {
    /// How many.
    #[schema(minimum = 1, maximum = 200)]
    count: u32,
}

/// Places many orders, several at a time.
#[utoipa::path(
    post,
    path = "/api/stage/orders",
    request_body = Many,
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too many, or something else is under way", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn orders(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Many { count } = body(&api.bodies, &headers, content).await?;
    of(&api)?.place_orders(count).await.map_err(problem)?;
    Ok(Json(Done {}))
}

/// What to compare.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Comparing {
    /// How many orders, on each side.
    #[schema(minimum = 1, maximum = 200)]
    orders: u32,
    /// How many kills, on each side: not more than there are orders.
    kills: u32,
}

/// Processes orders as plain function calls and on Temporal, with as many kills on each side.
#[utoipa::path(
    post,
    path = "/api/stage/comparison",
    request_body = Comparing,
    responses(
        (status = 200, description = "Done", body = Done),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too many, or something else is under way", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn comparison(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Comparing { orders, kills } = body(&api.bodies, &headers, content).await?;
    of(&api)?.compare(orders, kills).await.map_err(problem)?;
    Ok(Json(Done {}))
}

/// A scene that began.
#[derive(Serialize, ToSchema)]
struct Playing {
    /// The order to look at.
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
}

/// Plays a scene of the script.
#[utoipa::path(
    post,
    path = "/api/stage/scenes/{id}",
    params(("id" = String, Path, description = "The scene, as the event `stage` names it")),
    responses(
        (status = 200, description = "It began", body = Playing),
        (status = 404, description = "No such scene", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be done now", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn scene(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<Playing>, Problem> {
    let stage = of(&api)?.clone();
    let order_id = to_its_end(async move { stage.play_scene(&id).await }).await?;
    Ok(Json(Playing { order_id }))
}

/// Saves everything that happened so far.
#[utoipa::path(
    get,
    path = "/api/stage/report",
    responses(
        (status = 200, description = "A page of HTML, complete in itself", body = String, content_type = "text/html"),
        (status = 500, description = "The server or the inventory does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn report(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let html = of(&api)?.report().await.map_err(problem)?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"orders.html\""),
        (CONTENT_SECURITY_POLICY, REPORT_POLICY),
    ];
    Ok((headers, html).into_response())
}
