//! The list of the newest orders, looked up once for all browsers.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures::TryStreamExt;
use inventory::{Change, Entry};
use serde::Serialize;
use starter::list::{ORDERS, build};
use temporalio_client::{
    Client, WorkflowCountOptions, WorkflowExecution, WorkflowExecutionStatus, WorkflowListOptions,
    errors::ClientError,
};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use workflows::{ORDER_STATUS, OrderStatus};

use super::source::Source;
use crate::view::{OrderSummary, rfc3339};

/// The most orders that browsers are told of.
pub(crate) const NEWEST: usize = 200;

/// The list costs the server something, so this is the shortest time between two of them.
const AT_MOST_EVERY: Duration = Duration::from_millis(500);

/// A server that is busy takes longer. The pause is this many times as long as the last list took, and never longer
/// than [`AT_LEAST_EVERY`].
const PAUSE_FACTOR: u32 = 20;
const AT_LEAST_EVERY: Duration = Duration::from_secs(3);

/// The server may take this long until its list has what happened.
const LISTED_WITHIN: Duration = Duration::from_millis(1_500);

/// An order may be listed as ended this much later than one that ended after it. If it is listed still later, the
/// whole list is asked for.
const LISTED_LATE_BY: Duration = Duration::from_millis(500);

/// How long an order that was placed here is shown though the server does not list it.
const SHOWN_UNLISTED: Duration = Duration::from_secs(10);

/// How often to look while orders run of which nothing was heard.
const WHILE_RUNNING: Duration = Duration::from_secs(3);

/// How often to look while nothing seems to happen: others place orders, too.
const OTHERWISE: Duration = Duration::from_secs(5);

/// The newest orders.
#[derive(Debug, Default)]
pub(crate) struct List {
    version: u64,
    /// Since when no order has vanished from it.
    complete_since: u64,
    /// Newest first, each with the version in which it changed last.
    orders: Vec<(u64, OrderSummary)>,
    total: usize,
    /// What was placed here and is not listed yet, and when it was placed.
    placed: Vec<(Instant, OrderSummary)>,
}

/// What a browser is told of the list.
#[derive(Debug, Serialize)]
pub(crate) struct Changes {
    /// The orders that changed.
    orders: Vec<OrderSummary>,
    /// How many orders there are.
    total: usize,
    /// Whether these are all of the newest, and others that were told before are gone.
    whole: bool,
}

impl List {
    /// What changed since a version, and the version now.
    pub fn since(&self, version: u64) -> (u64, Changes) {
        let whole = version < self.complete_since || version == 0;
        let changed = |since: &&(u64, OrderSummary)| whole || since.0 > version;
        let orders = self.orders.iter().filter(changed);
        let changes = Changes {
            orders: orders.map(|(_, order)| order.clone()).collect(),
            total: self.total,
            whole,
        };
        (self.version, changes)
    }

    /// The newest run of an order, if it is listed.
    pub fn run_id(&self, order_id: &str) -> Option<&str> {
        let mut orders = self.orders.iter();
        let found = orders.find(|(_, order)| order.order_id == order_id);
        found.map(|(_, order)| order.run_id.as_str())
    }

    /// The orders that have ended, each with its run.
    pub fn ended(&self) -> HashSet<(String, String)> {
        let orders = self.orders.iter().map(|(_, order)| order);
        let ended = orders.filter(|order| order.execution != RUNNING);
        ended
            .map(|order| (order.order_id.clone(), order.run_id.clone()))
            .collect()
    }

    /// Whether an order runs, as far as the list tells.
    pub fn is_running(&self, order_id: &str) -> bool {
        let mut orders = self.orders.iter();
        orders.any(|(_, order)| order.order_id == order_id && order.execution == RUNNING)
    }

    fn is_busy(&self) -> bool {
        let mut orders = self.orders.iter();
        orders.any(|(_, order)| order.execution == RUNNING)
    }

