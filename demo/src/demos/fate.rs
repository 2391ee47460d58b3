//! What happens to an order in a storm, and what came of it.

use std::time::{Duration, Instant};

use orders::Order;
use starter::{
    follow::{self, Followed, OrderHandle, Unwatched},
    submit::submit,
};
use temporalio_client::{Client, WorkflowExecuteUpdateOptions, errors::WorkflowUpdateError};
use workflows::{OrderOutcome, ProcessOrder};

/// An order that takes longer than this is lost: no kill holds one up for nearly as long.
const LOST_AFTER: Duration = Duration::from_mins(10);

/// The pause before a server that is gone is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What happens to an order.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is placed.
    Placed,
    /// It is placed twice at once, and once more when it is done.
    PlacedAgain,
    /// It is told to go to another address.
    Readdressed(String),
    /// It is cancelled this long after it was placed.
    Cancelled(Duration),
    /// Its payment is declined.
    Declined,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Charged and shipped.
    Completed,
    /// Cancelled, and undone.
    Cancelled,
    /// Failed, and undone.
    Failed,
    /// Nobody knows.
    Lost,
}

/// What came of one order.
pub struct Placed {
    /// The order.
    pub order: Order,
    /// What happened to it.
    pub fate: Fate,
    /// How it ended.
    pub end: End,
    /// The run that processed it; none if it is lost.
    pub handle: Option<OrderHandle>,
    /// Further submissions.
    pub again: usize,
    /// How many of those were found to be duplicates, or attached to the order under way.
    pub recognized: usize,
    /// Whether the order said that it would do what it was told.
    pub agreed: bool,
    /// How long it took until its end was known.
    pub took: Duration,
}

/// Places an order, does to it what is to happen, and waits for its end.
pub async fn place(client: &Client, task_queue: &str, order: &Order, fate: &Fate) -> Placed {
    let twice = matches!(fate, Fate::PlacedAgain);
    let asked_at = Instant::now();
    let first = processed(client, task_queue, order);
    let ((first, second), agreed) = futures::join!(
        async {
            if twice {
                let (first, second) = futures::join!(first, processed(client, task_queue, order));
                (first, second)
            } else {
                (first.await, None)
            }
        },
        told(client, order, fate)
    );
    let took = asked_at.elapsed();
    let third = match twice {
        true => processed(client, task_queue, order).await,
        false => None,
    };
    let submissions: Vec<_> = [first, second, third].into_iter().flatten().collect();
    // Whichever submission came first processed the order; the others are the same run, or found
    // that the order was placed.
    let original = submissions
        .iter()
        .find(|(_, followed)| !is_duplicate(followed))
        .map(|(handle, followed)| {
            let handle = OrderHandle::new(client.clone(), handle.info().clone());
            (handle, end(followed))
        });
    let recognized = submissions.iter().filter(|(handle, followed)| {
        is_duplicate(followed)
            || original
                .as_ref()
                .is_some_and(|(original, _)| original.run_id() == handle.run_id())
    });
    let recognized = recognized.count();
    let (handle, end) = match original {
        Some((handle, end)) => (Some(handle), end),
        None => (None, End::Lost),
    };
    Placed {
        order: order.clone(),
        fate: fate.clone(),
        end,
        handle,
        again: if twice { 2 } else { 0 },
        recognized: recognized.saturating_sub(1),
        agreed,
        took,
    }
}

fn is_duplicate(followed: &Followed) -> bool {
    matches!(followed, Followed::Completed(result) if result.outcome == OrderOutcome::Duplicate)
}

fn end(followed: &Followed) -> End {
    match followed {
        Followed::Completed(_) => End::Completed,
        Followed::Cancelled(_) => End::Cancelled,
        Followed::NotCompleted(_) => End::Failed,
    }
}

/// Places an order and waits for its end, whatever happens to the server. `None` if it is lost.
async fn processed(
    client: &Client,
    task_queue: &str,
    order: &Order,
) -> Option<(OrderHandle, Followed)> {
    let processing = async {
        loop {
            let Ok(submitted) = submit(client, task_queue, order).await else {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                continue;
            };
            let handle = submitted.into_handle();
            match follow::follow(&handle, &mut Unwatched).await {
                Ok(followed) => return (handle, followed),
                Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    };
    tokio::time::timeout(LOST_AFTER, processing).await.ok()
}

/// Tells the order what it is to be told, until it has answered. Returns whether it agreed.
async fn told(client: &Client, order: &Order, fate: &Fate) -> bool {
    if let Fate::Cancelled(after) = fate {
        tokio::time::sleep(*after).await;
    }
    let telling = async {
        loop {
            let order: OrderHandle = client.get_workflow_handle(&order.order_id);
            let options = WorkflowExecuteUpdateOptions::default();
            let answer = match fate {
                Fate::Readdressed(address) => order
                    .execute_update(
                        ProcessOrder::change_address,
                        address.clone().into(),
                        options,
                    )
                    .await
                    .map(|_| ()),
                Fate::Cancelled(_) => {
                    let reason = "the customer has changed their mind".to_owned();
                    order
                        .execute_update(ProcessOrder::cancel, reason.into(), options)
                        .await
                }
                _ => return false,
            };
            match answer {
                Ok(()) => return true,
                Err(WorkflowUpdateError::Failed(_)) => return false,
                Err(WorkflowUpdateError::NotFound(_)) if has_ended(&order).await => return false,
                // It is not placed yet, or its server is gone for a moment.
                Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    };
    let told = tokio::time::timeout(LOST_AFTER, telling).await;
    told.unwrap_or(false)
}

async fn has_ended(order: &OrderHandle) -> bool {
    let described = order.describe(Default::default()).await;
    described.is_ok_and(|description| description.close_time().is_some())
}
