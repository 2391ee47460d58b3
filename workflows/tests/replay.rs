//! Histories of orders, replayed with the code as it is now: a change that would break orders under
//! way fails here, before it is rolled out.
//!
//! `histories/README.md` says where they come from.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use temporalio_client::WorkflowHistory;
use temporalio_sdk::{
    workflow_replayer::{
        WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
    },
    workflows::WorkflowImplementation,
};
use workflows::ProcessOrder;

/// Every history that is kept, with its path.
fn histories() -> Vec<(PathBuf, WorkflowHistory)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let mut found = Vec::new();
    for version in fs::read_dir(folder).unwrap() {
        let version = version.unwrap().path();
        if !version.is_dir() {
            continue;
        }
        for file in fs::read_dir(version).unwrap() {
            let path = file.unwrap().path();
            let history = WorkflowHistory::from_json(&fs::read(&path).unwrap()).unwrap();
            found.push((path, history));
        }
    }
    assert!(!found.is_empty());
    found
}

#[tokio::test]
async fn every_order_of_every_version_goes_on_with_the_code_as_it_is() {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<ProcessOrder>()
        .unwrap()
        .build();
    let replayer = WorkflowReplayer::new(options).unwrap();
    for (path, history) in histories() {
        if let Err(error) = replayer.replay_workflow(history).await {
            panic!("{}: {error}", path.display());
        }
    }
}
