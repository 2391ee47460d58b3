//! Where everything is looked up, and whether anybody looks.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use temporalio_client::Client;
use tokio::{sync::watch, time::timeout};

use crate::{Site, problem::Problem, view::Reach};

/// How long the server may take to answer a request that a client waits for.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Where everything is looked up.
pub(crate) struct Source {
    /// What is shown.
    pub site: Site,
    /// The Temporal server, once it was reached. The connection mends itself, and another takes its place when
    /// the certificate or an encryption key is renewed.
    pub client: watch::Sender<Option<Client>>,
    /// What is missing.
    pub reach: watch::Sender<Reach>,
    /// Each order that is followed and has not ended holds a clone of this.
    pub counted: Arc<()>,
    audience: watch::Sender<usize>,
}

impl Source {
    pub fn new(site: Site) -> Self {
        let reach = Reach {
            temporal: Some("the Temporal server has not been reached yet".to_owned()),
            inventory: Some("the inventory has not been read yet".to_owned()),
            workers: None,
        };
        Self {
            site,
            client: watch::Sender::new(None),
            reach: watch::Sender::new(reach),
            counted: Arc::default(),
            audience: watch::Sender::new(0),
        }
    }

    /// The Temporal server, once it was reached.
    pub async fn connected(&self) -> Client {
        let mut client = self.client.subscribe();
        let connected = client.wait_for(Option::is_some).await;
        let client = connected.ok().and_then(|client| client.clone());
        client.expect("the sender is kept here")
    }

    /// Asks the Temporal server, for a client that waits.
    ///
    /// # Errors
    /// Returns a problem with status 503 if it is not there, or does not answer in time.
    pub async fn ask<T>(&self, question: impl AsyncFnOnce(Client) -> T) -> Result<T, Problem> {
        let away = || {
            let reach = self.reach.borrow().temporal.clone();
            let reach = reach.unwrap_or_else(|| "the Temporal server does not answer".to_owned());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, reach)
        };
        // Just after the start, the connection is still being made.
        let answer = timeout(ANSWER_WITHIN, async {
            question(self.connected().await).await
        });
        answer.await.map_err(|_| away())
    }

    /// How many orders are followed that have not ended.
    pub fn followed(&self) -> u32 {
        let clones = Arc::strong_count(&self.counted) - 1;
        u32::try_from(clones).unwrap_or(u32::MAX)
    }

    /// Counts a viewer until the guard is dropped.
    pub fn look(self: &Arc<Self>) -> Viewer {
        self.audience.send_modify(|viewers| *viewers += 1);
        Viewer(self.clone())
    }

    /// Waits until somebody looks.
    pub async fn somebody_looks(&self) {
        let mut audience = self.audience.subscribe();
        // The sender is kept here.
        let _ = audience.wait_for(|viewers| *viewers > 0).await;
    }
}

/// Somebody who looks.
pub(crate) struct Viewer(Arc<Source>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.audience.send_modify(|viewers| *viewers -= 1);
    }
}
