//! The dev server in the foreground.

use anyhow::bail;
use servers::{CliSearch, DevServer, Ended, project_dir};
use temporal::{Listener, Settings, UI_PORT_OFFSET, what_listens};

use crate::args::{DEFAULT_PORT, ServerArgs};

/// Runs the dev server until Ctrl-C. Its state is on disk, so that it outlives the server.
///
/// # Errors
/// Returns an error if something listens on its port already, or it cannot be started.
pub async fn run(args: ServerArgs) -> anyhow::Result<()> {
    let settings = Settings::plain(&format!("127.0.0.1:{}", args.port), "default")?;
    match what_listens(&settings).await {
        Listener::Nothing => {}
        Listener::TemporalServer => bail!(
            "a Temporal server already listens on port {}: use it, or choose another port with \
             --port",
            args.port
        ),
        Listener::SomethingElse(_) => bail!(
            "another program, not a Temporal server, listens on port {}: choose another port with \
             --port",
            args.port
        ),
    }
    let Some(ui_port) = args.port.checked_add(UI_PORT_OFFSET) else {
        bail!("the Web UI's port is {UI_PORT_OFFSET} above --port: choose one below 64536");
    };
    let project = project_dir();
    let cli = CliSearch::from_env(&project)
        .find_or_fetch(|line| println!("{line}"))
        .await?;
    let mut builder = DevServer::builder(cli).port(args.port).ui_port(ui_port);
    if !args.in_memory {
        let state = args
            .state
            .unwrap_or_else(|| project.join(state_file(args.port)));
        println!("State:  {}", state.display());
        builder = builder.db_file(state);
    }
    let mut server = builder.inherit_output().start().await?;
    println!("Server: {}", server.address());
    println!("Web UI: {}", server.ui_address().unwrap_or_default());
    println!("Ctrl-C stops it.");
    match server.run_until_stopped().await? {
        Ended::Asked => println!("Stopped."),
        Ended::ByItself(status) => bail!("the server ended unexpectedly ({status})"),
    }
    Ok(())
}

/// One file for each port: two servers must not write to the same one.
fn state_file(port: u16) -> String {
    match port {
        DEFAULT_PORT => ".temporal/dev-server.db".to_owned(),
        other => format!(".temporal/dev-server-{other}.db"),
    }
}
