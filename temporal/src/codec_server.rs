//! Decrypts for the Web UI and the Temporal CLI, by the HTTP protocol of Temporal's codec servers.
//!
//! | module | what lives there |
//! |---|---|
//! | [`admission`] | which requests are answered at all |
//! | `body` | payloads as JSON |
//!
//! `POST /decode` and `POST /encode` take and give `{"payloads":[...]}`. Whoever is answered gets
//! orders in plain text, so by default only programs of this machine and the local Web UI are.

pub mod admission;
mod body;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::encryption::args::EncryptionArgs;
use crate::encryption::codec::EncryptionCodec;
use crate::encryption::keys::Keys;
use admission::{Admission, Admitted, Refusal, Work};

/// The longest body that is read. The Web UI asks for a page of a history at a time.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive: longer than it takes any browser, and not for ever.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// The pause where the operating system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a codec server is to do. To be taken into a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug)]
pub struct CodecServerArgs {
    /// Where to listen. Whoever reaches it can read orders: other than loopback only with
    /// something in front that asks who they are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// A Web UI that may ask; to be repeated for several
    #[arg(
        long = "origin",
        value_name = "URL",
        default_values = ["http://localhost:8233", "http://127.0.0.1:8233"]
    )]
    pub origins: Vec<String>,

    /// A further name, as HOST or HOST:PORT, under which it is asked; to be repeated for several
    /// [default: only the address it listens at, and localhost]
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,

    /// A namespace it decrypts for; to be repeated for several [default: any]
    #[arg(long = "namespace", value_name = "NAME")]
    pub namespaces: Vec<String>,

    /// The keys.
    #[command(flatten)]
    pub encryption: EncryptionArgs,
}

/// A codec server that listens.
#[derive(Debug)]
pub struct CodecServer {
    listener: TcpListener,
    service: Arc<Service>,
}

#[derive(Debug)]
struct Service {
    encryption: EncryptionArgs,
    /// What the file with the keys could last be used for.
    codec: Mutex<Arc<EncryptionCodec>>,
    admission: Admission,
}

impl CodecServer {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where the address is taken or is not this machine's.
    pub async fn bind(args: &CodecServerArgs, keys: Keys) -> io::Result<Self> {
        let listener = TcpListener::bind(args.listen).await?;
        let admission = Admission::new(
            listener.local_addr()?,
            &args.hosts,
            &args.origins,
            &args.namespaces,
        );
        let service = Service {
            encryption: args.encryption.clone(),
            codec: Mutex::new(Arc::new(EncryptionCodec::new(keys))),
            admission,
        };
        Ok(Self {
            listener,
            service: Arc::new(service),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests, without end: to be dropped when it is to stop.
    pub async fn serve(self) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let service = self.service.clone();
            let answer = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, io::Error>(service.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer);
            // What goes wrong with a connection is the other side's to notice.
            tokio::spawn(connection);
        }
    }
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let answer = match self.admission.admit(&head) {
            Ok(Admitted::Preflight) => Ok(None),
            Ok(Admitted::Work(work)) => self.work(work, body).await.map(Some),
            Err(refusal) => Err(refusal),
        };
        let (status, content_type, text) = match answer {
            Ok(None) => (StatusCode::NO_CONTENT, None, Vec::new()),
            Ok(Some(json)) => (StatusCode::OK, Some("application/json"), json),
            Err(refusal) => {
                warn!(method = %head.method, path = head.uri.path(), "refused: {refusal}");
                let text = format!("{refusal}\n").into_bytes();
                (refusal.status(), Some("text/plain; charset=utf-8"), text)
            }
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        self.admission.add_cors(&head, headers);
        response
    }

    async fn work(&self, work: Work, body: Incoming) -> Result<Vec<u8>, Refusal> {
        let reading = Limited::new(body, BODY_LIMIT).collect();
        let bytes = match timeout(BODY_PATIENCE, reading).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Err(Refusal::TooLong { limit: BODY_LIMIT });
            }
            Ok(Err(_)) | Err(_) => return Err(Refusal::CutShort),
        };
        let payloads = body::read(&bytes).map_err(Refusal::NoPayloads)?;
        let codec = self.codec();
        let payloads: Result<Vec<_>, _> = payloads
            .into_iter()
            .map(|payload| match work {
                Work::Encode => codec.encrypt(payload),
                Work::Decode => codec.decrypt(payload),
            })
            .collect();
        let payloads = payloads.map_err(Refusal::Encryption)?;
        body::write(payloads).map_err(Refusal::NoPayloads)
    }

    /// With the keys as the file has them now; while it has none that can be used, as it had them
    /// last.
    fn codec(&self) -> Arc<EncryptionCodec> {
        let mut codec = self.codec.lock().unwrap_or_else(PoisonError::into_inner);
        match self.encryption.keys() {
            Ok(keys) => *codec = Arc::new(EncryptionCodec::new(keys)),
            Err(error) => warn!("the keys in use stay in use: {error}"),
        }
        codec.clone()
    }
}
