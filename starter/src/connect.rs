//! The connection that every subcommand makes.

use temporal::ConnectArgs;
use temporalio_client::Client;

/// Connects to the server, under the starter's name.
pub(crate) async fn connect(server: &ConnectArgs) -> anyhow::Result<Client> {
    let settings = server.settings()?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(temporal::connect(&settings, "order-management-starter").await?)
}
