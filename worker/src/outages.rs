//! Logs once that the Temporal server is away, and once that it is back.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::health::Health;

/// How often the server is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How long a busy server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Watches the server that the worker is connected to. Never returns.
pub(crate) async fn watch(health: Health) {
    let mut away_since: Option<Instant> = None;
    loop {
        sleep(ASK_EVERY).await;
        let Some(client) = health.client() else {
            continue;
        };
        let answer = temporal::answers(&client, ANSWER_LIMIT).await;
        match (answer, away_since) {
            (Err(why), None) => {
                away_since = Some(Instant::now());
                tracing::warn!(
                    "the Temporal server does not answer ({why}): orders wait, and the worker goes \
                     on as soon as the server is back"
                );
            }
            (Ok(()), Some(since)) => {
                away_since = None;
                let seconds = since.elapsed().as_secs();
                tracing::info!("the Temporal server is back after {seconds} s");
            }
            _ => {}
        }
    }
}
