//! Looks at the Temporal server and the inventory, once for all browsers, and only while somebody looks.
//!
//! | module | what lives there |
//! |---|---|
//! | `source` | where everything is looked up, and whether anybody looks |
//! | `reach` | whether the server and its workers are there |
//! | `list` | the list of the newest orders |
//! | `ledger` | the end of the ledger, and the stock |
//! | `audit` | whether everything adds up |
//! | `retries` | how many attempts failed or were lost |
//! | `order` | one order, followed through its history |
//! | `pace` | how often the server is asked whether that history has grown |

mod audit;
mod ledger;
pub(crate) mod list;
mod order;
mod pace;
mod reach;
mod retries;
mod source;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;
use tokio::sync::watch;

use self::{
    ledger::Ledger,
    list::Listing,
    order::Shown,
    source::{Source, Viewer},
};
use crate::{
    Site,
    problem::Problem,
    view::{AuditView, OrderView, Totals},
};

/// The most orders that are followed at the same time.
const MAX_FOLLOWED: usize = 2_000;

/// Everything that is looked at.
pub(crate) struct Watching {
    pub source: Arc<Source>,
    pub listing: Listing,
    pub ledger: Ledger,
    pub totals: watch::Sender<Arc<Totals>>,
    followed: Mutex<HashMap<String, Arc<Shown>>>,
}

impl Watching {
    /// What looks at a site, and the future that does.
    pub fn new(site: Site) -> (Arc<Self>, impl Future<Output = ()>) {
        let watching = Arc::new(Self {
            source: Arc::new(Source::new(site)),
            listing: Listing::default(),
            ledger: Ledger::default(),
            totals: watch::Sender::default(),
            followed: Mutex::default(),
        });
        (watching.clone(), async move { watching.look().await })
    }

    async fn look(&self) {
        let Self {
            source,
            listing,
            ledger,
            totals,
            ..
        } = self;
        futures::join!(
            reach::watch(source),
            listing.watch(source),
            ledger.watch(source, |lines| listing.advance(lines)),
            audit::watch(source, listing, totals, ledger.subscribe()),
            retries::watch(source, listing, totals),
            self.count_deaths(),
        );
    }

    async fn count_deaths(&self) {
        let Some(stage) = &self.source.site.stage else {
            return;
        };
        let mut view = stage.view();
        loop {
            let deaths = view.borrow_and_update().deaths;
            self.totals.send_if_modified(|totals| {
                let changed = totals.deaths != deaths;
                Arc::make_mut(totals).deaths = deaths;
                changed
            });
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    /// Counts a viewer until the guard is dropped.
    pub fn viewer(&self) -> Viewer {
        self.source.look()
    }

    /// Whether an order is followed already.
    pub fn follows(&self, order_id: &str) -> bool {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.contains_key(order_id)
    }

    /// Follows an order. The value is `None` until the order is known as a whole.
    ///
    /// # Errors
    /// Returns a problem with status 503 if too many orders are followed already.
    pub fn order(
        self: &Arc<Self>,
        order_id: &str,
    ) -> Result<watch::Receiver<Option<Arc<OrderView>>>, Problem> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = followed.get(order_id) {
            return Ok(shown.subscribe());
        }
        if followed.len() >= MAX_FOLLOWED {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many orders are being looked at; try again in a moment",
            ));
        }
        let shown = Arc::new(Shown::default());
        let receiver = shown.subscribe();
        followed.insert(order_id.to_owned(), shown.clone());
        let (watching, order_id) = (self.clone(), order_id.to_owned());
        tokio::spawn(async move {
            loop {
                let Self {
                    source,
                    listing,
                    ledger,
                    ..
                } = &*watching;
                order::watch(source, listing, ledger, &order_id, &shown).await;
                let mut followed = watching
                    .followed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                // Somebody may have come back just now.
                if shown.is_closed() {
                    followed.remove(&order_id);
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// Checks everything once.
    ///
    /// # Errors
    /// Returns a problem with status 503 if the inventory cannot be read.
    pub async fn audit(&self) -> Result<AuditView, Problem> {
        // Nobody may have looked at the list for a while, so it says nothing.
        audit::audit(&self.source, |_| false).await
    }
}
