//! What changes, as server-sent events.
//!
//! Each event carries a current value, and a browser that is slow gets the newest one only. So nothing
//! piles up, and whoever connects again catches up.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::sse::{Event, KeepAlive, KeepAliveStream, Sse},
};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use serde::Serialize;
use tokio::{sync::watch, time::sleep};

use super::{Api, extract::OrderId, orders::follow};
use crate::{problem::Problem, view::OrderView};

/// A connection that broke is noticed by the next write.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How soon a browser connects again that lost the server.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The shortest time between two events with the whole history of the stock.
const STOCK_AT_MOST_EVERY: Duration = Duration::from_millis(500);

/// No pause between two events: they are small.
const AT_ONCE: Duration = Duration::ZERO;

type Events = BoxStream<'static, Result<Event, Infallible>>;
type Answer = Sse<KeepAliveStream<Events>>;

/// What changes of an order: the event `order` carries it whole.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/events",
    params(("id" = String, Path, min_length = 1, max_length = 100, pattern = r"[^\s\u0085]", description = "The order's ID")),
    responses(
        (status = 200, description = "Events", body = OrderView, content_type = "text/event-stream"),
        (status = 400, description = "Not an order's ID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The Temporal server is away, or too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn of_order(
    State(api): State<Arc<Api>>,
    OrderId(id): OrderId,
) -> Result<Answer, Problem> {
    let shown = follow(&api, &id).await?;
    let events = changes(AT_ONCE, shown, |shown| {
        event("order", shown.borrow_and_update().as_deref()?)
    });
    respond(&api, events)
}

/// What changes of everything else: the events `orders`, `ledger`, `stock`, `totals` and `reach`.
#[utoipa::path(
    get,
    path = "/api/events",
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn of_all(State(api): State<Arc<Api>>) -> Result<Answer, Problem> {
    let watching = &api.watching;
    let mut all: Vec<Events> = Vec::new();

    let (looked_at, mut version) = (watching.clone(), 0);
    all.push(changes(
        AT_ONCE,
        watching.listing.subscribe(),
        move |changed| {
            changed.borrow_and_update();
            let (now, changes) = looked_at.listing.list().since(version);
            let known = version;
            version = now;
            if now == known {
                None
            } else {
                event("orders", &changes)
            }
        },
    ));

    let (looked_at, mut place) = (watching.clone(), 0);
    all.push(changes(
        AT_ONCE,
        watching.ledger.subscribe(),
        move |changed| {
            changed.borrow_and_update();
            let tail = looked_at.ledger.tail();
            let known = place;
            let (now, lines) = tail.since(known);
            place = now;
            if now == known {
                None
            } else {
                event("ledger", &lines)
            }
        },
    ));

    let (looked_at, mut told) = (watching.clone(), None);
    all.push(changes(
        STOCK_AT_MOST_EVERY,
        watching.ledger.subscribe(),
        move |changed| {
            changed.borrow_and_update();
            let tail = looked_at.ledger.tail();
            let products = tail.is_known().then(|| tail.products())?;
            if told.as_ref() == Some(&products) {
                return None;
            }
            let event = event("stock", &products);
            told = Some(products);
            event
        },
    ));

    all.push(changes(AT_ONCE, watching.totals.subscribe(), |totals| {
        let totals = totals.borrow_and_update();
        totals.audited_at.as_ref()?;
        event("totals", &**totals)
    }));
    all.push(changes(
        AT_ONCE,
        watching.source.reach.subscribe(),
        |reach| event("reach", &*reach.borrow_and_update()),
    ));
    if let Some(stage) = &watching.source.site.stage {
        all.push(changes(AT_ONCE, stage.view(), |view| {
            event("stage", &**view.borrow_and_update())
        }));
        all.push(changes(AT_ONCE, stage.comparison(), |comparison| {
            event("comparison", comparison.borrow_and_update().as_ref()?)
        }));
    }
    respond(&api, stream::select_all(all).boxed())
}

fn event(name: &str, value: &(impl Serialize + ?Sized)) -> Option<Event> {
    let json = serde_json::to_string(value).ok()?;
    Some(Event::default().event(name).data(json))
}

/// What `read` makes of the value now, and at each change, with a pause between two events.
fn changes<T: Send + Sync + 'static>(
    pause: Duration,
    mut receiver: watch::Receiver<T>,
    read: impl FnMut(&mut watch::Receiver<T>) -> Option<Event> + Send + 'static,
) -> Events {
    receiver.mark_changed();
    let begin = (receiver, read, AT_ONCE);
    let changed = stream::unfold(begin, move |(mut receiver, mut read, wait)| async move {
        sleep(wait).await;
        receiver.changed().await.ok()?;
        let event = read(&mut receiver);
        let wait = if event.is_some() { pause } else { AT_ONCE };
        Some((event, (receiver, read, wait)))
    });
    changed.filter_map(async |event| event.map(Ok)).boxed()
}

fn respond(api: &Api, events: Events) -> Result<Answer, Problem> {
    let place = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many pages are open; close some, or try again in a moment",
        )
    })?;
    let viewer = api.watching.viewer();
    let first = stream::once(async { Ok(Event::default().retry(CONNECT_AGAIN_AFTER)) });
    let events = first.chain(events).map(move |event| {
        let _held = (&place, &viewer);
        event
    });
    Ok(Sse::new(events.boxed()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}
