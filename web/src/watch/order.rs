//! One order, followed once for all browsers that look at it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use activities::Activity;
use inventory::{Change, Entry};
use orders::{MAX_MESSAGE, Order, merged, shortened};
use starter::{
    follow::{self, Followed, OrderHandle, Watch},
    progress::{OrderEvent, StepChange, StepState},
};
use temporalio_client::{Client, WorkflowDescribeOptions};
use temporalio_common::protos::temporal::api::{
    common::v1::{Payload, Payloads, SearchAttributes},
    history::v1::{HistoryEvent, history_event::Attributes},
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use workflows::{ORDER_STATUS, OrderOutcome, OrderStatus};

use super::{ledger::Ledger, list::Listing, pace::paced, source::Source};
use crate::{
    stage::{Death, ProcessState},
    view::{
        ItemView, Line, OrderView, Proof, StateView, StepView, StockChange, WaitingView, rfc3339,
    },
};

/// How long an order is still followed that nobody looks at any more: somebody who reloads the page comes
/// back to it.
const LINGER: Duration = Duration::from_secs(3);

/// How often to look for an order that is not there, and whether one that ended was placed again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often to look at an order's attempts, if few orders are in view; and how far apart the looks at all
/// orders in view are.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOKS_APART: Duration = Duration::from_millis(100);

/// The most sentences, and the most names of messages, that are kept.
const MAX_KEPT: usize = 20;

/// What is known of an order; `None` until it is known as a whole.
pub(crate) type Shown = watch::Sender<Option<Arc<OrderView>>>;

/// Follows an order, also when it is placed again, until nobody has looked at it for a while.
pub(crate) async fn watch(
    source: &Arc<Source>,
    listing: &Listing,
    ledger: &Ledger,
    order_id: &str,
    shown: &Shown,
) {
    let picture = Mutex::new(Picture::default());
    let show = Show {
        picture: &picture,
        ended: &Notify::new(),
        shown,
    };
    tokio::select! {
        () = follow(source, listing, order_id, show) => {}
        () = follow_ledger(source, ledger, order_id, show) => {}
        () = follow_stage(source, order_id, show) => {}
        () = nobody_looks(shown) => {}
    }
}

async fn nobody_looks(shown: &Shown) {
    loop {
        shown.closed().await;
        sleep(LINGER).await;
        if shown.is_closed() {
            return;
        }
    }
}

/// Follows an order, with another client as soon as there is one.
async fn follow(source: &Arc<Source>, listing: &Listing, order_id: &str, show: Show<'_>) {
    let mut renewed = source.client.subscribe();
    loop {
        renewed.mark_unchanged();
        let client = paced(source.connected().await, source);
        tokio::select! {
            () = follow_runs(source, &client, listing, order_id, show) => {}
            changed = renewed.changed() => if changed.is_err() { return },
        }
    }
}

async fn follow_runs(
    source: &Source,
    client: &Client,
    listing: &Listing,
    order_id: &str,
    show: Show<'_>,
) {
    loop {
        let order: OrderHandle = client.get_workflow_handle(order_id);
        let options = WorkflowDescribeOptions::default();
        let Ok(described) = order.describe(options).await else {
            sleep(LOOK_AGAIN_AFTER).await;
            continue;
        };
        let run_id = described.run_id().to_owned();
        let order = follow::run(&order, &run_id);
        show.change(|picture| {
            let view = picture.begin(order_id, &run_id, described.history_length());
            view.link = link(source, &order, &run_id);
        });
        let mut following = Following {
            show,
            source,
            counted: source.counted.clone(),
        };
        let followed = follow::follow(&order, &mut following).await;
        drop(following.counted);
        show.change(|picture| picture.end(followed));
        while listing
            .list()
            .run_id(order_id)
            .is_none_or(|it| it == run_id)
        {
            sleep(LOOK_AGAIN_AFTER).await;
        }
    }
}

fn link(source: &Source, order: &OrderHandle, run_id: &str) -> String {
    let namespace = &order.client().options().namespace;
    let order_id = &order.info().workflow_id;
    temporal::workflow_url(&source.site.ui_address, namespace, order_id, run_id)
}

async fn follow_ledger(source: &Source, ledger: &Ledger, order_id: &str, show: Show<'_>) {
    let mut changed = ledger.subscribe();
    let mut place = None;
    loop {
        let (now, has_new) = ledger.tail().has_of(order_id, place);
        let (has_ended, has_lines) = show.read(|it| (it.has_ended, it.lines.is_some()));
        if has_new || !has_lines {
            // Without an inventory, there are no lines; what is missing is said elsewhere.
            let lines = source.site.inventory.effects(order_id).await;
            show.change(|picture| {
                if picture.has_ended == has_ended {
                    picture.lines = Some(lines.unwrap_or_default());
                }
            });
        }
        place = Some(now);
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return },
            () = show.ended.notified() => {}
        }
    }
}

