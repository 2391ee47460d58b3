//! What the tests of this crate share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{path::PathBuf, time::Duration};

use servers::{CliSearch, DevServer, project_dir};
use temporal::{ConnectError, Settings, connect};
use tokio::net::TcpListener;

/// Far above what anything here takes, so that a test that waits in vain ends.
pub const LONG: Duration = Duration::from_secs(60);

pub async fn cli() -> PathBuf {
    CliSearch::from_env(&project_dir())
        .find_or_fetch(|line| eprintln!("{line}"))
        .await
        .unwrap()
}

pub async fn server() -> DevServer {
    DevServer::builder(cli().await).start().await.unwrap()
}

pub fn plain(address: &str) -> Settings {
    Settings::plain(address, "default").unwrap()
}

pub async fn error_at(address: &str) -> ConnectError {
    error_with(&plain(address)).await
}

/// Why connecting fails; it must say so within 5 seconds, measured generously.
pub async fn error_with(settings: &Settings) -> ConnectError {
    let result = tokio::time::timeout(Duration::from_secs(20), connect(settings, "test")).await;
    match result.expect("an answer in time") {
        Ok(_) => panic!("connected"),
        Err(error) => {
            eprintln!("{error}");
            error
        }
    }
}

/// A listener and its address.
pub async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// An address where nothing listens: no program is ever given so low a port.
pub const NOWHERE: &str = "127.0.0.1:1";
