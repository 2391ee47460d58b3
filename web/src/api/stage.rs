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
use serde_json::{Value, json};

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

type Answer = Result<Json<Value>, Problem>;

fn of(api: &Api) -> Result<&Arc<dyn Stage>, Problem> {
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

async fn kill(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    of(&api)?.kill(&name).await.map_err(problem)?;
    Ok(Json(json!({})))
}

async fn start(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    of(&api)?.start(&name).await.map_err(problem)?;
    Ok(Json(json!({})))
}

async fn kill_after_charge(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    of(&api)?.kill_after_charge(&name).await.map_err(problem)?;
    Ok(Json(json!({"armed": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    rate: f64,
}

async fn faults(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Faults { rate } = body(&api.bodies, &headers, content).await?;
    let rate = FaultRate::try_from(rate).map_err(|error| bad(error.to_string()))?;
    of(&api)?.set_fault_rate(rate).await.map_err(problem)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payments {
    up: bool,
}

async fn payments(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Payments { up } = body(&api.bodies, &headers, content).await?;
    of(&api)?.set_payments_up(up).await.map_err(problem)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    count: u32,
}

async fn orders(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Many { count } = body(&api.bodies, &headers, content).await?;
    of(&api)?.place_orders(count).await.map_err(problem)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comparing {
    orders: u32,
    kills: u32,
}

async fn comparison(State(api): State<Arc<Api>>, headers: HeaderMap, content: Body) -> Answer {
    let Comparing { orders, kills } = body(&api.bodies, &headers, content).await?;
    of(&api)?.compare(orders, kills).await.map_err(problem)?;
    Ok(Json(json!({})))
}

/// A scene that began.
#[derive(Serialize)]
struct Playing {
    /// The order to look at.
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
}

async fn scene(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<Playing>, Problem> {
    let order_id = of(&api)?.play_scene(&id).await.map_err(problem)?;
    Ok(Json(Playing { order_id }))
}

async fn report(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let html = of(&api)?.report().await.map_err(problem)?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"orders.html\""),
        (CONTENT_SECURITY_POLICY, REPORT_POLICY),
    ];
    Ok((headers, html).into_response())
}
