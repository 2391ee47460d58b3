//! A TLS endpoint in front of a server, as Temporal Cloud has: it asks for certificates and API keys.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use http_body_util::{Either, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http2 as client,
    server::conn::http2 as server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

pub const VALID: (i32, i32) = (2000, 2090);
pub const EXPIRED: (i32, i32) = (2000, 2001);
pub const NOT_YET: (i32, i32) = (2089, 2090);

/// An authority that signs certificates, with its own one in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

/// A certificate and its key, in memory and in files.
pub struct Signed {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
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

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// A certificate for `name`, from the first to the second year.
    pub fn sign(&self, name: &str, years: (i32, i32)) -> Signed {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let certificate_file = self.folder.path().join(format!("{name}-{}.pem", years.1));
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

/// Whom an endpoint lets through.
#[derive(Clone)]
pub struct Admits {
    /// Those with a certificate signed by this authority; `None` asks for no certificate.
    pub clients: Option<CertificateDer<'static>>,
    /// Those with this API key; `None` asks for none.
    pub api_key: Option<String>,
}

/// An endpoint that can change its mind.
pub struct Endpoint {
    pub address: String,
    admits: Arc<Mutex<Admits>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    accepting: AbortHandle,
}

impl Endpoint {
    /// In front of the server at `behind`, with a certificate of its own.
    pub async fn start(behind: String, own: Signed, admits: Admits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let admits = Arc::new(Mutex::new(admits));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let (now, begun) = (admits.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let admits = now.lock().unwrap().clone();
                let acceptor = acceptor(&own, admits.clients.clone());
                let serving = serve(stream, acceptor, behind.clone(), admits);
                begun.lock().unwrap().spawn(async move {
                    // What becomes of a connection is for the other side to tell.
                    let _ = serving.await;
                });
            }
        });
        Self {
            address,
            admits,
            connections,
            accepting: accepting.abort_handle(),
        }
    }

    /// Lets others through from now on. Connections there are go on.
    pub fn admit(&self, change: impl FnOnce(&mut Admits)) {
        change(&mut self.admits.lock().unwrap());
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        let mut connections = self.connections.lock().unwrap();
        while connections.try_join_next().is_some() {}
        connections.len()
    }

    /// Cuts the connections there are.
    pub fn cut(&self) {
        self.connections.lock().unwrap().abort_all();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor(own: &Signed, clients: Option<CertificateDer<'static>>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder
        .with_single_cert(vec![own.certificate.clone()], own.key.clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    behind: String,
    admits: Admits,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let outside = acceptor.accept(stream).await?;
    let inside = TcpStream::connect(behind).await?;
    let (sender, connection) =
        client::handshake(TokioExecutor::new(), TokioIo::new(inside)).await?;
    let expected = admits.api_key.map(|key| format!("Bearer {key}"));
    let forward = service_fn(move |request: Request<Incoming>| {
        let mut sender = sender.clone();
        let given = request.headers().get("authorization");
        let refused = expected
            .as_ref()
            .is_some_and(|key| given.is_none_or(|given| given != key.as_str()));
        async move {
            if refused {
                return Ok(refusal());
            }
            let response = sender.send_request(request).await?;
            Ok::<_, hyper::Error>(response.map(Either::Left))
        }
    });
    let serving =
        server::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(outside), forward);
    tokio::select! {
        ended = serving => Ok(ended?),
        ended = connection => Ok(ended?),
    }
}

/// As Temporal Cloud answers a key it does not know.
fn refusal() -> Response<Either<Incoming, Empty<Bytes>>> {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "7")
        .header("grpc-message", "Request unauthorized.")
        .body(Either::Right(Empty::new()))
        .unwrap()
}
