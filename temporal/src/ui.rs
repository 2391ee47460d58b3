//! Links to Temporal's Web UI.

use clap::Args;
use temporalio_client::Url;

/// Where the Web UI is. Add it to a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug, Default)]
pub struct UiArgs {
    /// The address of Temporal's Web UI, for printed links; otherwise 1000 ports above the server's,
    /// where a dev server has it
    #[arg(
        long,
        env = "TEMPORAL_UI_ADDRESS",
        value_name = "URL",
        help_heading = "Temporal server"
    )]
    pub ui_address: Option<String>,
}

/// How far the dev server's Web UI is above the server's own port.
pub const UI_PORT_OFFSET: u16 = 1000;

const DEFAULT_UI_PORT: u16 = 8233;

impl UiArgs {
    /// The Web UI of the server at `server`, which is `host:port`.
    ///
    /// ```
    /// let ui = temporal::UiArgs::default();
    /// assert_eq!(ui.address("127.0.0.1:7300"), "http://127.0.0.1:8300");
    /// assert_eq!(ui.address("orders.tmprl.cloud:7233"), "https://cloud.temporal.io");
    /// ```
    pub fn address(&self, server: &str) -> String {
        if let Some(address) = &self.ui_address {
            return address.clone();
        }
        let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
        if host.ends_with(".tmprl.cloud") || host.ends_with(".api.temporal.io") {
            return "https://cloud.temporal.io".to_owned();
        }
        let port = port.parse::<u16>().ok();
        let port = port.and_then(|port| port.checked_add(UI_PORT_OFFSET));
        format!("http://{host}:{}", port.unwrap_or(DEFAULT_UI_PORT))
    }
}

/// Returns the list of workflows in the Web UI at `base`.
///
/// ```
/// assert_eq!(
///     temporal::workflows_url("http://localhost:8233", "default"),
///     "http://localhost:8233/namespaces/default/workflows",
/// );
/// ```
pub fn workflows_url(base: &str, namespace: &str) -> String {
    page(base, &["namespaces", namespace, "workflows"])
}

/// Returns the timeline of a workflow in the Web UI at `base`. The ID may hold any characters.
///
/// ```
/// assert_eq!(
///     temporal::workflow_url("http://localhost:8233", "default", "order-1", "0a1b"),
///     "http://localhost:8233/namespaces/default/workflows/order-1/0a1b/timeline",
/// );
/// ```
pub fn workflow_url(base: &str, namespace: &str, workflow_id: &str, run_id: &str) -> String {
    let workflow = [workflow_id, run_id, "timeline"];
    page(
        base,
        &[&["namespaces", namespace, "workflows"][..], &workflow].concat(),
    )
}

fn page(base: &str, segments: &[&str]) -> String {
    let base = base.trim_end_matches('/');
    let url = Url::parse(base).ok().filter(Url::has_host);
    let url = url.and_then(|mut url| {
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        Some(url.to_string())
    });
    // A wrong base is no reason to fail: the link shows it.
    url.unwrap_or_else(|| format!("{base}/{}", segments.join("/")))
}
