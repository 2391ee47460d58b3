//! A codec server as a process: what it answers, to whom, and the real Temporal CLI with it.

mod common;

use std::process::Stdio;

use common::{Scene, WorkerProcess, ended, order, result, until};
use servers::{CliSearch, project_dir};
use temporal::{Keys, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

const KEYS: &str = "one=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PLAIN: &str =
    r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"IlZJU0EtNDcxMSI="}]}"#;

/// A codec server process, killed when it is dropped, and its address.
async fn codec_server(folder: &tempfile::TempDir, flags: &[&str]) -> (WorkerProcess, String) {
    let keys = folder.path().join("keys");
    std::fs::write(&keys, KEYS).unwrap();
    let keys = ["--encryption-keys-file", keys.to_str().unwrap()];
    let start = ["codec-server", "--listen", "127.0.0.1:0"];
    let log = folder.path().join("codec-server.log");
    let server = WorkerProcess::command(&[&start[..], &keys, flags].concat(), log);
    let address = until("the codec server", async || {
        let log = server.log();
        let line = log
            .lines()
            .find(|line| line.contains("codec server ready"))?;
        let (_, url) = line.split_once("url=http://")?;
        Some(url.split(' ').next()?.to_owned())
    })
    .await;
    (server, address)
}

/// Sends a request and gives the whole answer, as they travel.
async fn send(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    // What refuses a long body may close before it has read it all.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let Some((head, chunks)) = answer.split_once("\r\n\r\n") else {
        return answer;
    };
    if !head.contains("transfer-encoding: chunked") {
        return answer;
    }
    // Every second line is a chunk, and the others are their lengths.
    let body: String = chunks.split("\r\n").skip(1).step_by(2).collect();
    format!("{head}\r\n\r\n{body}")
}

fn post(address: &str, path: &str, further: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json{further}")
}

#[tokio::test]
async fn it_decrypts_what_it_encrypted_and_refuses_what_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = codec_server(&folder, &[]).await;

    let sealed = send(&address, &post(&address, "/encode", ""), PLAIN).await;
    assert!(sealed.starts_with("HTTP/1.1 200"), "{sealed}");
    let (head, sealed) = sealed.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert!(!sealed.contains("IlZJU0EtNDcxMSI="), "{sealed}");

    let opened = send(&address, &post(&address, "/decode", ""), sealed).await;
    assert!(opened.ends_with(PLAIN), "{opened}");

    let other_key = sealed.replace("b25l", "dHdv");
    let refused = send(&address, &post(&address, "/decode", ""), &other_key).await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("key \"two\""), "{refused}");

    let refused = send(&address, &post(&address, "/decode", ""), "no JSON").await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");

    let long = format!(r#"{{"payloads":[{{"data":"{}"}}]}}"#, "A".repeat(17 << 20));
    let refused = send(&address, &post(&address, "/encode", ""), &long).await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    assert!(!server.log().contains("AQEB"), "{}", server.log());
}

#[tokio::test]
async fn a_changed_file_of_keys_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = codec_server(&folder, &[]).await;
    let sealed = async || {
        let answer = send(&address, &post(&address, "/encode", ""), PLAIN).await;
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let with_one = sealed().await;
    let file = folder.path().join("keys");
    std::fs::write(&file, KEYS.replace("one=AQEB", "two=AgIC") + "\n" + KEYS).unwrap();
    let with_two = sealed().await;
    for (encrypted, id) in [(&with_one, "b25l"), (&with_two, "dHdv")] {
        assert!(encrypted.contains(id), "{encrypted}");
        let opened = send(&address, &post(&address, "/decode", ""), encrypted).await;
        assert!(opened.ends_with(PLAIN), "{opened}");
    }
    std::fs::write(&file, "three").unwrap();
    assert!(sealed().await.contains("dHdv"));
    server.says("the keys in use stay in use").await;
}

#[tokio::test]
async fn only_the_pages_it_was_started_for_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--origin", "https://ui.example", "--namespace", "orders"];
    let (_server, address) = codec_server(&folder, &flags).await;
    let ask = async |origin: &str, namespace: &str| {
        let further = format!("\r\nOrigin: {origin}\r\nX-Namespace: {namespace}");
        send(&address, &post(&address, "/encode", &further), PLAIN).await
    };
    let answer = ask("https://ui.example", "orders").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let allowed = "access-control-allow-origin: https://ui.example\r\n";
    assert!(answer.contains(allowed), "{answer}");

    let answer = ask("https://ui.example", "others").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // The page may read why.
    assert!(answer.contains(allowed), "{answer}");

    // What --origin names takes the place of the local Web UI.
    for stranger in ["http://localhost:8233", "https://evil.example"] {
        let answer = ask(stranger, "orders").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    }

    let rebound = "POST /encode HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json";
    let answer = send(&address, rebound, PLAIN).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");

    let twice = post(&address, "/encode", "\r\nHost: evil.example");
    let answer = send(&address, &twice, PLAIN).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    let elsewhere = post(&address, "http://evil.example/encode", "");
    let answer = send(&address, &elsewhere, PLAIN).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");

    let preflight = format!(
        "OPTIONS /decode HTTP/1.1\r\nHost: {address}\r\nOrigin: https://ui.example\r\n\
         Access-Control-Request-Method: POST"
    );
    let answer = send(&address, &preflight, "").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(answer.contains(allowed), "{answer}");
}

#[tokio::test]
async fn without_keys_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("codec-server.log");
    let mut server = WorkerProcess::command(&["codec-server", "--listen", "127.0.0.1:0"], log);
    assert!(!server.ended().await.success());
    server.says("TEMPORAL_ENCRYPTION_KEYS_FILE").await;
}

#[tokio::test]
async fn the_temporal_cli_reads_an_order_with_it_and_not_without() {
    let mut scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (_codec_server, codec) = codec_server(&folder, &[]).await;
    let keys = folder.path().join("keys");
    let _worker = scene.worker(&["--encryption-keys-file", keys.to_str().unwrap()]);
    let mut settings = Settings::plain(&scene.server.address(), "default").unwrap();
    settings.encryption = Keys::parse(KEYS).unwrap();
    scene.client = temporal::connect(&settings, "test").await.unwrap();
    result(ended(&scene.place(&order("order-1", 10)).await).await);

    let cli = CliSearch::from_env(&project_dir());
    let cli = cli.find_or_fetch(|_| ()).await.unwrap();
    let show = async |further: &[&str]| {
        let shown = Command::new(&cli)
            .args(["workflow", "show", "--workflow-id", "order-1", "--detailed"])
            .args(["--address", &scene.server.address()])
            .args(further)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    };
    let without = show(&[]).await;
    assert!(!without.contains("VISA-123456"), "{without}");
    let with = show(&["--codec-endpoint", &format!("http://{codec}")]).await;
    assert!(with.contains("VISA-123456"), "{with}");
}