    /// The query for all that may have changed, if that is less than everything: a server with an SQL database
    /// sorts all that it finds, however few are asked for.
    fn changes(&self) -> Option<String> {
        let ends = self
            .orders
            .iter()
            .filter_map(|(_, it)| it.ended_at.as_deref());
        let last = humantime::parse_rfc3339(ends.max()?).ok()?;
        let since = rfc3339(last - LISTED_LATE_BY);
        Some(format!(
            "{ORDERS} AND (ExecutionStatus = '{RUNNING}' OR CloseTime >= '{since}')"
        ))
    }

    /// What the server lists, with the orders that were placed here and that it does not list yet.
    fn with_placed(
        &mut self,
        mut listed: Vec<OrderSummary>,
        total: usize,
    ) -> (Vec<OrderSummary>, usize) {
        self.placed.retain(|(at, placed)| {
            let is_listed = listed.iter().any(|it| it.run_id == placed.run_id);
            !is_listed && at.elapsed() < SHOWN_UNLISTED
        });
        let newest_first = self.placed.iter().rev().map(|(_, order)| order.clone());
        listed.splice(0..0, newest_first);
        (listed, total + self.placed.len())
    }

    /// All of the newest orders, of which some may have changed. Returns `None` if an order is gone, or may be.
    fn with(&self, mut changed: Vec<OrderSummary>, total: usize) -> Option<Vec<OrderSummary>> {
        if changed.len() >= NEWEST {
            return Some(changed);
        }
        let listed: HashSet<_> = changed.iter().map(|it| it.order_id.clone()).collect();
        let orders = self.orders.iter().map(|(_, order)| order);
        let others = orders.filter(|it| !listed.contains(&it.order_id));
        if total < self.total || others.clone().any(|it| it.execution == RUNNING) {
            return None;
        }
        changed.extend(others.cloned());
        changed.truncate(NEWEST);
        Some(changed)
    }

    /// Takes in what the server lists now, the newest first. The ledger may know more of an order.
    fn take(&mut self, mut listed: Vec<OrderSummary>, total: usize) -> bool {
        // Of an order that was placed again, its newest submission is shown.
        let mut seen = HashSet::new();
        listed.retain(|order| seen.insert(order.order_id.clone()));
        let known: HashMap<_, _> = self
            .orders
            .iter()
            .map(|(since, order)| (order.order_id.as_str(), (*since, order)))
            .collect();
        let version = self.version + 1;
        let orders: Vec<_> = listed
            .into_iter()
            .map(|mut order| match known.get(order.order_id.as_str()) {
                Some((since, before)) if before.run_id == order.run_id => {
                    if order.execution == RUNNING {
                        order.percent = order.percent.max(before.percent);
                    }
                    let same = **before == order;
                    (if same { *since } else { version }, order)
                }
                _ => (version, order),
            })
            .collect();
        let still: HashSet<_> = orders
            .iter()
            .map(|(_, order)| order.order_id.as_str())
            .collect();
        let vanished = orders.len() < NEWEST && known.keys().any(|id| !still.contains(id));
        let changed = self.version == 0
            || vanished
            || total != self.total
            || orders.iter().any(|(since, _)| *since == version);
        if vanished {
            self.complete_since = version;
        }
        (self.version, self.orders, self.total) = (version, orders, total);
        changed
    }

    /// Takes in an order that was just placed here.
    fn placed(&mut self, order: OrderSummary) {
        self.version += 1;
        self.total += 1;
        self.placed.push((Instant::now(), order.clone()));
        self.orders.retain(|(_, it)| it.order_id != order.order_id);
        self.orders.insert(0, (self.version, order));
        self.orders.truncate(NEWEST);
    }

