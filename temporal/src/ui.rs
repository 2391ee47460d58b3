//! Addresses in Temporal's Web UI.

use clap::Args;

use crate::settings::parse_url;

/// Where the Web UI is. To be taken into a command with `#[command(flatten)]`.
#[derive(Args, Clone, Debug)]
pub struct UiArgs {
    /// The address of Temporal's Web UI, for the links that are printed
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
    /// Where a dev server on its usual ports has it: 1000 above the server's 7233.
    pub const DEFAULT: &str = "http://localhost:8233";

    /// The page of one workflow's history. See [`workflow_url`].
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

/// The page of one workflow's history in the Web UI at `base`, whatever characters its ID holds.
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
    let url = parse_url(base).and_then(|mut url| {
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        Some(url.to_string())
    });
    // A link that cannot be made is no reason to fail: the person sees what the base was.
    url.unwrap_or_else(|| format!("{base}/{}", segments.join("/")))
}
