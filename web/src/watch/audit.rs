//! Whether everything adds up, checked again and again for all browsers.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::http::StatusCode;
use tokio::{sync::watch, time::sleep};

use super::{list::Listing, source::Source};
use crate::{
    problem::Problem,
    view::{AuditView, Totals, rfc3339},
};

/// The shortest pause between two audits.
const AT_MOST_EVERY: Duration = Duration::from_secs(2);

/// An audit reads the whole ledger. The pause is this many times as long as the last one took, and never longer than
/// [`AT_LEAST_EVERY`]: one that asked a server which was away took long for nothing.
const PAUSE_FACTOR: u32 = 10;
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// Checks everything once. The server is not asked about orders of which `is_running` knows that they run.
///
/// # Errors
/// Returns a problem with status 503 if the inventory cannot be read.
pub(crate) async fn audit(
    source: &Source,
    is_running: impl Fn(&str) -> bool,
) -> Result<AuditView, Problem> {
    let inventory = &source.site.inventory;
    let unreadable = |error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error}"));
    let mut audit = inventory.audit().await.map_err(unreadable)?;
    let view = AuditView::from(&audit);
    audit.orders.retain(|order| !is_running(&order.order_id));
    let found = source
        .ask(async |client| starter::abandoned::find(&client, inventory, &audit).await)
        .await;
    let lost = found.ok().and_then(Result::ok).map(|found| found.len());
    Ok(AuditView { lost, ..view })
}

/// Checks everything when something changed, while somebody looks.
pub(crate) async fn watch(
    source: &Source,
    listing: &Listing,
    totals: &watch::Sender<Arc<Totals>>,
    mut changed: watch::Receiver<u64>,
) {
    loop {
        source.somebody_looks().await;
        changed.borrow_and_update();
        let begun = Instant::now();
        let is_running = |order_id: &str| listing.list().is_running(order_id);
        if let Ok(audit) = audit(source, is_running).await {
            let again = audit.under_way > 0 || audit.lost.is_none();
            totals.send_modify(|totals| {
                *totals = Arc::new(Totals {
                    audit,
                    audited_at: Some(rfc3339(SystemTime::now())),
                    ..(**totals).clone()
                });
            });
            let pause = begun.elapsed() * PAUSE_FACTOR;
            sleep(pause.clamp(AT_MOST_EVERY, AT_LEAST_EVERY)).await;
            // Of orders under way, one may be left behind without a line in the ledger.
            if !again && changed.changed().await.is_err() {
                return;
            }
        } else {
            sleep(AT_MOST_EVERY).await;
        }
    }
}
