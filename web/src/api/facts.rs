//! The stock, the ledger, the audit, and what this server is.

use std::sync::Arc;

use activities::services::{DECLINED, OUTAGE};
use axum::{
    extract::State,
    http::{StatusCode, Uri},
};
use inventory::InventoryError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    extract::{Json, bad, query},
};
use crate::{
    problem::Problem,
    view::{AuditView, Line, StockView},
};

fn unreadable(error: InventoryError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// Shows the stock of each product.
#[utoipa::path(
    get,
    path = "/api/stock",
    responses(
        (status = 200, description = "The stock", body = Vec<StockView>),
        (status = 503, description = "The inventory cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stock(State(api): State<Arc<Api>>) -> Result<Json<Vec<StockView>>, Problem> {
    let inventory = &api.watching.source.site.inventory;
    let products = inventory.products().await.map_err(unreadable)?;
    let products = products.into_iter().map(|product| StockView {
        product_id: product.product,
        in_stock: product.in_stock,
    });
    Ok(Json(products.collect()))
}

/// Which lines of the ledger to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those after the line with this number.
    #[serde(default)]
    #[param(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    after: u32,
    /// How many at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    limit: usize,
}

fn default_limit() -> usize {
    100
}

/// Shows lines of the ledger, oldest first.
#[utoipa::path(
    get,
    path = "/api/ledger",
    params(Which),
    responses(
        (status = 200, description = "The lines", body = Vec<Line>),
        (status = 400, description = "A wrong parameter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The inventory cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ledger(
    State(api): State<Arc<Api>>,
    uri: Uri,
) -> Result<Json<Vec<Line>>, Problem> {
    let which: Which = query(&uri)?;
    if !(1..=1_000).contains(&which.limit) {
        return Err(bad("limit: must be from 1 to 1000"));
    }
    let inventory = &api.watching.source.site.inventory;
    let lines = inventory.ledger(which.after.into(), which.limit).await;
    let lines = lines.map_err(unreadable)?;
    Ok(Json(lines.iter().map(Line::from).collect()))
}

/// Checks that everything adds up, and that no order was left behind.
#[utoipa::path(
    get,
    path = "/api/audit",
    responses(
        (status = 200, description = "What was found", body = AuditView),
        (status = 503, description = "The inventory cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn audit(State(api): State<Arc<Api>>) -> Result<Json<AuditView>, Problem> {
    api.watching.audit().await.map(Json)
}

/// What this server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    /// Whether it is a demo, whose processes can be killed.
    stage: bool,
    /// The address of Temporal's Web UI.
    #[serde(rename = "webUI")]
    web_ui: String,
    /// The workers' task queue.
    task_queue: String,
    /// What orders can be paid with to see something.
    payments: Vec<Payment>,
    /// The program's version.
    version: &'static str,
}

/// Something that an order can be paid with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Payment {
    /// What happens then.
    label: &'static str,
    /// The payment info.
    value: &'static str,
}

/// Says what this server is.
#[utoipa::path(
    get,
    path = "/api/about",
    responses((status = 200, description = "What it is", body = About))
)]
pub(crate) async fn about(State(api): State<Arc<Api>>) -> Json<About> {
    let site = &api.watching.source.site;
    let payment = |label, value| Payment { label, value };
    Json(About {
        stage: site.stage.is_some(),
        web_ui: site.ui_address.clone(),
        task_queue: site.task_queue.clone(),
        payments: vec![
            payment("a good card", starter::args::DEFAULT_PAYMENT_INFO),
            payment("a declined card", DECLINED),
            payment("a card whose service is down for a while", OUTAGE),
        ],
        version: env!("CARGO_PKG_VERSION"),
    })
}
