//! The dev server in the foreground.

use std::io::Write;

use anyhow::{Context, bail};
use servers::{CliSearch, DevServer, Ended, project_dir};
use temporal::{Listener, Settings, UI_PORT_OFFSET, what_listens};

use crate::args::{DEFAULT_PORT, ServerArgs};

/// Says a line. A pipe that nobody reads any more is no reason to end a server that others use.
macro_rules! say {
    ($($words:tt)*) => { drop(writeln!(std::io::stdout(), $($words)*)) };
}

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
    let ui_port = args.port + UI_PORT_OFFSET;
    let project = project_dir();
    let cli = CliSearch::from_env(&project)
        .find_or_fetch(|line| say!("{line}"))
        .await?;
    let mut builder = DevServer::builder(cli).port(args.port).ui_port(ui_port);
    if !args.in_memory {
        let state = args
            .state
            .unwrap_or_else(|| project.join(state_file(args.port)));
        say!("State:  {}", state.display());
        builder = builder.db_file(state);
    }
    let server = builder.inherit_output().start().await;
    let mut server = server.with_context(|| {
        format!(
            "cannot start a server with --port {} and its Web UI on port {ui_port}",
            args.port
        )
    })?;
    say!("Server: {}", server.address());
    say!("Web UI: {}", server.ui_address().unwrap_or_default());
    say!("Ctrl-C stops it.");
    match server.run_until_stopped().await? {
        Ended::Asked => say!("Stopped."),
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
