//! What a presenter can show, one button each, and what comes of it.
//!
//! A scene claims nothing before it was checked: its outcome appears once the ledger and the order say so.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use activities::services::PAYMENTS_DOWN;
use anyhow::{Context, bail, ensure};
use futures::{FutureExt, future::BoxFuture};
use inventory::{Change, Standing};
use orders::{ApprovalRule, Order};
use starter::{
    follow::{self, Followed, OrderHandle, Unwatched},
    message::{Message, NotTold, tell},
    progress::innermost,
};
use temporalio_client::{WorkflowDescribeOptions, WorkflowQueryOptions};
use web::stage::{Outcome, Scene, StageError};
use workflows::{OrderOutcome, OrderProgress, OrderStatus, ProcessOrder};

use crate::{
    live::{
        backstage::{Backstage, SERVER, UnderWay, refused},
        comparison,
        many::{self, DEAD_FOR, Kills},
    },
    sample::numbered_order,
};

/// Units that a scene's order asks for.
const UNITS: u32 = 100;

/// Units above which the scene's order needs approval, and how many it asks for.
const APPROVAL_ABOVE: u32 = 500;
const LARGE: u32 = 600;

/// How long an order waits for a person.
const PATIENT: Duration = Duration::from_secs(600);

/// How long the order lasts during which the server is killed.
const PAUSE: Duration = Duration::from_secs(5);

/// What is no address: it has no house number.
const NO_ADDRESS: &str = "Main Street";

/// How often an order is asked how it is.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long an order may take to be as a scene needs it.
const SO_WITHIN: Duration = Duration::from_secs(60);

/// How many orders a scene with many of them has.
const MANY: u32 = 50;

/// Orders and kills on each side of the comparison.
const COMPARED: (u32, u32) = (40, 4);

/// What is killed where nothing is.
const NO_KILLS: Kills = Kills {
    count: 0,
    server_every: None,
};

/// What is killed in the scene with chaos.
const CHAOS: Kills = Kills {
    count: 6,
    server_every: Some(5),
};

/// Each scene: its ID, its title, what to say, and its button.
const SCENES: [[&str; 4]; 12] = [
    [
        "first-order",
        "A first order",
        "An order takes five steps, in a few lines of code. Some attempts fail, as in real life. Nobody has \
         to do anything about it.",
        "Place an order",
    ],
    [
        "kill-after-charge",
        "The worst moment",
        "I kill the worker right after it charged the customer, and before it can tell anybody. Nobody knows \
         of the charge but the ledger. Watch who finishes the order, and how often the customer pays.",
        "Place an order, and kill its worker right after the charge",
    ],
    [
        "start",
        "Back to work",
        "The dead process is only a process: I start another one. It needs to know nothing of what happened \
         before.",
        "Start every dead process",
    ],
    [
        "payments-down",
        "The payment service is down",
        "Now a service that is not ours is down. The order waits, and is tried again and again. Nobody has to \
         place it a second time.",
        "Take payments down, and place an order",
    ],
    [
        "payments-up",
        "The payment service is back",
        "The service comes back. The order goes on by itself, from the step at which it stood.",
        "Bring payments back",
    ],
    [
        "approval",
        "A person decides",
        "A large order waits for a person, for days if need be, and no process has to stay alive for it. \
         Approve it here, or reject it.",
        "Place a large order",
    ],
    [
        "refused-address",
        "An order says no",
        "An order that is under way can still be changed. It refuses an address that makes no sense and says \
         why, and its history stays as it was.",
        "Place an order, and leave out the house number of its new address",
    ],
    [
        "cancel",
        "Everything undone",
        "This order is paid already, and I cancel it. The charge is refunded and the units go back on the \
         shelf, in reverse order.",
        "Place an order, and cancel it once it is paid",
    ],
    [
        "fifty-orders",
        "Fifty at once",
        "Fifty orders, at the fault rate that you see. Every one takes the same five steps.",
        "Place 50 orders",
    ],
    [
        "kill-server",
        "Even the server",
        "The Temporal server itself is killed, with an order under way. Its state is on disk. When it is back, \
         everything goes on.",
        "Place an order, kill the server, and start it again",
    ],
    [
        "chaos",
        "Chaos",
        "Fifty orders, and something is killed again and again while they run, once the server too. At the end \
         we count.",
        "Place 50 orders, and kill 6 processes meanwhile",
    ],
    [
        "compare",
        "Without Temporal",
        "The same steps as plain function calls, with the same faults and the same number of kills. Then the \
         same orders on Temporal.",
        "Compare 40 orders",
    ],
];