async fn follow_stage(source: &Source, order_id: &str, show: Show<'_>) {
    let Some(stage) = &source.site.stage else {
        return std::future::pending().await;
    };
    let mut view = stage.view();
    loop {
        let alive = {
            let view = view.borrow_and_update();
            let alive = view
                .processes
                .iter()
                .filter(|it| matches!(it.state, ProcessState::Starting | ProcessState::Alive));
            alive.filter_map(|it| it.identity.clone()).collect()
        };
        show.change(|picture| {
            picture.alive = Some(alive);
            picture.deaths = stage.deaths(order_id);
        });
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// Where what is found goes.
#[derive(Clone, Copy)]
struct Show<'a> {
    picture: &'a Mutex<Picture>,
    /// Tells whoever reads the ledger that it has to be read once more.
    ended: &'a Notify,
    shown: &'a Shown,
}

impl Show<'_> {
    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Picture) -> T) -> T {
        read(&self.picture())
    }

    fn change(&self, change: impl FnOnce(&mut Picture)) {
        let mut picture = self.picture();
        change(&mut picture);
        if !picture.has_ended && picture.says_that_it_ended() {
            // No order that has ended is shown with a ledger from before its end.
            picture.has_ended = true;
            picture.lines = None;
            self.ended.notify_one();
        }
        let Some(view) = picture.view() else {
            return;
        };
        self.shown.send_if_modified(|shown| {
            let changed = shown.as_deref() != Some(&view);
            if changed {
                *shown = Some(Arc::new(view));
            }
            changed
        });
    }
}

/// What is known of an order so far.
#[derive(Default)]
struct Picture {
    /// All but what the other fields say.
    view: OrderView,
    steps: BTreeMap<usize, StepChange>,
    own_status: Option<String>,
    /// The newest submission, by the name that the ledger's keys have.
    submission: String,
    /// The order's lines in the ledger, once they were read.
    lines: Option<Vec<Entry>>,
    /// Whether the history says that the order has ended, and whether how it ended is known.
    has_ended: bool,
    is_told: bool,
    /// The workers that run, if there is a stage that knows them.
    alive: Option<Vec<String>>,
    /// The attempts during which a worker died.
    deaths: Vec<Death>,
    /// Events of the history that were there when it was opened, and those that were read.
    length: i64,
    read: i64,
}

impl Picture {
    /// Forgets what an earlier submission did.
    fn begin(&mut self, order_id: &str, run_id: &str, length: usize) -> &mut OrderView {
        *self = Self {
            lines: self.lines.take(),
            alive: self.alive.take(),
            deaths: std::mem::take(&mut self.deaths),
            length: i64::try_from(length).unwrap_or(i64::MAX),
            ..Self::default()
        };
        self.view.summary.order_id = order_id.to_owned();
        self.view.summary.run_id = run_id.to_owned();
        self.view.summary.execution = "Running".to_owned();
        &mut self.view
    }

    fn says_that_it_ended(&self) -> bool {
        let own = self.own_status.as_deref().and_then(own_status);
        self.view.summary.ended_at.is_some() || own.is_some_and(OrderStatus::is_end)
    }

    fn end(&mut self, followed: anyhow::Result<Followed>) {
        self.is_told = true;
        let reason = match followed {
            Ok(Followed::Completed(result)) if result.outcome == OrderOutcome::Managed => None,
            Ok(Followed::Completed(result)) => Some(result.message),
            Ok(Followed::Cancelled(reason)) => reason,
            Ok(Followed::NotCompleted(reason)) => Some(reason),
            Err(error) => return push(&mut self.view.notices, &error.to_string()),
        };
        self.view.reason = reason.map(|reason| shortened(&reason, MAX_MESSAGE).into_owned());
    }

