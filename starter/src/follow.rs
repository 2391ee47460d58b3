//! An order's steps, as the server tells of them.

use std::time::Duration;

use activities::{Activity, Attempted, Checked, Effect, Preparation, Reserved, Shelf, Undone};
use anyhow::bail;
use futures::{FutureExt, StreamExt, future::BoxFuture};
use inventory::{Confirmation, Delivery, Released, Stock};
use serde::de::DeserializeOwned;
use temporal::excerpt;
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowFetchHistoryOptions, WorkflowGetResultOptions,
    WorkflowHandle, WorkflowHistory,
    errors::{WorkflowGetResultError, WorkflowInteractionError},
};
use temporalio_common::{
    data_converters::{
        DataConverter, SerializationContextData, TemporalDeserializable,
        WorkflowSerializationContext,
    },
    protos::temporal::api::{common::v1::Payloads, history::v1::HistoryEvent},
};
use workflows::{OrderResult, ProcessOrder};

use crate::{
    progress::{Answer, OrderEvent, Progress, StepChange, StockLevels, innermost, not_needed},
    unserved::{self, NO_WORKER_AFTER},
};

/// How often to look at what is pending: attempts come no closer together than this.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// The type of the workflow that a shipment apart is.
const SHIPMENT_APART: &str = "ShipItem";

/// What the Go demo's starter puts before an order's ID to name its workflow.
const GO_PREFIX: &str = "ordermanagement-wkfl-";

/// The pause before a server that was lost is asked again.
pub(crate) const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// An order on the server.
pub type OrderHandle = WorkflowHandle<Client, ProcessOrder>;

/// Who is told what happens to an order.
pub trait Watch {
    /// The history has another event, decrypted. [`Watch::event`] is told what it means.
    fn history(&mut self, _event: &HistoryEvent) {}
    /// Something changed.
    fn event(&mut self, event: &OrderEvent);
    /// Something is worth a sentence.
    fn say(&mut self, sentence: &str);
    /// Where the order can be looked at.
    fn link(&mut self, url: &str) {
        self.say(&format!("Web UI: {url}"));
    }
    /// How often to look at what is pending. The history does not tell of attempts before a step is over,
    /// and each look costs the server something.
    fn look_every(&self) -> Duration {
        LOOK_EVERY
    }
    /// The order has ended. [`follow`] leaves it to its caller to tell that.
    fn ended(&mut self, _followed: &Followed) {}
}

/// Nobody: for following an order only to its end.
pub struct Unwatched;

impl Watch for Unwatched {
    fn event(&mut self, _: &OrderEvent) {}
    fn say(&mut self, _: &str) {}
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// The workflow completed.
    Completed(OrderResult),
    /// It was cancelled, and what was done is undone: why, if the order says it.
    Cancelled(Option<String>),
    /// It failed, or was terminated: why.
    NotCompleted(String),
}

/// The newest submission of an order.
///
/// # Errors
/// Returns an error if there is no such order, or the server does not answer.
pub fn find<'a>(
    client: &'a Client,
    order_id: &'a str,
) -> BoxFuture<'a, anyhow::Result<OrderHandle>> {
    look_for(client, order_id).boxed()
}

async fn look_for(client: &Client, order_id: &str) -> anyhow::Result<OrderHandle> {
    for workflow_id in [order_id, &format!("{GO_PREFIX}{order_id}")] {
        let handle: OrderHandle = client.get_workflow_handle(workflow_id);
        match handle.describe(WorkflowDescribeOptions::default()).await {
            Ok(description) => return Ok(run(&handle, description.run_id())),
            Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!(
        "the server knows no order {:?}; `cargo run -p starter -- list` names the last ones",
        excerpt(order_id)
    )
}

/// Another run of the same order.
pub fn run(handle: &OrderHandle, run_id: &str) -> OrderHandle {
    let mut info = handle.info().clone();
    info.run_id = Some(run_id.to_owned());
    OrderHandle::new(handle.client().clone(), info)
}

/// Follows an order to its end, and tells `watch` of all that happens to it, from its beginning.
/// A server that is lost on the way is waited for.
///
/// # Errors
/// Returns an error if the server no longer knows the order.
pub fn follow<'a>(
    handle: &'a OrderHandle,
    watch: &'a mut (dyn Watch + Send),
) -> BoxFuture<'a, anyhow::Result<Followed>> {
    watch_to_the_end(handle, watch).boxed()
}