/// The scenes, of which none was played yet.
pub fn all() -> Vec<Scene> {
    let scene = |[id, title, say, button]: [&str; 4]| Scene {
        id: id.to_owned(),
        title: title.to_owned(),
        say: say.to_owned(),
        button: button.to_owned(),
        outcome: None,
    };
    SCENES.map(scene).into()
}

/// What a scene does once it has begun. It ends with what was found.
type Rest = BoxFuture<'static, anyhow::Result<String>>;

/// Plays scenes.
pub struct Scenes {
    backstage: Arc<Backstage>,
    /// The order that was placed while the payment service was down.
    waits_for_payments: Mutex<Option<OrderHandle>>,
}

impl Scenes {
    /// Scenes on these processes.
    pub fn new(backstage: Arc<Backstage>) -> Self {
        Self {
            backstage,
            waits_for_payments: Mutex::default(),
        }
    }

    /// Does what a scene's button says. Returns the order to look at, if there is one; the rest happens
    /// meanwhile, and its outcome is shown.
    ///
    /// # Errors
    /// Returns an error if there is no such scene, or it cannot begin now.
    pub async fn play(&self, id: &str) -> Result<Option<String>, StageError> {
        let (order, rest) = self.begin(id).await?;
        self.go_on(id, rest);
        Ok(order.map(|order| order.info().workflow_id.clone()))
    }

    /// Places this many orders, which shows as the outcome of the scene that does so too.
    ///
    /// # Errors
    /// Returns an error if something else is under way.
    pub fn place_orders(&self, count: u32) -> Result<(), StageError> {
        self.go_on(
            "fifty-orders",
            many(self.backstage.clone(), count, NO_KILLS)?,
        );
        Ok(())
    }

    /// Compares this many orders, which shows as the outcome of the scene that does so too.
    ///
    /// # Errors
    /// Returns an error if there are too many orders or kills, or something else is under way.
    pub fn compare(&self, orders: u32, kills: u32) -> Result<(), StageError> {
        let comparing = comparison::begin(&self.backstage, orders, kills)?;
        self.go_on("compare", comparing.boxed());
        Ok(())
    }

    fn go_on(&self, id: &str, rest: Rest) {
        self.backstage.came_of(id, None);
        let (backstage, id) = (self.backstage.clone(), id.to_owned());
        tokio::spawn(async move {
            let outcome = match rest.await {
                Ok(text) => Outcome { shown: true, text },
                Err(error) => Outcome {
                    shown: false,
                    text: format!("{error:#}"),
                },
            };
            backstage.came_of(&id, Some(outcome));
        });
    }

