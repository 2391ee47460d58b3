//! Decrypts payloads for the Web UI and the Temporal CLI, by the HTTP protocol of Temporal's codec
//! servers.
//!
//! | module | what lives there |
//! |---|---|
//! | [`admission`] | decides which requests are answered |
//! | `body` | payloads as JSON |
//!
//! `POST /decode` and `POST /encode` take and return `{"payloads":[...]}`. A client that is answered
//! can read orders, so by default only programs on this machine and the local Web UI are answered.

pub mod admission;
mod body;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use admission::{Admission, Admitted, Refusal, Work};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    },
    response::{IntoResponse, Response},
};
use clap::Args;
use tokio::net::TcpListener;
use tracing::warn;

use crate::{
    encryption::{args::EncryptionArgs, codec::EncryptionCodec, keys::Keys},
    http::{self, BodyRoom, Limits},
    names::check_name,
    text::excerpt,
};

const LIMITS: Limits = Limits {
    // The Web UI asks for one page of a history at a time.
    body: 16 * 1024 * 1024,
    // Longer than any browser takes.
    time: Duration::from_secs(30),
    connections: 100,
};

/// The bytes of all bodies that are received, worked on and answered at the same time. The work on
/// one takes a few times its length besides.
const BYTES_IN_FLIGHT: usize = 4 * LIMITS.body;

/// The flags of a codec server. Add them to a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug)]
pub struct CodecServerArgs {
    /// The address to listen at. Anyone who can reach it can read orders: use an address other than
    /// loopback only behind a proxy that authenticates its users
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// The address of a Web UI that may use this server. Can be given several times
    #[arg(
        long = "origin",
        value_name = "URL",
        default_values = ["http://localhost:8233", "http://127.0.0.1:8233"],
        value_parser = admission::origin
    )]
    pub origins: Vec<String>,

    /// Another name of this server, as HOST or HOST:PORT. Can be given several times [default: only
    /// the address it listens at, and localhost]
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,

    /// A namespace to decrypt for. Can be given several times [default: any]
    #[arg(long = "namespace", value_name = "NAME", value_parser = namespace)]
    pub namespaces: Vec<String>,

    /// The keys.
    #[command(flatten)]
    pub encryption: EncryptionArgs,
}

fn namespace(text: &str) -> Result<String, String> {
    check_name(text).map_err(|problem| format!("the name {problem}"))?;
    Ok(text.to_owned())
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
    /// With the newest keys that could be read.
    codec: Mutex<Arc<EncryptionCodec>>,
    admission: Admission,
    bodies: BodyRoom,
}

impl CodecServer {
    /// Starts to listen.
    ///
    /// # Errors
    /// Returns an error if the address is in use or does not belong to this machine.
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
            bodies: BodyRoom::new(LIMITS.body, BYTES_IN_FLIGHT),
        };
        Ok(Self {
            listener,
            service: Arc::new(service),
        })
    }

    /// Returns the address it listens at.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until the future is dropped.
    pub async fn serve(self) {
        // One handler for every path, because admission comes before routing.
        let router = Router::new().fallback(answer).with_state(self.service);
        http::serve(self.listener, router, LIMITS).await;
    }
}

async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let answer = match service.admission.admit(&head) {
        Ok(Admitted::Preflight) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Admitted::Work(work)) => {
            let json = service.work(work, body).await;
            json.map(|json| ([(CONTENT_TYPE, "application/json")], json).into_response())
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = answer.unwrap_or_else(|refusal| {
        let path = excerpt(head.uri.path());
        warn!(method = %head.method, %path, "refused: {refusal}");
        (refusal.status(), format!("{refusal}\n")).into_response()
    });
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    service.admission.add_cors(&head, headers);
    response
}

impl Service {
    async fn work(&self, work: Work, body: Body) -> Result<Body, Refusal> {
        let held = self.bodies.receive(body).await.map_err(Refusal::Body)?;
        let payloads = body::read(&held.bytes).map_err(Refusal::NoPayloads)?;
        let codec = self.codec();
        let payloads: Result<Vec<_>, _> = payloads
            .into_iter()
            .map(|payload| match work {
                Work::Encode => codec.encrypt(payload),
                Work::Decode => codec.decrypt(payload),
            })
            .collect();
        let payloads = payloads.map_err(Refusal::Encryption)?;
        let answer = body::write(payloads).map_err(Refusal::NoPayloads)?;
        Ok(held.answered_by(answer))
    }

    /// Reads the keys again. If they cannot be read, the previous ones stay in use.
    fn codec(&self) -> Arc<EncryptionCodec> {
        let mut codec = self.codec.lock().unwrap_or_else(PoisonError::into_inner);
        match self.encryption.keys() {
            Ok(keys) => *codec = Arc::new(EncryptionCodec::new(keys)),
            Err(error) => warn!("the keys in use stay in use: {error}"),
        }
        codec.clone()
    }
}
