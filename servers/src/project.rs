//! Where this project's folder is, and the folder for the programs that it fetches.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::trust::distrust;

/// What its folder is called among other projects' folders.
const NAME: &str = "order-management-demo";

/// Root's cache. Other users can enter it, which matters because some programs refuse to run as
/// root.
#[cfg(unix)]
const ROOT_CACHE: &str = "/var/cache";

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

/// The folder for the programs that this project fetches, `.temporal` in `project_dir`. If somebody
/// else can write there, it is one of the user's own instead, and the second value says why:
/// whoever runs a program of this project somewhere below a planted workspace must not run the
/// programs in that.
pub(crate) fn tools_dir(project_dir: &Path) -> (PathBuf, Option<String>) {
    let folder = project_dir.join(".temporal");
    let Some(reason) = distrust(project_dir).or_else(|| distrust(&folder)) else {
        return (folder, None);
    };
    match cache_dir() {
        Some(cache) => {
            let note = format!("Not using {}, because {reason}", folder.display());
            (cache.join(NAME), Some(note))
        }
        // What is in there is not run either.
        None => (folder, None),
    }
}

/// The same for programs that another user runs if this one is root. Root's own folders can often
/// be entered by nobody else.
#[cfg(unix)]
pub(crate) fn shared_tools_dir(project_dir: &Path) -> (PathBuf, Option<String>) {
    let (folder, note) = tools_dir(project_dir);
    match project_dir.ancestors().find(|path| is_closed(path)) {
        Some(closed) if nix::unistd::geteuid().is_root() => {
            let note = format!(
                "Not using {}, because only root can enter {}",
                folder.display(),
                closed.display()
            );
            (Path::new(ROOT_CACHE).join(NAME), Some(note))
        }
        _ => (folder, note),
    }
}

#[cfg(unix)]
fn is_closed(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0)
}

/// Where this user's programs keep what they can fetch again.
fn cache_dir() -> Option<PathBuf> {
    #[cfg(unix)]
    if nix::unistd::geteuid().is_root() {
        return Some(ROOT_CACHE.into());
    }
    dirs::cache_dir()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used_for_programs() {
        let project = tempfile::tempdir().unwrap();
        let own = project.path().join(".temporal");
        assert_eq!(tools_dir(project.path()), (own.clone(), None));

        fs::create_dir(&own).unwrap();
        for path in [own.as_path(), project.path()] {
            fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
            let (folder, note) = tools_dir(project.path());
            assert!(folder.ends_with(NAME), "{folder:?}");
            let note = note.unwrap();
            let reason = format!("other users can write to {} ", path.display());
            assert!(note.contains(&reason), "{note}");
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(tools_dir(project.path()), (own, None));
    }

    #[test]
    fn what_only_root_can_enter_is_not_used_for_programs_of_another_user() {
        let project = tempfile::tempdir().unwrap();
        let own = project.path().join(".temporal");
        fs::set_permissions(project.path(), Permissions::from_mode(0o700)).unwrap();
        let (folder, note) = shared_tools_dir(project.path());
        if nix::unistd::geteuid().is_root() {
            assert!(folder.starts_with(ROOT_CACHE), "{folder:?}");
            assert!(note.unwrap().contains("only root can enter"));
            fs::set_permissions(project.path(), Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(shared_tools_dir(project.path()), (own, None));
    }
}
