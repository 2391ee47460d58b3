//! Where a dev server's output goes, and its end again when something went wrong.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;

/// More than the server's last words, less than a page of its stack traces.
const END: u64 = 2000;

/// Where it goes. A file rather than a pipe: a pipe that nobody empties stops the server.
#[derive(Debug)]
pub(super) enum Output {
    Inherited,
    File { file: File, start: u64 },
}

impl Output {
    /// A file that has no name, and is gone with the process.
    pub(super) fn unnamed() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        Ok(Self::File { file, start: 0 })
    }

    pub(super) fn appended_to(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).read(true).open(path)?;
        let start = file.metadata()?.len();
        Ok(Self::File { file, start })
    }

    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        match self {
            Self::Inherited => Ok(Stdio::inherit()),
            Self::File { file, .. } => Ok(file.try_clone()?.into()),
        }
    }

    /// The end of what this server printed. Only after it ended: the place in the file is shared.
    pub(super) fn end(&self) -> String {
        let Self::File { file, start } = self else {
            return "see above".to_owned();
        };
        match read_end(file, *start) {
            Ok(text) if text.trim().is_empty() => "it printed nothing".to_owned(),
            Ok(text) => text.trim().to_owned(),
            Err(error) => format!("its output cannot be read: {error}"),
        }
    }
}

fn read_end(mut file: &File, start: u64) -> io::Result<String> {
    let from = start.max(file.metadata()?.len().saturating_sub(END));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
