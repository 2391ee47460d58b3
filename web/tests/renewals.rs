//! API keys and certificates that change under the running page, which goes on.

mod common;
#[path = "../../temporal/tests/common/endpoint.rs"]
mod endpoint;

use std::fs;

use common::{Scene, until};
use endpoint::{Admits, Authority, Endpoint, Signed, VALID};
use serde_json::json;

/// A page behind an endpoint that asks for a certificate and an API key, both in files.
#[tokio::test]
async fn a_page_goes_on_with_a_new_certificate_and_a_new_api_key() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let [own, old, new] = [Authority::new(), Authority::new(), Authority::new()];
    let admits = |clients: &Authority, key: &str| Admits {
        clients: Some(clients.certificate()),
        api_key: Some(key.to_owned()),
    };
    let endpoint = Endpoint::start(
        scene.server.address(),
        own.sign("127.0.0.1", VALID),
        admits(&old, "first-key"),
    )
    .await;
    let write = |signed: &Signed, key: &str| {
        fs::copy(&signed.certificate_file, scene.path("client.pem")).unwrap();
        fs::copy(&signed.key_file, scene.path("client.key")).unwrap();
        fs::write(scene.path("api-key"), key).unwrap();
    };
    write(&old.sign("client", VALID), "first-key");
    let file = |name: &str| scene.path(name).display().to_string();
    let flags = [
        ("--tls-ca", own.file().display().to_string()),
        ("--tls-cert", file("client.pem")),
        ("--tls-key", file("client.key")),
        ("--api-key-file", file("api-key")),
    ];
    let flags: Vec<_> = flags
        .iter()
        .flat_map(|(flag, file)| [*flag, file])
        .collect();
    let web = scene.another_web(&endpoint.address, &flags).await;
    let order = json!({"orderID": "order-1", "item": "123456", "quantity": 1, "paymentInfo": "VISA-123456",
        "awaitAddressSeconds": 600});
    let placed = until("an order to be placed", async || {
        Some(web.post("/api/orders", &order).await).filter(|placed| placed.status != 503)
    })
    .await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let mut followed = web.events("/api/orders/order-1/events").await;
    let waits = |order: &serde_json::Value| order["status"] == "AwaitingAddress";
    followed.until("order", waits).await;

    for (clients, key) in [
        (&old, "second-key"),
        (&new, "second-key"),
        (&new, "third-key"),
    ] {
        endpoint.admit(|now| *now = admits(clients, key));
        endpoint.cut();
        write(&clients.sign("client", VALID), key);
        until("the list of orders", async || {
            let listed = web.get("/api/orders").await;
            (listed.status == 200).then_some(())
        })
        .await;
    }
    // The page that was open all the time is told what becomes of the order.
    let address = json!({"address": "12 Main Street"});
    let told = web.post("/api/orders/order-1/address", &address).await;
    assert_eq!(told.status, 200, "{told:?}");
    followed
        .until("order", |order| order["status"] == "Completed")
        .await;
}
