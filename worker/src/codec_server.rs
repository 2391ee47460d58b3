//! The codec server: decrypts orders for the Web UI and the Temporal CLI.

use anyhow::{Context, bail};
use temporal::{CodecServer, CodecServerArgs};

use crate::run::Stop;

/// The log line that says that the codec server is ready.
pub const READY: &str = "codec server ready";

/// Runs a codec server until Ctrl-C or SIGTERM.
///
/// # Errors
/// Returns an error if there are no keys or the address cannot be used.
pub async fn run(args: &CodecServerArgs) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let keys = args.encryption.keys()?;
    if keys.is_empty() {
        bail!(
            "a codec server needs keys: give them with --encryption-keys-file \
             (TEMPORAL_ENCRYPTION_KEYS_FILE) or TEMPORAL_ENCRYPTION_KEYS"
        );
    }
    if let Some(warning) = args.encryption.warning() {
        tracing::warn!("{warning}");
    }
    let ids: Vec<_> = keys.ids().map(str::to_owned).collect();
    let server = CodecServer::bind(args, keys).await.with_context(|| {
        format!(
            "cannot listen at {}; choose another address with --listen",
            args.listen
        )
    })?;
    let address = server.address()?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            "{address} can be reached from other machines: anyone who reaches it under a name given \
             with --host can read orders"
        );
    }
    tracing::info!(url = %format!("http://{address}"), keys = ?ids, origins = ?args.origins, "{READY}");
    tokio::select! {
        () = server.serve() => {}
        () = stop.asked() => {}
    }
    tracing::info!("codec server stopped");
    Ok(())
}