async fn watch_to_the_end(
    handle: &OrderHandle,
    watch: &mut (dyn Watch + Send),
) -> anyhow::Result<Followed> {
    let converter = &handle.client().options().data_converter;
    let mut progress = Progress::default();
    let mut history = open(handle);
    let mut last_event = 0;
    let mut lost = false;
    let mut look = tokio::time::interval(watch.look_every());
    let mut no_worker = tokio::time::interval(NO_WORKER_AFTER);
    // A task that has just begun to wait is no matter.
    no_worker.reset();
    let mut is_unserved = false;
    loop {
        let changes = tokio::select! {
            event = history.next() => match event {
                None => break,
                Some(Ok(event)) => {
                    if lost {
                        lost = false;
                        watch.say("the server is back");
                    }
                    // A history that is opened again begins at the beginning.
                    if event.event_id <= last_event {
                        continue;
                    }
                    last_event = event.event_id;
                    let event = temporal::decrypted(converter, event).await;
                    watch.history(&event);
                    // A step that is over soon needs no look.
                    look.reset_after(watch.look_every());
                    progress.event(&event)
                }
                Some(Err(WorkflowInteractionError::NotFound(_))) => bail!(
                    "the server does not know {} any more: it lost its state, or is another one",
                    handle.info().workflow_id
                ),
                Some(Err(_)) => {
                    if !lost {
                        lost = true;
                        watch.say(
                            "lost the server, and waiting for it to come back; the order goes on \
                             when it is back",
                        );
                    }
                    tokio::time::sleep(ASK_AGAIN_AFTER).await;
                    history = open(handle);
                    continue;
                }
            },
            _ = look.tick(), if progress.is_waiting() && !lost => {
                look.reset_after(watch.look_every());
                match handle.describe(WorkflowDescribeOptions::default()).await {
                    Ok(description) => progress.pending(&description.raw().pending_activities),
                    // The history says what is wrong with the server.
                    Err(_) => continue,
                }
            }
            _ = no_worker.tick(), if !lost => {
                // The history says what is wrong with the server.
                let matter = unserved::matter(handle).await.ok().flatten();
                if let Some(matter) = matter.as_ref().filter(|_| !is_unserved) {
                    watch.say(matter);
                }
                is_unserved = matter.is_some();
                continue;
            }
        };
        for mut change in changes {
            if let OrderEvent::Step(step) = &mut change
                && step.payloads.is_some()
            {
                step.answer = answer(converter, step).await;
                if let Some(Preparation::Reserved(reserved)) = preparation(converter, step).await {
                    progress.reserved(&reserved.items);
                }
            }
            watch.event(&change);
        }
    }
    ended(handle).await
}

fn open(handle: &OrderHandle) -> WorkflowHistory {
    handle.fetch_history(
        WorkflowFetchHistoryOptions::builder()
            .wait_new_event(true)
            .build(),
    )
}

async fn ended(handle: &OrderHandle) -> anyhow::Result<Followed> {
    loop {
        let options = WorkflowGetResultOptions::default();
        return Ok(match handle.get_result(options).await {
            Ok(answer) => Followed::Completed(answer.into_result(&handle.info().workflow_id)),
            Err(WorkflowGetResultError::Failed(error)) => {
                Followed::NotCompleted(innermost(error.failure()))
            }
            Err(WorkflowGetResultError::Rpc(_)) => {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                continue;
            }
            Err(WorkflowGetResultError::Cancelled { details }) => {
                let reason = details.deserialize::<String>().ok();
                Followed::Cancelled(reason.filter(|reason| !reason.is_empty()))
            }
            Err(error) if error.is_workflow_outcome() => {
                Followed::NotCompleted(error.to_string().to_lowercase())
            }
            Err(error) => return Err(error.into()),
        });
    }
}

