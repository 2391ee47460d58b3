//! API keys and certificates that change under a running worker process, which goes on.

mod common;
#[path = "../../temporal/tests/common/endpoint.rs"]
mod endpoint;

use std::{fs, path::PathBuf};

use common::{Scene, WorkerProcess, ended, order, pending, result, until};
use endpoint::{Admits, Authority, Endpoint, Signed, VALID};
use servers::DevServer;
use workflows::OrderOutcome;

/// A worker process behind an endpoint, and the files it connects with.
struct Behind {
    scene: Scene,
    endpoint: Endpoint,
    /// Of the endpoint's own certificate: its file is gone with it.
    _authority: Authority,
    worker: WorkerProcess,
}

impl Behind {
    async fn new(admits: Admits, files: &[(&str, &str, &[u8])], further: &[&str]) -> Self {
        let scene = Scene::new().await;
        let authority = Authority::new();
        let own = authority.sign("127.0.0.1", VALID);
        let endpoint = Endpoint::start(DevServer::address(&scene.server), own, admits).await;
        let mut flags = vec![
            "--tls-ca".to_owned(),
            authority.file().display().to_string(),
        ];
        for (flag, name, content) in files {
            fs::write(scene.path(name), content).unwrap();
            flags.extend([(*flag).to_owned(), scene.path(name).display().to_string()]);
        }
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let worker = WorkerProcess::start(
            &endpoint.address,
            &scene.database(),
            &[&flags[..], further].concat(),
            scene.path("worker.log"),
        );
        Self {
            scene,
            endpoint,
            _authority: authority,
            worker,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scene.path(name)
    }

    async fn processes(&self, order_id: &str) {
        let followed = self.scene.process(&order(order_id, 10)).await;
        assert_eq!(result(followed).outcome, OrderOutcome::Managed);
    }

    fn is_the_same_process(&mut self) {
        assert!(self.worker.is_running(), "{}", self.worker.log());
        assert_eq!(self.worker.log().matches("worker ready").count(), 1);
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the worker's log:\n{}", self.worker.log());
        }
    }
}

fn pem(signed: &Signed) -> (Vec<u8>, Vec<u8>) {
    let read = |file| fs::read(file).unwrap();
    (read(&signed.certificate_file), read(&signed.key_file))
}

/// Behind an endpoint that admits `clients`, with a certificate by `issuer`.
async fn with_certificate(clients: &Authority, issuer: &Authority, further: &[&str]) -> Behind {
    let admits = Admits {
        clients: Some(clients.certificate()),
        api_key: None,
    };
    let (certificate, key) = pem(&issuer.sign("client", VALID));
    let files = [
        ("--tls-cert", "client.pem", &certificate[..]),
        ("--tls-key", "client.key", &key[..]),
    ];
    Behind::new(admits, &files, further).await
}

#[tokio::test]
async fn a_worker_goes_on_with_a_new_certificate_when_the_old_one_is_refused() {
    let (old, new) = (Authority::new(), Authority::new());
    let mut behind = with_certificate(&old, &old, &[]).await;
    behind.processes("order-1").await;

    let (certificate, key) = pem(&new.sign("client", VALID));
    fs::write(behind.file("client.pem"), certificate).unwrap();
    fs::write(behind.file("client.key"), key).unwrap();
    behind
        .endpoint
        .admit(|admits| admits.clients = Some(new.certificate()));
    behind.endpoint.cut();
    behind.processes("order-2").await;
    behind.is_the_same_process();

    // A stop still comes to its end.
    behind.worker.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(behind.worker.ended().await.success());
}