    /// Takes in new lines of the ledger, which tell how far orders are before the server lists it.
    fn advance(&mut self, lines: &[Entry]) -> bool {
        let version = self.version + 1;
        let mut changed = false;
        for line in lines {
            let percent = match line.change {
                Change::Reserved => 40,
                Change::Charged => 60,
                _ => continue,
            };
            let submission = line.submission();
            let order = self.orders.iter_mut().find(|(_, order)| {
                order.order_id == line.order_id
                    && Some(order.run_id.as_str()) == submission.as_deref()
            });
            if let Some((since, order)) = order
                && order.percent < Some(percent)
            {
                (*since, order.percent) = (version, Some(percent));
                changed = true;
            }
        }
        if changed {
            self.version = version;
        }
        changed
    }
}

/// The list, and who is told that it changed.
#[derive(Default)]
pub(crate) struct Listing {
    list: Mutex<List>,
    changed: watch::Sender<u64>,
    stirred: Notify,
}

impl Listing {
    /// Is told of each change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The list as it is.
    pub fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut List) -> bool) {
        let changed = change(&mut self.list());
        if changed {
            self.changed.send_modify(|changes| *changes += 1);
        }
    }

    /// An order was placed here.
    pub fn placed(&self, order_id: &str, run_id: &str, now: SystemTime) {
        let order = OrderSummary {
            order_id: order_id.to_owned(),
            status: OrderStatus::Received.to_string(),
            execution: RUNNING.to_owned(),
            run_id: run_id.to_owned(),
            placed_at: Some(rfc3339(now)),
            percent: Some(0),
            ..OrderSummary::default()
        };
        self.change(|list| {
            list.placed(order);
            true
        });
        self.stir();
    }

    /// The ledger has new lines.
    pub fn advance(&self, lines: &[Entry]) {
        self.change(|list| list.advance(lines));
        self.stir();
    }

    /// Something happened to some order.
    pub fn stir(&self) {
        self.stirred.notify_one();
    }

    async fn look(&self, client: &Client, was_away: bool) -> Result<(), ClientError> {
        let changes = self.list().changes().filter(|_| !was_away);
        if let Some(changes) = changes {
            let changed = listed(client, changes, NEWEST).await?;
            let total = count(client, ORDERS.to_owned()).await?;
            let mut is_whole = false;
            self.change(|list| {
                let (changed, total) = list.with_placed(changed, total);
                let orders = list.with(changed, total);
                is_whole = orders.is_some();
                orders.is_some_and(|orders| list.take(orders, total))
            });
            if is_whole {
                return Ok(());
            }
        }
        let (orders, total) = newest(client, ORDERS.to_owned(), NEWEST).await?;
        self.change(|list| {
            let (orders, total) = list.with_placed(orders, total);
            list.take(orders, total)
        });
        Ok(())
    }

    /// Keeps the list up to date while somebody looks.
    pub async fn watch(&self, source: &Source) {
        let mut again = false;
        // A server that was away may be another one when it is back.
        let mut was_away = true;
        loop {
            source.somebody_looks().await;
            let client = source.connected().await;
            let begun = Instant::now();
            let found = self.look(&client, was_away).await;
            was_away = found.is_err();
            if let Err(error) = found {
                tracing::debug!("cannot list the orders: {error}");
                sleep(AT_MOST_EVERY).await;
                continue;
            }
            let pause = begun.elapsed() * PAUSE_FACTOR;
            sleep(pause.clamp(AT_MOST_EVERY, AT_LEAST_EVERY)).await;
            let pause = match again {
                true => LISTED_WITHIN - AT_MOST_EVERY,
                false if self.list().is_busy() => WHILE_RUNNING,
                false => OTHERWISE,
            };
            // What stirred may not be listed yet, so there is another look after it.
            again = timeout(pause, self.stirred.notified()).await.is_ok();
        }
    }
}

