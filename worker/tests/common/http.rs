//! Asks a worker over HTTP.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::common::{WorkerProcess, until};

/// The status and the text of a page.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let question = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text.to_owned())
}

/// Where a worker serves this, as its log says.
pub async fn address(worker: &WorkerProcess, what: &str) -> SocketAddr {
    let before = format!("{what}: http://");
    until(&format!("the address of {what}"), async || {
        let log = worker.log();
        let (_, rest) = log.split_once(&before)?;
        let (address, _) = rest.split_once('/')?;
        address.parse().ok()
    })
    .await
}
