//! Encrypted connections, to a TLS endpoint in front of a real dev server.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::{error_at, error_with, listener, server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use temporal::{ConnectArgs, ConnectError, DevServer};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority that signs certificates, with its own one in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

/// A certificate and its key, in memory and in files.
struct Signed {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    certificate_file: PathBuf,
    key_file: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each its own name: an authority of another name is no match whatever its key.
        let name = folder.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self, name: &str, until_year: i32) -> Signed {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let certificate_file = self.folder.path().join(format!("{name}-{until_year}.pem"));
        let key_file = certificate_file.with_extension("key");
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        Signed {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            certificate_file,
            key_file,
        }
    }
}

const VALID: i32 = 2090;
const EXPIRED: i32 = 2001;

/// A TLS endpoint in front of `server`. It asks for a certificate signed by `clients`, if given.
async fn endpoint(server: &DevServer, own: Signed, clients: Option<&Authority>) -> String {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder
        .with_single_cert(vec![own.certificate], own.key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let (listener, address) = listener().await;
    let behind = server.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await?;
                let mut inside = TcpStream::connect(behind).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    address
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
    let address = endpoint(&server, authority.sign("127.0.0.1", VALID), None).await;

    let mut args = args(&address, &authority);
    args.connect("test").await.unwrap();

    args.tls_ca = None;
    args.tls = Some(true);
    let text = tls_error(&args).await;
    assert!(text.contains("signed by nobody this machine"), "{text}");
    assert!(text.contains("--tls-ca"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_accepted_under_that_name_only() {
    let (server, authority) = (server().await, Authority::new());
    let address = endpoint(&server, authority.sign("orders.example", VALID), None).await;

    let mut args = args(&address, &authority);
    let text = tls_error(&args).await;
    assert!(text.contains("another name"), "{text}");
    assert!(text.contains("--tls-server-name"), "{text}");

    args.tls_server_name = Some("orders.example".to_owned());
    args.connect("test").await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_of_the_server_is_told() {
    let (server, authority) = (server().await, Authority::new());
    let address = endpoint(&server, authority.sign("127.0.0.1", EXPIRED), None).await;

    let text = tls_error(&args(&address, &authority)).await;
    assert!(text.contains("server's certificate has expired"), "{text}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_right_one_or_the_error_says_which() {
    let (server, authority) = (server().await, Authority::new());
    let own = authority.sign("127.0.0.1", VALID);
    let address = endpoint(&server, own, Some(&authority)).await;

    let mut args = args(&address, &authority);
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

    let address = endpoint(&server, authority.sign("127.0.0.1", VALID), None).await;
    let error = error_at(&address).await;
    assert!(
        matches!(error, ConnectError::NotTemporal { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("--tls"), "{error}");
}