/// The newest orders of a query, and how many there are.
pub(crate) async fn newest(
    client: &Client,
    query: String,
    limit: usize,
) -> Result<(Vec<OrderSummary>, usize), ClientError> {
    let listed = listed(client, query.clone(), limit).await?;
    let total = if listed.len() < limit {
        listed.len()
    } else {
        count(client, query).await?
    };
    Ok((listed, total))
}

async fn listed(
    client: &Client,
    query: String,
    limit: usize,
) -> Result<Vec<OrderSummary>, ClientError> {
    let options = WorkflowListOptions::builder().limit(limit).build();
    let listed = client.list_workflows(query, options);
    listed.map_ok(|order| summary(&order)).try_collect().await
}

async fn count(client: &Client, query: String) -> Result<usize, ClientError> {
    let counting = client.count_workflows(query, WorkflowCountOptions::default());
    Ok(counting.await?.count())
}

/// The server's word for an order that has not ended.
const RUNNING: &str = "Running";

fn summary(order: &WorkflowExecution) -> OrderSummary {
    let own = order.search_attributes().get(&ORDER_STATUS);
    let execution = format!("{:?}", order.status());
    let was_stopped = matches!(
        order.status(),
        WorkflowExecutionStatus::Terminated | WorkflowExecutionStatus::TimedOut
    );
    let percent = own.as_deref().and_then(percent);
    OrderSummary {
        order_id: order.id().to_owned(),
        status: own
            .filter(|_| !was_stopped)
            .unwrap_or_else(|| execution.clone()),
        execution,
        run_id: order.run_id().to_owned(),
        placed_at: order.start_time().map(rfc3339),
        ended_at: order.close_time().map(rfc3339),
        percent,
        build: build(&order.search_attributes()),
    }
}

