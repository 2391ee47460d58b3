//! What the replay tests share.

use temporalio_common::{
    WorkflowDefinition,
    protos::temporal::api::history::v1::{History, HistoryEvent},
};
use temporalio_sdk::{
    workflow_replayer::{WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions},
    workflows::WorkflowImplementation,
};

/// What replaying histories with a workflow comes to: `None` for each with which the code goes on.
///
/// The SDK's replayer can lose the outcome of the last history that it is given, and calls it a success
/// then. So the last one is given twice, and its first outcome counts.
pub async fn replay<W>(histories: &[Vec<HistoryEvent>]) -> Vec<Option<WorkflowReplayFailure>>
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<W>()
        .unwrap()
        .build();
    let replayer = WorkflowReplayer::new(options).unwrap();
    let given = histories.iter().chain(histories.last()).cloned();
    let given = given.map(|events| History { events }.into());
    let results = replayer.replay_workflows(given).await.unwrap();
    let failures = results.into_iter().map(|result| result.replay_failure);
    failures.take(histories.len()).collect()
}