/// What a finished step said. A step that is unknown here, or whose answer is, says nothing.
async fn answer(converter: &DataConverter, step: &mut StepChange) -> Answer {
    let Some(payloads) = &step.payloads else {
        return Answer::default();
    };
    if step.step == SHIPMENT_APART {
        let shipped: Option<Attempted<Confirmation>> = decode(converter, payloads).await;
        step.attempts = shipped.as_ref().map_or(0, |shipped| shipped.attempts);
        return shipped.map_or_else(Answer::default, |shipped| said(&shipped.answer));
    }
    let Ok(activity) = step.step.parse::<Activity>() else {
        return Answer::default();
    };
    match activity {
        Activity::CheckFraud => told::<Checked>(converter, payloads).await,
        Activity::LookUpItems => told::<Shelf>(converter, payloads).await,
        Activity::PrepareShipment => told::<Preparation>(converter, payloads).await,
        Activity::Charge | Activity::Ship => told::<Confirmation>(converter, payloads).await,
        Activity::SupplierOrder => told::<Delivery>(converter, payloads).await,
        Activity::Recall => undone(converter, payloads, "nothing was shipped").await,
        Activity::Refund => undone(converter, payloads, "nothing was charged").await,
        Activity::Release => told::<Released>(converter, payloads).await,
    }
    .unwrap_or_default()
}

/// What came of a reservation, if this step was one.
async fn preparation(converter: &DataConverter, step: &StepChange) -> Option<Preparation> {
    let payloads = step.payloads.as_ref()?;
    if step.step != Activity::PrepareShipment.name() {
        return None;
    }
    let prepared: Attempted<Preparation> = decode(converter, payloads).await?;
    Some(prepared.answer)
}

async fn told<T: InWords + DeserializeOwned + 'static>(
    converter: &DataConverter,
    payloads: &Payloads,
) -> Option<Answer> {
    let told: Attempted<T> = decode(converter, payloads).await?;
    Some(said(&told.answer))
}

async fn undone(converter: &DataConverter, payloads: &Payloads, nothing: &str) -> Option<Answer> {
    let answer = told::<Undone>(converter, payloads).await?;
    Some(Answer {
        remark: answer.confirmation.is_none().then(|| nothing.to_owned()),
        ..answer
    })
}

fn said(answer: &impl InWords) -> Answer {
    let (stock, remark) = answer.in_words();
    Answer {
        confirmation: answer.confirmation().map(str::to_owned),
        found: answer.found(),
        stock,
        remark,
    }
}

async fn decode<T: TemporalDeserializable + 'static>(
    converter: &DataConverter,
    payloads: &Payloads,
) -> Option<T> {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let payload = payloads.payloads.first()?.clone();
    converter.from_payload(&context, payload).await.ok()
}

/// What an activity's answer tells besides its confirmation: the change of the stock, and a remark.
trait InWords: Effect {
    fn in_words(&self) -> (Option<StockLevels>, Option<String>) {
        (None, None)
    }
}

impl InWords for Checked {}

impl InWords for Shelf {}

impl InWords for Confirmation {}

impl InWords for Undone {}

impl InWords for Preparation {
    fn in_words(&self) -> (Option<StockLevels>, Option<String>) {
        match self {
            Self::Reserved(Reserved { items, .. }) => first_and_more(items, |it| {
                StockLevels::new(it.in_stock + it.quantity, it.in_stock)
            }),
            Self::Duplicate { placed_at, .. } => {
                (None, Some(format!("placed before, at {placed_at}")))
            }
            Self::OutOfStock {
                in_stock, product, ..
            } => {
                let of = product.as_ref().map(|it| format!(" of product {it}"));
                let of = of.unwrap_or_default();
                (None, Some(format!("only {in_stock} in stock{of}")))
            }
        }
    }
}

impl InWords for Released {
    fn in_words(&self) -> (Option<StockLevels>, Option<String>) {
        if self.items.is_empty() {
            return (None, Some("nothing was reserved".to_owned()));
        }
        first_and_more(&self.items, |it| {
            StockLevels::new(it.in_stock.saturating_sub(it.quantity), it.in_stock)
        })
    }
}

impl InWords for Delivery {
    fn in_words(&self) -> (Option<StockLevels>, Option<String>) {
        let Self {
            quantity, in_stock, ..
        } = *self;
        match quantity {
            0 => (None, Some(not_needed(in_stock))),
            _ => (Some(StockLevels::new(in_stock - quantity, in_stock)), None),
        }
    }
}

fn first_and_more(
    items: &[Stock],
    change: impl Fn(&Stock) -> StockLevels,
) -> (Option<StockLevels>, Option<String>) {
    let more = match items.len().saturating_sub(1) {
        0 => None,
        1 => Some("and 1 more product".to_owned()),
        many => Some(format!("and {many} more products")),
    };
    (items.first().map(change), more)
}
