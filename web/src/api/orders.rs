//! Places orders, shows them, and tells them something.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use orders::{ApprovalRule, Item, Order, limits::MAX_REASON, within};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use starter::{
    follow::OrderHandle,
    list::{ORDERS, counts, of_status},
    message::{self, Message, NotTold},
    submit::{Submitted, submit},
    unserved::{self, NO_WORKER_AFTER},
};
use temporalio_client::{WorkflowDescribeOptions, errors::WorkflowInteractionError, tonic::Code};
use tokio::{sync::watch, time::timeout};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};
use workflows::OrderStatus;

use super::{
    Api,
    extract::{Json, OrderId, bad, body, query},
};
use crate::{
    problem::Problem,
    view::{OrderSummary, OrderView, Reason},
    watch::list::newest,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The numbers of orders that are given none end here, for they are read aloud.
const HIGHEST_RANDOM_NUMBER: u64 = 99_999_999;

/// An order to place.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// The order's ID. Without it, the Idempotency-Key is; without both, one is made up.
    #[serde(rename = "orderID")]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"[^\s\u0085]",
        example = "order-11235"
    )]
    order_id: Option<String>,
    /// The product's ID.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"[^\s\u0085]",
        example = "123456"
    )]
    item: String,
    /// Units of it.
    #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64, example = 2)]
    quantity: u32,
    /// What the order is paid with.
    #[schema(max_length = 100, pattern = "^[ -~]*$", example = "VISA-123456")]
    payment_info: String,
    /// How long to pause before the shipment is prepared, in seconds.
    #[schema(maximum = 2_419_200)]
    pause_seconds: Option<u64>,
    /// Further items of the same order.
    #[serde(default)]
    #[schema(max_items = 99)]
    more_items: Vec<NewItem>,
    /// Whether each item ships in a workflow of its own.
    #[serde(default)]
    ship_apart: bool,
    /// Whether the fraud check runs as a local activity.
    #[serde(default)]
    local_check: bool,
    /// The delivery address.
    #[schema(
        max_length = 200,
        pattern = r"^[0-9]\S* \S",
        example = "12 Main Street"
    )]
    address: Option<String>,
    /// How long to wait, at most, for a new delivery address before the order ships, in seconds.
    #[schema(maximum = 2_419_200)]
    await_address_seconds: Option<u64>,
    /// When the order needs a person's approval.
    approval: Option<Approval>,
}

/// A further item.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItem {
    /// The product's ID.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"[^\s\u0085]",
        example = "234567"
    )]
    product: String,
    /// Units of it.
    #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64, example = 1)]
    quantity: u32,
}

/// When an order needs a person's approval.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Approval {
    /// If it has more units than this.
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    above_quantity: u32,
    /// How long the approval may take, in seconds.
    #[schema(maximum = 2_419_200)]
    within_seconds: u64,
}

impl From<NewOrder> for Order {
    fn from(new: NewOrder) -> Self {
        let more_items = new.more_items.into_iter();
        Self {
            pause_seconds: new.pause_seconds,
            more_items: more_items
                .map(|it| Item::new(it.product, it.quantity))
                .collect(),
            ship_apart: new.ship_apart,
            local_check: new.local_check,
            address: new.address,
            await_address_seconds: new.await_address_seconds,
            approval: new.approval.map(|rule| ApprovalRule {
                above_quantity: rule.above_quantity,
                within_seconds: rule.within_seconds,
            }),
            ..Self::new(
                new.order_id.unwrap_or_default(),
                new.item,
                new.quantity,
                new.payment_info,
            )
        }
    }
}

/// An order that was placed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Placed {
    /// The order's ID.
    #[serde(rename = "orderID")]
    order_id: String,
    /// Its page in Temporal's Web UI.
    link: String,
}