    async fn begin(&self, id: &str) -> Result<(Option<OrderHandle>, Rest), StageError> {
        let backstage = self.backstage.clone();
        let order = |units| backstage.order(units);
        match id {
            "first-order" => {
                let placed = backstage.place(&order(UNITS)).await?;
                self.with(placed, |backstage, placed| {
                    completed(backstage, placed).boxed()
                })
            }
            "kill-after-charge" => {
                let alive = backstage.alive();
                if alive.is_empty() {
                    return Err(refused("no worker runs: start one first".to_owned()));
                }
                // Whichever order is charged next, its worker is killed.
                backstage.check_free()?;
                let before = backstage.kills().len();
                backstage.arm(&alive)?;
                let placed = backstage.place(&order(UNITS)).await;
                let placed = placed.inspect_err(|_| backstage.disarm())?;
                self.with(placed, move |backstage, placed| {
                    killed_after_charge(backstage, placed, before).boxed()
                })
            }
            "start" => {
                let dead = backstage.dead();
                if dead.is_empty() {
                    return Err(refused("everything runs already".to_owned()));
                }
                let rest = async move {
                    for name in &dead {
                        backstage.start(name).await?;
                    }
                    backstage.until_ready(&dead).await?;
                    Ok(format!("{} runs again.", dead.join(" and ")))
                };
                Ok((None, rest.boxed()))
            }
            "payments-down" => {
                backstage.set_payments_up(false)?;
                let placed = backstage.place(&order(UNITS)).await?;
                *self.waiting() = Some(another(&placed));
                self.with(placed, |_, placed| waits_for_payments(placed).boxed())
            }
            "payments-up" => {
                backstage.set_payments_up(true)?;
                match self.waiting().take() {
                    Some(placed) => self.with(placed, |backstage, placed| {
                        completed(backstage, placed).boxed()
                    }),
                    None => {
                        let text = "The payment service is up, and no scene's order waited for it.";
                        Ok((None, async move { Ok(text.to_owned()) }.boxed()))
                    }
                }
            }
            "approval" => {
                let approval = Some(ApprovalRule {
                    above_quantity: APPROVAL_ABOVE,
                    within_seconds: PATIENT.as_secs(),
                });
                let large = Order {
                    approval,
                    ..order(LARGE)
                };
                let placed = backstage.place(&large).await?;
                self.with(placed, |backstage, placed| {
                    waits_for_approval(backstage, placed).boxed()
                })
            }
            "refused-address" | "cancel" => {
                let patient = Order {
                    await_address_seconds: Some(PATIENT.as_secs()),
                    ..order(UNITS)
                };
                let placed = backstage.place(&patient).await?;
                match id {
                    "cancel" => self.with(placed, |backstage, placed| {
                        cancelled(backstage, placed).boxed()
                    }),
                    _ => self.with(placed, |_, placed| refuses_address(placed).boxed()),
                }
            }
            "fifty-orders" => Ok((None, many(backstage, MANY, NO_KILLS)?)),
            "kill-server" => {
                let act = backstage.begin("The server is about to be killed.")?;
                let pausing = Order {
                    pause_seconds: Some(PAUSE.as_secs()),
                    ..order(UNITS)
                };
                let placed = backstage.place(&pausing).await?;
                self.with(placed, |backstage, placed| {
                    async move {
                        until(&placed, OrderStatus::Pausing).await?;
                        backstage.kill(SERVER).await?;
                        tokio::time::sleep(DEAD_FOR).await;
                        backstage.start(SERVER).await?;
                        drop(act);
                        completed(backstage, placed).await
                    }
                    .boxed()
                })
            }
            "chaos" => Ok((None, many(backstage, MANY, CHAOS)?)),
            "compare" => {
                let (orders, kills) = COMPARED;
                Ok((None, comparison::begin(&backstage, orders, kills)?.boxed()))
            }
            _ => Err(StageError::Unknown(format!(
                "there is no such scene; there are {}",
                SCENES.map(|[id, ..]| id).join(", ")
            ))),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it ends the arms of a match that can fail"
    )]
    fn with(
        &self,
        placed: OrderHandle,
        rest: impl FnOnce(Arc<Backstage>, OrderHandle) -> Rest,
    ) -> Result<(Option<OrderHandle>, Rest), StageError> {
        let rest = rest(self.backstage.clone(), another(&placed));
        Ok((Some(placed), rest))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<OrderHandle>> {
        let waiting = self.waits_for_payments.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places many orders.
fn many(backstage: Arc<Backstage>, count: u32, kills: Kills) -> Result<Rest, StageError> {
    let act = backstage.begin(&format!("{count} orders are being placed."))?;
    let rest = async move {
        let found = placed(&backstage, &act, count, kills).await;
        act.ends(&found);
        found
    };
    Ok(rest.boxed())
}

async fn placed(
    backstage: &Arc<Backstage>,
    act: &UnderWay,
    count: u32,
    kills: Kills,
) -> anyhow::Result<String> {
    let before = backstage.kills().len();
    let numbers = backstage.numbers(count);
    let orders: Vec<_> = numbers
        .map(|number| numbered_order(number, UNITS))
        .collect();
    let completed = many::run(backstage, &orders, kills, |completed| {
        act.say(format!("{completed} of {count} orders completed so far."));
    })
    .await;
    let audit = backstage.inventory.audit().await?;
    ensure!(audit.is_clean(), "the ledger does not add up");
    let stands = |order: &Order| audit.order(&order.order_id).map(|it| it.standing());
    let in_ledger = orders
        .iter()
        .filter(|it| stands(it) == Some(Standing::Completed));
    let in_ledger = in_ledger.count();
    ensure!(
        completed == count && in_ledger == orders.len(),
        "{completed} of {count} orders say that they completed, and the ledger has {in_ledger}"
    );
    let meanwhile = match backstage.kills().len() - before {
        0 => String::new(),
        1 => ", although a process died".to_owned(),
        killed => format!(", although {killed} processes died"),
    };
    Ok(format!(
        "All {count} orders completed{meanwhile}. The ledger adds up: none is lost, none is doubled."
    ))
}

async fn completed(backstage: Arc<Backstage>, order: OrderHandle) -> anyhow::Result<String> {
    let order_id = ended_well(&order).await?;
    let [reserved, charged, shipped] = [Change::Reserved, Change::Charged, Change::Shipped];
    check_effects(&backstage, &order_id, &[reserved, charged, shipped]).await?;
    Ok(format!(
        "{order_id} completed: the ledger has one reservation, one charge and one shipment."
    ))
}

async fn killed_after_charge(
    backstage: Arc<Backstage>,
    order: OrderHandle,
    kills_before: usize,
) -> anyhow::Result<String> {
    let completed = completed(backstage.clone(), another(&order)).await?;
    let kills = backstage.kills();
    let mut workers = kills[kills_before..]
        .iter()
        .filter(|it| !it.what.starts_with(SERVER));
    let killed = workers.next().context("no worker was killed")?;
    let options = WorkflowQueryOptions::default();
    let progress = order
        .query(ProcessOrder::status, ().into(), options)
        .await?;
    let mut steps = progress.steps.into_iter();
    let charge = steps.find(|it| it.step == activities::Activity::Charge && it.found);
    let charge = charge.and_then(|it| it.confirmation);
    let charge = charge.context("the charge was not found from an earlier attempt")?;
    Ok(format!(
        "{} was killed when it had made {charge}. Another worker found {charge}. {completed}",
        killed.what
    ))
}

async fn waits_for_payments(order: OrderHandle) -> anyhow::Result<String> {
    let order_id = &order.info().workflow_id;
    let order = &order;
    let attempts = so(&format!("{order_id} to be tried again"), || async move {
        let there = order
            .describe(WorkflowDescribeOptions::default())
            .await
            .ok()?;
        let mut pending = there.raw().pending_activities.iter();
        pending.find_map(|activity| {
            let failure = activity.last_failure.as_ref()?;
            let is_down = innermost(failure).contains(PAYMENTS_DOWN) && activity.attempt > 1;
            is_down.then_some(activity.attempt)
        })
    })
    .await?;
    Ok(format!(
        "{order_id} waits: its charge is at attempt {attempts}, and nothing was charged."
    ))
}

async fn waits_for_approval(
    backstage: Arc<Backstage>,
    order: OrderHandle,
) -> anyhow::Result<String> {
    let progress = until(&order, OrderStatus::AwaitingApproval).await?;
    check_effects(&backstage, &progress.order_id, &[]).await?;
    Ok(format!(
        "{} waits for approval, and nothing is reserved for it yet.",
        progress.order_id
    ))
}

async fn refuses_address(order: OrderHandle) -> anyhow::Result<String> {
    until(&order, OrderStatus::AwaitingAddress).await?;
    match tell(&order, &Message::ChangeAddress(NO_ADDRESS.to_owned())).await {
        Err(NotTold::Refused { order_id, reason }) => {
            Ok(format!("{order_id} refused {NO_ADDRESS:?}: {reason}."))
        }
        Err(error) => Err(error.into()),
        Ok(answer) => bail!("it was not refused: {answer}"),
    }
}

async fn cancelled(backstage: Arc<Backstage>, order: OrderHandle) -> anyhow::Result<String> {
    let OrderProgress { order_id, .. } = until(&order, OrderStatus::AwaitingAddress).await?;
    let reason = "the customer has changed their mind".to_owned();
    tell(&order, &Message::Cancel(reason)).await?;
    match follow::follow(&order, &mut Unwatched).await? {
        Followed::Cancelled(_) => {}
        other => bail!("{order_id} was not cancelled: {other:?}"),
    }
    let undone = [
        Change::Reserved,
        Change::Charged,
        Change::Refunded,
        Change::Released,
    ];
    check_effects(&backstage, &order_id, &undone).await?;
    Ok(format!(
        "{order_id} is cancelled: the ledger has one refund, and the units are back."
    ))
}

/// Waits until an order is charged and shipped. Returns its ID.
async fn ended_well(order: &OrderHandle) -> anyhow::Result<String> {
    let order_id = order.info().workflow_id.clone();
    match follow::follow(order, &mut Unwatched).await? {
        Followed::Completed(result) if result.outcome == OrderOutcome::Managed => Ok(order_id),
        other => bail!("{order_id} was not completed: {other:?}"),
    }
}

/// Fails the scene unless the ledger has exactly these lines of an order; the supplier's deliveries are the
/// shelf's.
async fn check_effects(
    backstage: &Backstage,
    order_id: &str,
    expected: &[Change],
) -> anyhow::Result<()> {
    let effects = backstage.inventory.effects(order_id).await?;
    let effects = effects.into_iter().map(|entry| entry.change);
    let effects: Vec<_> = effects.filter(|it| *it != Change::Restocked).collect();
    ensure!(
        effects == expected,
        "{order_id} left {effects:?} in the ledger, and not {expected:?}"
    );
    Ok(())
}

/// Waits until an order reports this status.
async fn until(order: &OrderHandle, status: OrderStatus) -> anyhow::Result<OrderProgress> {
    let what = format!("{} to be {status}", order.info().workflow_id);
    so(&what, || async move {
        let options = WorkflowQueryOptions::default();
        let asked = order.query(ProcessOrder::status, ().into(), options).await;
        asked.ok().filter(|progress| progress.status == status)
    })
    .await
}

/// Waits until something is so. The closure returns a future of its own kind, because that of an `async ||`
/// cannot be sent to another thread.
async fn so<T, F: Future<Output = Option<T>>>(
    what: &str,
    is_so: impl Fn() -> F,
) -> anyhow::Result<T> {
    let asking = async {
        loop {
            if let Some(so) = is_so().await {
                return so;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let asked = tokio::time::timeout(SO_WITHIN, asking).await;
    asked.with_context(|| format!("waited {SO_WITHIN:?} for {what}, but it did not happen"))
}

fn another(order: &OrderHandle) -> OrderHandle {
    OrderHandle::new(order.client().clone(), order.info().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_have_names_of_their_own() {
        let ids: std::collections::HashSet<_> = all().into_iter().map(|scene| scene.id).collect();
        assert_eq!(ids.len(), SCENES.len());
    }
}
