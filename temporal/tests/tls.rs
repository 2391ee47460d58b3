//! Encrypted connections, to a TLS endpoint in front of a real dev server.

mod common;
#[path = "common/endpoint.rs"]
mod endpoint;

use common::{error_at, error_with, server};
use endpoint::{Admits, Authority, EXPIRED, Endpoint, NOT_YET, Signed, VALID};
use servers::DevServer;
use temporal::{ConnectArgs, ConnectError};

async fn endpoint(server: &DevServer, own: Signed, clients: Option<&Authority>) -> Endpoint {
    let admits = Admits {
        clients: clients.map(Authority::certificate),
        api_key: None,
    };
    Endpoint::start(server.address(), own, admits).await
}

fn args(address: &str, authority: &Authority) -> ConnectArgs {
    ConnectArgs {
        address: Some(address.to_owned()),
        namespace: Some("default".to_owned()),
        tls_ca: Some(authority.file()),
        ..ConnectArgs::default()
    }
}

async fn tls_error(args: &ConnectArgs) -> String {
    let error = error_with(&args.settings().unwrap()).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn with_its_root_certificate_the_server_is_trusted_and_without_it_is_not() {
    let (server, authority) = (server().await, Authority::new());
    let endpoint = endpoint(&server, authority.sign("127.0.0.1", VALID), None).await;

    let mut args = args(&endpoint.address, &authority);
    args.connect("test").await.unwrap();

    args.tls = Some(true);
    for other in [None, Some(Authority::new())] {
        args.tls_ca = other.as_ref().map(Authority::file);
        let text = tls_error(&args).await;
        assert!(
            text.contains("signed by an authority that this machine"),
            "{text}"
        );
        assert!(text.contains("--tls-ca"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_accepted_under_that_name_only() {
    let (server, authority) = (server().await, Authority::new());
    let endpoint = endpoint(&server, authority.sign("orders.example", VALID), None).await;

    let mut args = args(&endpoint.address, &authority);
    let text = tls_error(&args).await;
    assert!(text.contains("another name"), "{text}");
    assert!(text.contains("--tls-server-name"), "{text}");

    args.tls_server_name = Some("orders.example".to_owned());
    args.connect("test").await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_of_the_server_is_told() {
    let (server, authority) = (server().await, Authority::new());
    let endpoint = endpoint(&server, authority.sign("127.0.0.1", EXPIRED), None).await;

    let text = tls_error(&args(&endpoint.address, &authority)).await;
    assert!(text.contains("server's certificate has expired"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_the_server_from_the_future_is_told() {
    let (server, authority) = (server().await, Authority::new());
    let endpoint = endpoint(&server, authority.sign("127.0.0.1", NOT_YET), None).await;

    let text = tls_error(&args(&endpoint.address, &authority)).await;
    assert!(text.contains("is not valid yet"), "{text}");
    assert!(text.contains("clock"), "{text}");
}

#[tokio::test]
async fn a_wrong_api_key_and_a_wrong_namespace_are_told_apart() {
    let (server, authority) = (server().await, Authority::new());
    let admits = Admits {
        clients: None,
        api_key: Some("right-key".to_owned()),
    };
    let own = authority.sign("127.0.0.1", VALID);
    let endpoint = Endpoint::start(server.address(), own, admits).await;

    let mut args = args(&endpoint.address, &authority);
    args.api_key = Some("right-key".parse().unwrap());
    args.connect("test").await.unwrap();

    args.namespace = Some("no-such-one".to_owned());
    let error = error_with(&args.settings().unwrap()).await;
    assert!(
        matches!(error, ConnectError::NamespaceNotFound { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("\"no-such-one\""), "{error}");

    args.namespace = Some("default".to_owned());
    let file = authority.file().with_extension("api-key");
    std::fs::write(&file, "wrong-key\n").unwrap();
    args.api_key = None;
    args.api_key_file = Some(file.clone());
    let error = error_with(&args.settings().unwrap()).await;
    let text = error.to_string();
    assert!(
        matches!(error, ConnectError::PermissionDenied { .. }),
        "{error:?}"
    );
    assert!(text.contains("TEMPORAL_API_KEY_FILE"), "{text}");
    assert!(!text.contains("wrong-key"), "{text}");

    std::fs::write(&file, "right-key\n").unwrap();
    args.connect("test").await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_right_one_or_the_error_says_which() {
    let (server, authority) = (server().await, Authority::new());
    let own = authority.sign("127.0.0.1", VALID);
    let endpoint = endpoint(&server, own, Some(&authority)).await;

    let mut args = args(&endpoint.address, &authority);
    let text = tls_error(&args).await;
    assert!(text.contains("asks for your own certificate"), "{text}");

    let present = |args: &mut ConnectArgs, signed: Signed| {
        args.tls_cert = Some(signed.certificate_file);
        args.tls_key = Some(signed.key_file);
    };
    present(&mut args, authority.sign("client", VALID));
    args.connect("test").await.unwrap();

    present(&mut args, authority.sign("client", EXPIRED));
    let text = tls_error(&args).await;
    assert!(text.contains("your own certificate has expired"), "{text}");

    let stranger = Authority::new();
    present(&mut args, stranger.sign("client", VALID));
    let text = tls_error(&args).await;
    assert!(text.contains("your own certificate"), "{text}");

    present(&mut args, authority.sign("client", VALID));
    args.tls_key = Some(authority.sign("other", VALID).key_file);
    let text = tls_error(&args).await;
    assert!(text.contains("do not belong together"), "{text}");
}

#[tokio::test]
async fn encryption_on_one_side_only_is_told() {
    let (server, authority) = (server().await, Authority::new());
    let text = tls_error(&args(&server.address(), &authority)).await;
    assert!(text.contains("does not speak TLS"), "{text}");
    assert!(text.contains("--tls=false"), "{text}");

    let endpoint = endpoint(&server, authority.sign("127.0.0.1", VALID), None).await;
    let error = error_at(&endpoint.address).await;
    assert!(
        matches!(error, ConnectError::NotTemporal { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("--tls"), "{error}");
}