/// How far an order of this status is at least.
fn percent(status: &str) -> Option<u32> {
    let mut all = OrderStatus::ALL.into_iter();
    Some(match all.find(|it| it.to_string() == status)? {
        OrderStatus::Received | OrderStatus::CheckingFraud => 0,
        OrderStatus::Pausing | OrderStatus::AwaitingApproval | OrderStatus::PreparingShipment => 20,
        OrderStatus::Charging => 40,
        OrderStatus::AwaitingAddress | OrderStatus::Shipping => 60,
        OrderStatus::Resupplying => 80,
        OrderStatus::Completed => 100,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(order_id: &str, status: &str) -> OrderSummary {
        OrderSummary {
            order_id: order_id.to_owned(),
            run_id: format!("run of {order_id}"),
            status: status.to_owned(),
            execution: RUNNING.to_owned(),
            percent: percent(status),
            ..OrderSummary::default()
        }
    }

    fn ids(changes: &Changes) -> Vec<&str> {
        let orders = changes.orders.iter();
        orders.map(|order| order.order_id.as_str()).collect()
    }

    #[test]
    fn a_browser_is_told_all_at_first_and_then_what_changed() {
        let mut list = List::default();
        // Even that there are none.
        assert!(list.take(Vec::new(), 0));
        let (first, changes) = list.since(0);
        assert!(changes.whole && changes.orders.is_empty());

        assert!(list.take(vec![order("b", "Received"), order("a", "Charging")], 2));
        let (second, changes) = list.since(first);
        assert_eq!((ids(&changes), changes.whole), (vec!["b", "a"], false));
        assert!(!list.take(vec![order("b", "Received"), order("a", "Charging")], 2));
        assert!(list.take(vec![order("b", "Charging"), order("a", "Charging")], 2));
        let (third, changes) = list.since(second);
        assert_eq!((ids(&changes), changes.whole), (vec!["b"], false));

        // A server that lost its state has lost orders, too.
        assert!(list.take(vec![order("a", "Charging")], 1));
        let (_, changes) = list.since(third);
        assert_eq!((ids(&changes), changes.whole), (vec!["a"], true));
    }

    fn ended(order_id: &str, at: &str) -> OrderSummary {
        OrderSummary {
            execution: "Completed".to_owned(),
            ended_at: Some(format!("2020-01-01T{at}.500Z")),
            ..order(order_id, "Completed")
        }
    }

    #[test]
    fn only_what_may_have_changed_is_asked_for() {
        let mut list = List::default();
        list.take(vec![order("b", "Charging")], 1);
        // As long as none has ended, all are under way.
        assert_eq!(list.changes(), None);

        list.take(
            vec![
                order("c", "Received"),
                order("b", "Charging"),
                ended("a", "10:00:03"),
            ],
            3,
        );
        assert_eq!(
            list.changes().unwrap(),
            "WorkflowType = 'ProcessOrder' AND (ExecutionStatus = 'Running' OR \
             CloseTime >= '2020-01-01T10:00:03.000Z')"
        );
        let now = || {
            vec![
                order("d", "Received"),
                order("c", "Charging"),
                ended("b", "10:00:04"),
            ]
        };
        let orders = list.with(now(), 4).unwrap();
        assert!(list.take(orders, 4));
        let (_, changes) = list.since(0);
        assert_eq!(ids(&changes), ["d", "c", "b", "a"]);

        // Everything is asked for if an order that was under way is not found, or if there are fewer.
        assert_eq!(list.with(now(), 3), None);
        assert_eq!(list.with(vec![order("d", "Received")], 4), None);
        assert!(list.with(now(), 4).is_some());
    }

    #[test]
    fn an_order_that_was_placed_here_stays_until_the_server_lists_it() {
        let mut list = List::default();
        let before = || vec![ended("a", "10:00:00")];
        list.take(before(), 1);
        list.placed(order("b", "Received"));
        let (seen, _) = list.since(0);

        // The server does not list it yet.
        let (listed, total) = list.with_placed(before(), 1);
        let listed = list.with(listed, total).unwrap();
        assert!(!list.take(listed, total));
        let (_, changes) = list.since(seen);
        assert_eq!((changes.whole, changes.total), (false, 2));

        let both = || vec![order("b", "Charging"), ended("a", "10:00:00")];
        let (listed, total) = list.with_placed(both(), 2);
        assert_eq!(total, 2);
        assert!(list.take(listed, total));
        assert!(list.placed.is_empty());

        // A server that lost its state never lists it.
        list.placed(order("c", "Received"));
        list.placed[0].0 -= SHOWN_UNLISTED;
        let (listed, total) = list.with_placed(both(), 2);
        list.take(listed, total);
        let (_, changes) = list.since(0);
        assert_eq!(ids(&changes), ["b", "a"]);
    }

    #[test]
    fn an_order_that_was_placed_again_is_listed_once() {
        let mut list = List::default();
        let placed_again = OrderSummary {
            run_id: "another run".to_owned(),
            ..order("a", "Received")
        };
        list.take(vec![placed_again, ended("a", "10:00:00")], 2);
        let (_, changes) = list.since(0);
        assert_eq!(ids(&changes), ["a"]);
        assert_eq!(list.run_id("a"), Some("another run"));
    }

    #[test]
    fn the_ledger_is_ahead_of_the_list_and_stays_so() {
        let line = |change, run: &str| Entry {
            seq: 1,
            at: SystemTime::UNIX_EPOCH,
            order_id: "a".to_owned(),
            product_id: "123456".to_owned(),
            change,
            quantity: 1,
            in_stock: None,
            key: format!("a/{run}/charge"),
            confirmation: None,
            payment: None,
            address: None,
            more: false,
            removed: false,
        };
        let mut list = List::default();
        list.take(vec![order("a", "CheckingFraud")], 1);
        assert!(!list.advance(&[line(Change::Charged, "another run")]));
        assert!(list.advance(&[line(Change::Charged, "run of a")]));
        list.take(vec![order("a", "PreparingShipment")], 1);
        let (_, changes) = list.since(0);
        assert_eq!(changes.orders[0].percent, Some(60));
    }
}
