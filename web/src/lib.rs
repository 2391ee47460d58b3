//! The HTTP API for orders, and the live page.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`stage`] | what a demo adds: processes to kill, faults to set, scenes to play |
//! | [`view`] | what the API tells, as JSON has it |
//! | `problem` | an error as `application/problem+json` |
//! | `admission` | decides which requests are answered |
//! | `page` | the page's files, and what a browser may do with them |
//! | `watch` | looks at the server and the inventory, once for all browsers |
//! | `api` | the routes |
//!
//! Everything that a browser sees comes from one of two sources: the Temporal server's histories and the
//! inventory's ledger. Nothing is kept here, so the program can be stopped and started at any time.

mod admission;
mod api;
pub mod args;
mod page;
mod problem;
pub mod stage;
pub mod view;
mod watch;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::anyhow;
use inventory::Inventory;
use temporal::{
    ConnectArgs, Secret, Settings,
    http::{self, Limits},
};
use tokio::net::TcpListener;

pub use crate::args::Args;
use crate::{admission::Admission, stage::Stage, watch::Watching};

/// What clients may take of the server.
const LIMITS: Limits = Limits {
    // The longest order has 100 items, of which each may take some 500 bytes.
    body: 64 * 1024,
    // It is also how long a browser that reads nothing keeps its place once the buffers are full.
    time: Duration::from_secs(30),
    connections: 2_048,
};

/// What the page shows, and who may see it.
#[derive(Clone)]
pub struct Site {
    /// How to reach the Temporal server. It need not be there yet.
    pub settings: Settings,
    /// Where these settings come from, if certificates and keys may be renewed while the page is served.
    pub renewed_by: Option<ConnectArgs>,
    /// The workers' inventory. It need not be there yet.
    pub inventory: Inventory,
    /// The workers' task queue.
    pub task_queue: String,
    /// The address of Temporal's Web UI, for links.
    pub ui_address: String,
    /// What a demo adds, if there is one.
    pub stage: Option<Arc<dyn Stage>>,
    /// Names of the server besides its address and localhost, as HOST or HOST:PORT.
    pub hosts: Vec<String>,
    /// What a client has to know to be answered. Without it, every program on this machine is.
    pub token: Option<Secret>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("inventory", &self.inventory)
            .field("task_queue", &self.task_queue)
            .finish_non_exhaustive()
    }
}

/// Listens at an address.
///
/// # Errors
/// Returns an error that says what to do if the address is taken, or is none of this machine's.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "another program listens at {address} already, such as another live page: stop it, or use --listen to \
             choose another address ({} means any free port)",
            SocketAddr::new(address.ip(), 0)
        ),
        _ => anyhow!("cannot listen at {address} ({error}): use --listen to choose another address"),
    })
}

/// Serves the page and the API until the future is dropped. It also does while the Temporal server, the
/// workers or the inventory are not there: it says so, and finds them when they are.
///
/// # Errors
/// Returns the operating system's error if the listener has no address.
pub async fn serve(listener: TcpListener, site: Site) -> io::Result<()> {
    let admission = Admission::new(listener.local_addr()?, &site.hosts, site.token.clone());
    let (watching, looking) = Watching::new(site);
    let router = admission::guard(admission, api::router(watching).merge(page::router()));
    tokio::select! {
        () = looking => {}
        () = http::serve(listener, router, LIMITS) => {}
    }
    Ok(())
}
