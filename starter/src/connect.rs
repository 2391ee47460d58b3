//! The connection that every subcommand makes.

use temporal::ConnectArgs;
use temporalio_client::Client;

/// Connects to the server, under the starter's name.
pub(crate) async fn connect(server: &ConnectArgs) -> anyhow::Result<Client> {
    Ok(server.connect("order-management-starter").await?)
}
