//! Where a program is on the PATH, whether it can be run, and which version it is.

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// A first run after a fetch of 150 MB can take seconds on a slow disk.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// The first program of this name in the folders of `path`, a value of the variable PATH.
pub(crate) fn on_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path)
        // What a relative folder means depends on the current folder.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&name))
        .find(|candidate| candidate.is_file())
}

/// The version of the program at `path`, which says `says` before it, or the reason why that cannot
/// be run.
pub(crate) async fn version(path: &Path, says: &str) -> Result<String, String> {
    if !path.exists() {
        return Err("it does not exist".to_owned());
    }
    let output = match timeout(VERSION_LIMIT, output_of_version(path)).await {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("`--version` took longer than {VERSION_LIMIT:?}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.trim().strip_prefix(says);
    match version.and_then(|rest| rest.split_whitespace().next()) {
        Some(version) if output.status.success() => Ok(version.to_owned()),
        _ => {
            let complaint = last_line(&output.stderr);
            let said = complaint.unwrap_or_else(|| said.lines().next().unwrap_or("").to_owned());
            Err(format!(
                "`--version` ended with {} and said \"{said}\"",
                output.status
            ))
        }
    }
}

async fn output_of_version(path: &Path) -> io::Result<Output> {
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        let result = Command::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        match result {
            // A program that this process has just written cannot be run while another thread is
            // starting a program, because that one holds the file open for a moment.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => sleep(PAUSE).await,
            result => return result,
        }
    }
}

/// The last line that is not empty. Command line tools say there what went wrong.
pub(crate) fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}

/// One line for each thing that was tried.
pub(crate) fn list(tried: &[String]) -> String {
    let lines: Vec<_> = tried.iter().map(|line| format!("  - {line}")).collect();
    lines.join("\n")
}
