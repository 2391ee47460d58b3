//! Links to Temporal's Web UI.

use clap::Args;
use temporalio_client::Url;

/// Where the Web UI is. Add it to a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug)]
pub struct UiArgs {
    /// The address of Temporal's Web UI, for printed links
    #[arg(
        long,
        env = "TEMPORAL_UI_ADDRESS",
        value_name = "URL",
        default_value = UiArgs::DEFAULT,
        help_heading = "Temporal server"
    )]
    pub ui_address: String,
}

impl UiArgs {
    /// The Web UI of a dev server on its default port, 7233: the UI's port is 1000 higher.
    pub const DEFAULT: &str = "http://localhost:8233";

    /// Returns the page of a workflow's history. See [`workflow_url`].
    pub fn workflow_url(&self, namespace: &str, workflow_id: &str, run_id: &str) -> String {
        workflow_url(&self.ui_address, namespace, workflow_id, run_id)
    }
}

impl Default for UiArgs {
    fn default() -> Self {
        Self {
            ui_address: Self::DEFAULT.to_owned(),
        }
    }
}

/// Returns the page of a workflow's history in the Web UI at `base`. The ID may hold any characters.
///
/// ```
/// assert_eq!(
///     temporal::workflow_url("http://localhost:8233", "default", "order-1", "0a1b"),
///     "http://localhost:8233/namespaces/default/workflows/order-1/0a1b/history",
/// );
/// ```
pub fn workflow_url(base: &str, namespace: &str, workflow_id: &str, run_id: &str) -> String {
    let segments = [
        "namespaces",
        namespace,
        "workflows",
        workflow_id,
        run_id,
        "history",
    ];
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
