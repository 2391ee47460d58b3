//! Serves the live page and the HTTP API for orders.

use std::{io::IsTerminal, process::ExitCode, time::SystemTime};

use anyhow::{Context, bail};
use inventory::Inventory;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use web::{Args, Site};

/// What is logged if `RUST_LOG` is not set. Of a server that is away, its client would warn again and again.
const DEFAULT_FILTER: &str = "info,temporalio_client=error";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = temporal::args::parse();
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_target(false)
        .with_ansi(colours)
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = format!("{error:#}");
            eprintln!("error: {}", temporal::printable_lines(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() && args.token.is_none() {
        bail!(
            "{} can be reached from other machines: give a --token (WEB_TOKEN), or listen at 127.0.0.1",
            args.listen
        );
    }
    let settings = args.connect.settings()?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let site = Site {
        ui_address: args.ui.address(&settings.host_port()),
        settings,
        renewed_by: Some(args.connect),
        inventory: Inventory::at(&args.database, SystemTime::now)?,
        task_queue: args.task_queue,
        stage: None,
        hosts: args.hosts,
        token: args.token,
    };
    allow_many_connections();
    // The first process of a container gets no SIGTERM that it does not listen for.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let listener = web::listen(args.listen).await?;
    tracing::info!(url = %format!("http://{}", listener.local_addr()?), "page ready");
    tokio::select! {
        served = web::serve(listener, site) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Each open page takes a file descriptor, of which a shell allows a program only some by default. Where
/// the limit cannot be raised, further clients wait.
fn allow_many_connections() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