    fn history(&mut self, event: &HistoryEvent) {
        self.read = event.event_id;
        let at = event
            .event_time
            .and_then(|time| time.try_into().ok())
            .map(rfc3339);
        let view = &mut self.view;
        let execution = match &event.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                view.summary.placed_at = at;
                self.submission.clone_from(&started.first_execution_run_id);
                self.own_status = status(started.search_attributes.as_ref());
                let order = argument(started.input.as_ref());
                if let Some(order) = order.and_then(|it| Order::from_json(&it.data).ok()) {
                    view.items = items(&order);
                    view.address = order.address;
                }
                return;
            }
            Some(Attributes::UpsertWorkflowSearchAttributesEventAttributes(upserted)) => {
                let status = status(upserted.search_attributes.as_ref());
                self.own_status = status.or_else(|| self.own_status.take());
                return;
            }
            Some(Attributes::WorkflowTaskCompletedEventAttributes(decided)) => {
                let version = decided.deployment_version.as_ref();
                let build = version.map(|version| version.build_id.clone());
                view.summary.build = build.or_else(|| view.summary.build.take());
                return;
            }
            Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update)) => {
                let input = update
                    .accepted_request
                    .iter()
                    .find_map(|it| it.input.as_ref());
                if let Some(input) = input.filter(|input| input.name == CHANGE_ADDRESS) {
                    let address = argument(input.args.as_ref());
                    let address = address.and_then(|it| serde_json::from_slice(&it.data).ok());
                    view.address = address.or_else(|| view.address.take());
                }
                return;
            }
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(_)) => "Completed",
            Some(Attributes::WorkflowExecutionFailedEventAttributes(_)) => "Failed",
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(_)) => "Canceled",
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(_)) => "Terminated",
            Some(Attributes::WorkflowExecutionTimedOutEventAttributes(_)) => "TimedOut",
            _ => return,
        };
        view.summary.execution = execution.to_owned();
        view.summary.ended_at = at;
    }

    fn event(&mut self, event: &OrderEvent) {
        let note = match event {
            OrderEvent::Step(step) | OrderEvent::Taken(step) => {
                self.steps.insert(step.number, step.clone());
                return;
            }
            OrderEvent::PickedUp => return,
            OrderEvent::Asked(what) => return push(&mut self.view.asked, what),
            OrderEvent::CodeFailed(error) => format!(
                "the workflow's code failed, and the order waits for a worker with the fix: {error}"
            ),
            OrderEvent::DecidedAgain(reason) => {
                format!("{reason}; a worker decides again what comes next")
            }
        };
        push(&mut self.view.notices, &note);
    }

    /// What is shown, if everything was read that was there at the beginning, and, of an order that has ended,
    /// how it ended.
    fn view(&self) -> Option<OrderView> {
        let is_whole =
            self.length > 0 && self.read >= self.length && (self.is_told || !self.has_ended);
        let lines = self.lines.as_ref().filter(|_| is_whole)?;
        let mut view = self.view.clone();
        let execution = view.summary.execution.as_str();
        let was_stopped = matches!(execution, "Terminated" | "TimedOut");
        let own = self.own_status.clone().filter(|_| !was_stopped);
        view.summary.status = own.unwrap_or_else(|| execution.to_owned());
        view.waiting = self.waiting(&view.summary.status);
        let status = own_status(&view.summary.status);
        // An order that ended on its way is not going to be complete.
        let is_on_its_way = status.is_none_or(|it| !it.is_end_on_the_way()) && !was_stopped;
        view.summary.percent = is_on_its_way.then(|| self.percent());
        view.steps = self.steps.values().map(|step| self.step(step)).collect();
        view.ledger = lines.iter().map(Line::from).collect();
        let first = holder(lines).filter(|_| status == Some(OrderStatus::Duplicate));
        view.proof = proof(lines, first.as_deref().unwrap_or(&self.submission));
        view.first = first.map(|first| reserved(lines, &first));
        Some(view)
    }

    fn waiting(&self, status: &str) -> Option<WaitingView> {
        let what = match own_status(status)? {
            OrderStatus::Pausing => "its pause to end",
            OrderStatus::AwaitingApproval => "approval",
            OrderStatus::AwaitingAddress => "a delivery address",
            _ => return None,
        };
        let until = self.steps.values().rev().find_map(|step| step.ends_at);
        Some(WaitingView {
            what: what.to_owned(),
            until: until.map(rfc3339),
        })
    }

    /// Each of the five steps of every order counts for 20 percent, as in the answer to the query `status`.
    fn percent(&self) -> u32 {
        let done = |names: &[&str]| {
            let done = self.steps.values().filter(|step| {
                step.state == StepState::Completed && names.contains(&step.step.as_str())
            });
            u32::try_from(done.count()).unwrap_or(u32::MAX)
        };
        let once = |activity: Activity| done(&[activity.name()]).min(1);
        let items = u32::try_from(self.view.items.len())
            .unwrap_or(u32::MAX)
            .max(1);
        let shipped = done(&[Activity::Ship.name(), SHIPMENT_APART]).min(items);
        let steps = [
            Activity::CheckFraud,
            Activity::PrepareShipment,
            Activity::Charge,
        ];
        let before: u32 = steps.into_iter().map(once).sum();
        // A delivery from before the order shipped does not count.
        let resupplied = u32::from(self.own_status.as_deref() == Some("Completed"));
        20 * (before + resupplied) + 20 * shipped / items
    }

    /// Who died last at a step. A worker may have died with the newest attempt only if the step is not over.
    fn died(&self, step: &StepChange, is_open: bool) -> Option<String> {
        let of_it = self.deaths.iter().rev().find(|death| {
            death.submission == self.submission
                && death.step == step.step
                && (death.attempt < step.attempts || is_open)
        });
        of_it.map(|death| death.worker.clone())
    }

    fn step(&self, step: &StepChange) -> StepView {
        let (state, error) = match &step.state {
            StepState::Running => (StateView::Running, None),
            StepState::Retrying { error } => (StateView::Retrying, Some(error.clone())),
            StepState::Completed => (StateView::Completed, None),
            StepState::Failed { error } => (StateView::Failed, Some(error.clone())),
            StepState::Skipped => (StateView::Skipped, None),
        };
        let is_open = matches!(state, StateView::Running | StateView::Retrying);
        let is_gone = self.alive.as_ref().zip(step.worker.as_ref());
        StepView {
            number: step.number,
            step: step.step.clone(),
            about: step.about.clone(),
            undo: UNDOING.iter().any(|undoing| undoing.name() == step.step),
            state,
            error,
            attempts: step.attempts,
            started_at: step.started_at.map(rfc3339),
            took_ms: step
                .took_ms
                .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            ends_at: step.ends_at.map(rfc3339),
            next_attempt_at: step.next_attempt_at.map(rfc3339),
            worker: step.worker.clone(),
            worker_gone: is_open && is_gone.is_some_and(|(alive, worker)| !alive.contains(worker)),
            died: self.died(step, is_open),
            confirmation: step.answer.confirmation.clone(),
            found: step.answer.found,
            stock: step.answer.stock.map(|stock| StockChange {
                before: stock.before,
                after: stock.after,
            }),
            remark: step.answer.remark.clone(),
        }
    }
}