/// Places an order.
///
/// The order's ID is the key: an order that is under way is not placed again, and one that was completed
/// changes nothing when it is placed again. So it is safe to repeat a request of which the answer was lost,
/// if it has an ID or an Idempotency-Key.
#[utoipa::path(
    post,
    path = "/api/orders",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 100, pattern = r"[^\s\u0085]", description = "The order's ID")),
    request_body = NewOrder,
    responses(
        (status = 201, description = "Placed", body = Placed),
        (status = 200, description = "Under way already; nothing was done", body = Placed),
        (status = 400, description = "Not an order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Under way on another task queue, or named twice and differently", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The Temporal server is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn place(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let new: NewOrder = body(&api.bodies, &headers, content).await?;
    let key = headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str());
    let key = key
        .transpose()
        .map_err(|_| bad("the Idempotency-Key must be text"))?;
    let given = new.order_id.as_deref();
    if given.is_some_and(str::is_empty) {
        return Err(bad("orderID: empty; leave it out to have one made up"));
    }
    if given.zip(key).is_some_and(|(given, key)| given != key) {
        let detail =
            "the Idempotency-Key and orderID differ; the order's ID is the key, so leave one out";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let random = rand::rng().random_range(1..=HIGHEST_RANDOM_NUMBER);
    let made_up = format!("order-{random}");
    let order = Order::from(new).named(key.unwrap_or(&made_up));
    order.validate().map_err(|error| bad(error.to_string()))?;

    let watching = &api.watching;
    let site = &watching.source.site;
    let placed = watching
        .source
        .ask(async |client| submit(&client, &site.task_queue, &order).await)
        .await?;
    let submitted = placed.map_err(|error| {
        let status = match error.is::<starter::submit::OtherQueue>() {
            true => StatusCode::CONFLICT,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, format!("{error:#}"))
    })?;
    let status = match &submitted {
        Submitted::Started { .. } => StatusCode::CREATED,
        Submitted::UnderWay(_) => StatusCode::OK,
    };
    let handle = submitted.into_handle();
    let run_id = handle.info().run_id.as_deref().unwrap_or_default();
    if status == StatusCode::CREATED {
        let now = SystemTime::now();
        watching.listing.placed(&order.order_id, run_id, now);
    }
    let namespace = &handle.client().options().namespace;
    let link = temporal::workflow_url(&site.ui_address, namespace, &order.order_id, run_id);
    let order_id = order.order_id;
    Ok((status, Json(Placed { order_id, link })).into_response())
}

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of this status, such as `AwaitingApproval`.
    #[param(schema_with = statuses)]
    status: Option<OrderStatus>,
    /// How many to list at most; all are counted.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: usize,
}

fn default_limit() -> usize {
    20
}

fn statuses() -> Object {
    let names = OrderStatus::ALL.map(|status| status.to_string());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .build()
}

/// The newest orders.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    /// The newest orders, newest first.
    orders: Vec<OrderSummary>,
    /// How many orders there are of each status; empty where the namespace does not keep it. Orders that
    /// have none, because they were terminated or are older than the attribute, are in the total only.
    counts: BTreeMap<String, usize>,
    /// How many orders there are.
    total: usize,
}

/// Lists the newest orders, and counts all by their status.
#[utoipa::path(
    get,
    path = "/api/orders",
    params(Which),
    responses(
        (status = 200, description = "The orders", body = Orders),
        (status = 400, description = "A wrong parameter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The Temporal server is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Json<Orders>, Problem> {
    let which: Which = query(&uri)?;
    if !(1..=200).contains(&which.limit) {
        return Err(bad("limit: must be from 1 to 200"));
    }
    let matching = which.status.map_or_else(|| ORDERS.to_owned(), of_status);
    let asked = async |client: temporalio_client::Client| {
        let (listed, counted) =
            futures::join!(newest(&client, matching, which.limit), counts(&client),);
        listed.map(|(orders, total)| (orders, total, counted))
    };
    let answer = api.watching.source.ask(asked).await?;
    let (orders, total, counted) = answer.map_err(|error| {
        let detail = format!("cannot list the orders: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let counts = counted.into_iter().flatten();
    let counts = counts.filter(|(_, count)| *count > 0);
    let counts = counts.map(|(status, count)| (status.to_string(), count));
    Ok(Json(Orders {
        orders,
        counts: counts.collect(),
        total,
    }))
}

/// Shows an order with its steps and its lines in the ledger.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    params(("id" = String, Path, min_length = 1, max_length = 100, pattern = r"[^\s\u0085]", description = "The order's ID")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 400, description = "Not an order's ID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The Temporal server is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    OrderId(id): OrderId,
) -> Result<Response, Problem> {
    let _viewer = api.watching.viewer();
    let mut shown = follow(&api, &id).await?;
    let known = api
        .watching
        .source
        .ask(async |_| {
            shown
                .wait_for(Option::is_some)
                .await
                .map(|view| view.clone())
        })
        .await?;
    match known {
        Ok(Some(view)) => Ok(Json(&*view).into_response()),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{id} could not be followed; try again"),
        )),
    }
}

/// Follows an order. If it is followed already, the server need not be there.
pub(super) async fn follow(
    api: &Api,
    id: &str,
) -> Result<watch::Receiver<Option<Arc<OrderView>>>, Problem> {
    if !api.watching.follows(id) {
        find(api, id).await?;
    }
    api.watching.order(id)
}

/// Finds an order.
async fn find(api: &Api, id: &str) -> Result<OrderHandle, Problem> {
    let found = async |client: temporalio_client::Client| {
        let handle: OrderHandle = client.get_workflow_handle(id);
        let described = handle.describe(WorkflowDescribeOptions::default()).await;
        described.map(|_| handle)
    };
    let found = api.watching.source.ask(found).await?;
    found.map_err(|error| {
        let status = match &error {
            WorkflowInteractionError::NotFound(_) => {
                let detail = "there is no such order; GET /api/orders lists the newest";
                return Problem::new(StatusCode::NOT_FOUND, detail);
            }
            WorkflowInteractionError::Rpc(status) if status.code() == Code::InvalidArgument => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, format!("cannot look the order up: {error}"))
    })
}

/// Where to deliver to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAddress {
    /// The new delivery address.
    #[schema(
        max_length = 200,
        pattern = r"^[0-9]\S* \S",
        example = "12 Main Street"
    )]
    address: String,
}

