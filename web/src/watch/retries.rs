//! How many attempts failed or were lost, of the orders in the list that have ended.

use std::{collections::HashSet, sync::Arc, time::Duration};

use temporalio_client::{Client, WorkflowFetchHistoryOptions};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use tokio::{sync::watch, time::sleep};

use super::{list::Listing, source::Source};
use crate::view::Totals;

/// The shortest time between two histories.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// Counts them, each order once and one after the other: only its history tells, and reading that costs
/// the server something.
pub(crate) async fn watch(source: &Source, listing: &Listing, totals: &watch::Sender<Arc<Totals>>) {
    let mut changed = listing.subscribe();
    let mut counted = HashSet::new();
    while changed.changed().await.is_ok() {
        let ended = listing.list().ended();
        counted.retain(|run| ended.contains(run));
        for run in ended {
            source.somebody_looks().await;
            if counted.contains(&run) {
                continue;
            }
            sleep(AT_MOST_EVERY).await;
            let client = source.connected().await;
            // An order whose history cannot be read is counted when the list changes again.
            if let Some(retries) = retries(&client, &run.0, &run.1).await {
                counted.insert(run);
                totals.send_if_modified(|totals| {
                    Arc::make_mut(totals).retries += retries;
                    retries > 0
                });
            }
        }
    }
}

async fn retries(client: &Client, order_id: &str, run_id: &str) -> Option<u32> {
    let order = client.get_workflow_handle::<workflows::ProcessOrder>(order_id);
    let order = starter::follow::run(&order, run_id);
    let history = order.fetch_history(WorkflowFetchHistoryOptions::default());
    let events = history.into_events().await.ok()?;
    let attempts = events.iter().filter_map(|event| match &event.attributes {
        Some(Attributes::ActivityTaskStartedEventAttributes(started)) => Some(started.attempt),
        _ => None,
    });
    Some(
        attempts
            .map(|attempt| attempt.unsigned_abs().saturating_sub(1))
            .sum(),
    )
}