/// The message that changes the address.
const CHANGE_ADDRESS: &str = "changeAddress";

/// The type of the workflow that a shipment apart is.
const SHIPMENT_APART: &str = "ShipItem";

/// The steps that take back earlier ones.
const UNDOING: [Activity; 3] = [Activity::Recall, Activity::Refund, Activity::Release];

fn argument(input: Option<&Payloads>) -> Option<&Payload> {
    input.and_then(|input| input.payloads.first())
}

fn status(attributes: Option<&SearchAttributes>) -> Option<String> {
    let status = attributes?.indexed_fields.get(ORDER_STATUS.name())?;
    serde_json::from_slice(&status.data).ok()
}

/// The order's own status of this name.
fn own_status(name: &str) -> Option<OrderStatus> {
    let mut all = OrderStatus::ALL.into_iter();
    all.find(|it| it.to_string() == name)
}

fn items(order: &Order) -> Vec<ItemView> {
    let items = merged(&order.items());
    let items = items.into_iter().map(|item| ItemView {
        product_id: item.product,
        quantity: item.quantity,
    });
    items.collect()
}

fn push(texts: &mut Vec<String>, text: &str) {
    if texts.len() == MAX_KEPT {
        texts.remove(0);
    }
    texts.push(shortened(text, MAX_MESSAGE).into_owned());
}

