//! Where this project's folder is.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The top folder of this workspace: the one that contains the current folder, or else the one in
/// which this program was compiled if it still exists, or else the current folder.
pub fn project_dir() -> PathBuf {
    let current = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let compiled_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    workspace_above(&current)
        .or_else(|| workspace_above(compiled_in?))
        .unwrap_or(current)
}

fn workspace_above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| is_workspace(folder))
        .map(Path::to_owned)
}

/// Whether this is this workspace's top folder: other workspaces have no `servers/` crate.
fn is_workspace(folder: &Path) -> bool {
    if !folder.join("servers/Cargo.toml").is_file() {
        return false;
    }
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}
