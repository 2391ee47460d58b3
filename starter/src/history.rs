//! An order's history, for the replay tests.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use serde_json::Value;
use temporalio_client::WorkflowFetchHistoryOptions;

use crate::{args::HistoryArgs, connect::connect, follow};

/// Prints an order's history in the SDK's own JSON, which its replayer reads. The Temporal CLI
/// spells the same fields differently.
///
/// # Errors
/// Returns an error if there is no such order, or the server does not answer.
pub async fn history(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args.connect).await?;
    let mut handle = follow::find(&client, &args.order_id).await?;
    if let Some(run_id) = &args.run_id {
        handle = follow::run(&handle, run_id);
    }
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let json = history
        .to_json()
        .await
        .with_context(|| format!("cannot read the history of {}", args.order_id))?;
    let value: Value = serde_json::from_slice(&json)?;
    // A pipe that nobody reads any more is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{value:#}");
    Ok(ExitCode::SUCCESS)
}