/// What an order answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer {
    /// A sentence.
    answer: String,
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident, $path:literal, $body:ty, $message:expr) => {
        $(#[$doc])*
        #[utoipa::path(
            post,
            path = $path,
            params(("id" = String, Path, min_length = 1, max_length = 100, pattern = r"[^\s\u0085]", description = "The order's ID")),
            request_body = $body,
            responses(
                (status = 200, description = "Done", body = Answer),
                (status = 400, description = "Not such a message", body = Problem, content_type = "application/problem+json"),
                (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
                (status = 409, description = "The order refused, and nothing was changed", body = Problem, content_type = "application/problem+json"),
                (status = 413, description = "Too long", body = Problem, content_type = "application/problem+json"),
                (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "The Temporal server is away", body = Problem, content_type = "application/problem+json"),
                (status = 504, description = "No worker answers for the order", body = Problem, content_type = "application/problem+json"),
            )
        )]
        pub(crate) async fn $name(
            State(api): State<Arc<Api>>,
            OrderId(id): OrderId,
            headers: HeaderMap,
            content: Body,
        ) -> Result<Json<Answer>, Problem> {
            let content: $body = body(&api.bodies, &headers, content).await?;
            let message = ($message)(content)?;
            tell(&api, &id, message).await
        }
    };
}

message!(
    /// Approves an order that waits for it.
    approve,
    "/api/orders/{id}/approve",
    Reason,
    |_: Reason| Ok::<_, Problem>(Message::Approve)
);

message!(
    /// Rejects an order that waits for approval.
    reject,
    "/api/orders/{id}/reject",
    Reason,
    |content: Reason| reason(content).map(Message::Reject)
);

message!(
    /// Cancels an order that has not shipped, and undoes what it has done.
    cancel,
    "/api/orders/{id}/cancel",
    Reason,
    |content: Reason| reason(content).map(Message::Cancel)
);

message!(
    /// Sends an order that has not shipped to another address.
    address,
    "/api/orders/{id}/address",
    NewAddress,
    |content: NewAddress| {
        let checked = message::check_address(&content.address);
        checked.map_err(|error| bad(error.to_string()))?;
        Ok::<_, Problem>(Message::ChangeAddress(content.address))
    }
);

fn reason(content: Reason) -> Result<String, Problem> {
    let reason = content
        .reason
        .unwrap_or_else(|| "no reason was given".to_owned());
    within("reason", &reason, MAX_REASON).map_err(|error| bad(error.to_string()))?;
    Ok(reason)
}

async fn tell(api: &Api, id: &str, message: Message) -> Result<Json<Answer>, Problem> {
    let order = find(api, id).await?;
    let Ok(answer) = timeout(NO_WORKER_AFTER, message::tell(&order, &message)).await else {
        let matter = api
            .watching
            .source
            .ask(async |_| unserved::no_answer(&order).await)
            .await?;
        let matter = matter.unwrap_or_else(|error| error.to_string());
        let detail = format!("{matter}. What was asked may still happen");
        return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail));
    };
    api.watching.listing.stir();
    match answer {
        Ok(answer) => Ok(Json(Answer { answer })),
        Err(error) => {
            let status = match error {
                NotTold::Refused { .. } | NotTold::Ended { .. } => StatusCode::CONFLICT,
                NotTold::Server(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            Err(Problem::new(status, error.to_string()))
        }
    }
}
