//! What the tests of this crate share.

use std::path::PathBuf;
use std::time::Duration;

use servers::{DevServer, find_or_fetch, project_dir};
use temporal::Settings;
use temporalio_client::Client;

/// Far above what anything here takes, so that a test that waits in vain ends.
pub const LONG: Duration = Duration::from_secs(60);

pub async fn cli() -> PathBuf {
    find_or_fetch(&project_dir(), |line| eprintln!("{line}"))
        .await
        .unwrap()
}

pub async fn server() -> DevServer {
    DevServer::builder(cli().await).start().await.unwrap()
}

pub async fn client_of(server: &DevServer) -> Client {
    let settings = Settings::plain(&server.address(), "default").unwrap();
    temporal::connect(&settings, "test").await.unwrap()
}