#[tokio::test]
async fn what_is_under_way_when_the_certificate_changes_is_ended_first() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let held = folder.path().join("held");
    let hold = format!("Charge:before={}", held.display());
    let mut behind = with_certificate(&old, &old, &["--hold", &hold]).await;
    let handle = behind.scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    let connections = behind.endpoint.open();

    let (certificate, key) = pem(&new.sign("client", VALID));
    fs::write(behind.file("client.pem"), certificate).unwrap();
    fs::write(behind.file("client.key"), key).unwrap();
    behind
        .endpoint
        .admit(|admits| admits.clients = Some(new.certificate()));
    behind.worker.says("were renewed").await;
    assert_eq!(pending(&handle).await[0].attempt, 1);
    fs::remove_file(&held).unwrap();
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    assert_eq!(behind.scene.effects("order-1").await.len(), 4);
    behind.is_the_same_process();
    until("the old connection to close", async || {
        (behind.endpoint.open() == connections).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_and_the_old_one_kept() {
    let old = Authority::new();
    let mut behind = with_certificate(&old, &old, &[]).await;
    behind.worker.says("worker ready").await;

    fs::write(behind.file("client.pem"), "no certificate").unwrap();
    behind
        .worker
        .says("client.pem holds none in PEM form")
        .await;
    behind.processes("order-1").await;

    let (certificate, key) = pem(&Authority::new().sign("client", VALID));
    fs::write(behind.file("client.pem"), certificate).unwrap();
    behind.worker.says("do not belong together").await;
    fs::write(behind.file("client.key"), key).unwrap();
    behind
        .worker
        .says("your own certificate is signed by")
        .await;
    behind
        .worker
        .says("What was in use before stays in use")
        .await;
    behind.processes("order-2").await;
    behind.is_the_same_process();
    assert!(!behind.worker.log().contains("were renewed"));
}

#[tokio::test]
async fn a_worker_goes_on_with_a_new_api_key_when_the_old_one_is_refused() {
    let admits = Admits {
        clients: None,
        api_key: Some("first-key".to_owned()),
    };
    let files = [("--api-key-file", "api-key", &b"first-key\n"[..])];
    let mut behind = Behind::new(admits, &files, &[]).await;
    behind.processes("order-1").await;

    fs::write(behind.file("api-key"), "third-key").unwrap();
    behind.worker.says("refuses access").await;
    behind.processes("order-2").await;

    fs::write(behind.file("api-key"), "second-key").unwrap();
    behind
        .endpoint
        .admit(|admits| admits.api_key = Some("second-key".to_owned()));
    behind.endpoint.cut();
    behind.worker.says("the API key was renewed").await;
    behind.processes("order-3").await;
    behind.is_the_same_process();
    for key in ["first-key", "second-key", "third-key"] {
        assert!(!behind.worker.log().contains(key), "{key}");
    }
}

#[tokio::test]
async fn a_worker_that_was_never_let_in_is_when_its_certificate_is_mended() {
    let clients = Authority::new();
    let mut behind = with_certificate(&clients, &Authority::new(), &[]).await;
    behind.worker.says("your own certificate").await;

    let (certificate, key) = pem(&clients.sign("client", VALID));
    fs::write(behind.file("client.pem"), certificate).unwrap();
    fs::write(behind.file("client.key"), key).unwrap();
    behind.processes("order-1").await;
    behind.is_the_same_process();
}

/// It takes the minute and more after which the SDK gives up on a server that refuses a key.
#[tokio::test]
async fn a_worker_whose_api_key_was_refused_for_long_goes_on_with_a_new_one() {
    let admits = Admits {
        clients: None,
        api_key: Some("first-key".to_owned()),
    };
    let files = [("--api-key-file", "api-key", &b"first-key\n"[..])];
    let mut behind = Behind::new(admits, &files, &[]).await;
    behind.processes("order-1").await;

    let second = Some("second-key".to_owned());
    behind.endpoint.admit(|admits| admits.api_key = second);
    behind.endpoint.cut();
    behind.worker.says("the worker accepts no orders").await;
    fs::write(behind.file("api-key"), "second-key").unwrap();
    behind.worker.says("the worker accepts orders again").await;
    behind.processes("order-2").await;
    behind.is_the_same_process();
}
