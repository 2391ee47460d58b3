//! How often the server is asked whether an order's history has grown.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use temporalio_client::{
    Client,
    errors::WorkflowInteractionError,
    interceptors::{
        ClientInterceptor, FetchWorkflowHistoryPageInput, FetchWorkflowHistoryPageOutput, Next,
    },
};
use tokio::time::sleep;

use super::source::Source;

/// The requests for the histories of all orders in view are about this far apart, but no order waits longer than
/// [`LONGEST`]. Each request costs the server something, and one answer tells of all that happened in between.
const APART: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_millis(120);

/// A client that reads the next page of a history only after a pause: the longer, the more orders are followed.
pub(super) fn paced(mut client: Client, source: &Arc<Source>) -> Client {
    let pace = Arc::new(Pace(source.clone()));
    client.options_mut().client_interceptors.push(pace);
    client
}

struct Pace(Arc<Source>);

type Page = Result<FetchWorkflowHistoryPageOutput, WorkflowInteractionError>;

impl ClientInterceptor for Pace {
    fn fetch_workflow_history_page<'a>(
        &'a self,
        input: FetchWorkflowHistoryPageInput,
        next: Next<'a, FetchWorkflowHistoryPageInput, BoxFuture<'a, Page>>,
    ) -> BoxFuture<'a, Page> {
        async move {
            // The first page is what somebody waits for who has just opened the order.
            if !input.next_page_token.is_empty() {
                sleep((APART * self.0.followed()).min(LONGEST)).await;
            }
            next.run(input).await
        }
        .boxed()
    }
}
