//! What the tests of this crate share.

use std::path::PathBuf;

use servers::{CliSearch, DevServer, project_dir};
use temporal::Settings;
use temporalio_client::Client;

pub async fn cli() -> PathBuf {
    CliSearch::from_env(&project_dir())
        .find_or_fetch(|line| eprintln!("{line}"))
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