/// The submission that holds the order's units.
fn holder(lines: &[Entry]) -> Option<Cow<'_, str>> {
    let mut newest_first = lines.iter().rev();
    newest_first
        .find(|line| line.change == Change::Reserved)?
        .submission()
}

/// What a submission reserved.
fn reserved(lines: &[Entry], submission: &str) -> Vec<ItemView> {
    let of_it = lines.iter().filter(|line| {
        line.change == Change::Reserved && line.submission().as_deref() == Some(submission)
    });
    let items = of_it.map(|line| ItemView {
        product_id: line.product_id.clone(),
        quantity: u32::try_from(line.quantity).unwrap_or_default(),
    });
    items.collect()
}

fn proof(lines: &[Entry], submission: &str) -> Proof {
    let most = |change: Change| {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let of_kind = lines.iter().filter(|line| line.change == change);
        for line in of_kind.filter(|line| line.submission().as_deref() == Some(submission)) {
            *counts.entry(&line.product_id).or_default() += 1;
        }
        counts.into_values().max().unwrap_or_default()
    };
    let undone = [Change::Released, Change::Refunded, Change::Recalled];
    Proof {
        reserved: most(Change::Reserved),
        charged: most(Change::Charged),
        shipped: most(Change::Shipped),
        undone: undone.into_iter().map(most).max().unwrap_or_default(),
    }
}

struct Following<'a> {
    show: Show<'a>,
    source: &'a Source,
    counted: Arc<()>,
}

impl Watch for Following<'_> {
    fn look_every(&self) -> Duration {
        // All orders in view together are looked at ten times a second.
        LOOK_EVERY.max(LOOKS_APART * self.source.followed())
    }

    fn history(&mut self, event: &HistoryEvent) {
        self.show.change(|picture| picture.history(event));
    }

    fn event(&mut self, event: &OrderEvent) {
        self.show.change(|picture| picture.event(event));
    }

    fn say(&mut self, sentence: &str) {
        self.show
            .change(|picture| push(&mut picture.view.notices, sentence));
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::history::v1::{
        WorkflowExecutionCompletedEventAttributes, WorkflowExecutionStartedEventAttributes,
    };

    use super::*;

    fn event(event_id: i64, attributes: Attributes) -> HistoryEvent {
        HistoryEvent {
            event_id,
            event_time: Some(std::time::SystemTime::UNIX_EPOCH.into()),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        }
    }

    #[tokio::test]
    async fn an_order_that_has_ended_is_shown_with_a_ledger_from_after_its_end() {
        let (picture, ended) = (Mutex::default(), Notify::new());
        let shown = Shown::default();
        let show = Show {
            picture: &picture,
            ended: &ended,
            shown: &shown,
        };
        let execution = || shown.borrow().as_ref().unwrap().summary.execution.clone();

        show.change(|picture| {
            picture.begin("order-1", "run-1", 1);
            picture.lines = Some(Vec::new());
            let started = WorkflowExecutionStartedEventAttributes::default();
            let started = Attributes::WorkflowExecutionStartedEventAttributes(started);
            picture.history(&event(1, started));
        });
        assert_eq!(execution(), "Running");

        let completed = WorkflowExecutionCompletedEventAttributes::default();
        let completed = Attributes::WorkflowExecutionCompletedEventAttributes(completed);
        show.change(|picture| picture.history(&event(2, completed)));
        show.change(|picture| picture.end(Ok(Followed::Cancelled(None))));
        assert_eq!(execution(), "Running");

        ended.notified().await;
        show.change(|picture| picture.lines = Some(Vec::new()));
        assert_eq!(execution(), "Completed");
    }
}
