//! The ledger file: appended to, read, and repaired at its end.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{
    entry::{Entry, Line},
    error::{InventoryError, without_position},
};

const REMEDY: &str = "repair that line or restore the file from a copy";

/// An open ledger, read up to `len`.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// Bytes that have been read and found in order.
    len: u64,
    /// The last line read: still there, or the file is another one.
    last: Vec<u8>,
}

/// A line as [`Ledger::read_on`] hands it out.
pub(crate) struct Found<'a> {
    pub text: &'a [u8],
    pub offset: u64,
    /// False for a last line that a crash left without its end.
    pub complete: bool,
}

impl Ledger {
    /// Opens the ledger, or makes an empty one. The second part tells whether
    /// there was one.
    pub fn open(path: &Path) -> Result<(Self, bool), InventoryError> {
        let existed = path
            .try_exists()
            .map_err(InventoryError::io("look for", path))?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(InventoryError::io("open", path))?;
        if !existed {
            // The name itself must last as long as the lines do. A bare name is in this folder.
            let folder = folder_of(path).unwrap_or(Path::new("."));
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(InventoryError::io("write to", folder))?;
        }
        let ledger = Self {
            path: path.to_owned(),
            file,
            len: 0,
            last: Vec::new(),
        };
        Ok((ledger, existed))
    }

    /// Bytes read so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the path still leads to the file that was read: not deleted,
    /// replaced, cut or rewritten since.
    pub fn is_current(&self) -> Result<bool, InventoryError> {
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(InventoryError::io("look at", &self.path)(error)),
        };
        let ours = self.file.metadata().map_err(self.reading())?;
        if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) || there.len() < self.len {
            return Ok(false);
        }
        let mut last = vec![0; self.last.len()];
        let start = self.len - last.len() as u64;
        self.file
            .read_exact_at(&mut last, start)
            .map_err(self.reading())?;
        Ok(last == self.last)
    }

    /// Whether there are bytes that have not been read.
    pub fn has_more(&self) -> Result<bool, InventoryError> {
        Ok(self.size()? > self.len)
    }

    /// Bytes in the file, read or not.
    pub fn size(&self) -> Result<u64, InventoryError> {
        Ok(self.file.metadata().map_err(self.reading())?.len())
    }

    /// Hands out every line that has not been read, in order. Nothing counts as
    /// read until [`Ledger::accept`].
    pub fn read_on(
        &self,
        mut each: impl FnMut(Found<'_>) -> Result<(), InventoryError>,
    ) -> Result<(), InventoryError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.len))
            .map_err(self.reading())?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut offset = self.len;
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader
                .read_until(b'\n', &mut text)
                .map_err(self.reading())?;
            if read == 0 {
                return Ok(());
            }
            let complete = text.last() == Some(&b'\n');
            let found = Found {
                text: if complete { &text[..read - 1] } else { &text },
                offset,
                complete,
            };
            each(found)?;
            offset += read as u64;
        }
    }

    /// Counts everything up to `len` as read; `last` is the line that ends
    /// there, without its newline.
    pub fn accept(&mut self, len: u64, last: &[u8]) {
        self.len = len;
        self.last.clear();
        self.last.extend_from_slice(last);
        self.last.push(b'\n');
    }

    /// Cuts off what stands behind the lines read.
    pub fn truncate(&mut self) -> Result<(), InventoryError> {
        self.file
            .set_len(self.len)
            .and_then(|()| self.file.sync_data())
            .map_err(InventoryError::io("repair", &self.path))
    }

    /// Ends a last line that a crash left without its newline.
    pub fn end_line(&self) -> Result<(), InventoryError> {
        (&self.file)
            .write_all(b"\n")
            .and_then(|()| self.file.sync_data())
            .map_err(InventoryError::io("repair", &self.path))
    }

    /// Appends whole lines; once this returns they outlive a crash. Where it
    /// fails the ledger is as it was.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), InventoryError> {
        let written = (&self.file)
            .write_all(lines)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            if let Err(again) = self.truncate() {
                tracing::error!(error = %again, "what was half written stays until the next read");
            }
            return Err(InventoryError::io("append to", &self.path)(error));
        }
        let body = &lines[..lines.len() - 1];
        let start = body
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        self.accept(self.len + lines.len() as u64, &body[start..]);
        Ok(())
    }

    /// Reads some of the bytes at an offset; 0 at the end of the file.
    pub fn bytes_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, InventoryError> {
        loop {
            match self.file.read_at(bytes, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(self.reading()),
            }
        }
    }

    /// The entry at an offset, and where the next one starts.
    pub fn entry_at(&self, offset: u64) -> Result<(Entry, u64), InventoryError> {
        let (text, next) = self.line_at(offset)?;
        let entry = serde_json::from_slice(&text).map_err(|error| self.unreadable(None, &error))?;
        Ok((entry, next))
    }

    /// What `tell` makes of the line at an offset. Other than
    /// [`Ledger::entry_at`], this reads what opening the ledger reads of it.
    pub fn look_at<T>(
        &self,
        offset: u64,
        tell: impl FnOnce(&Line<'_>) -> T,
    ) -> Result<T, InventoryError> {
        let (text, _) = self.line_at(offset)?;
        Ok(tell(&self.parse(None, &text)?))
    }

    /// The text from an offset to the end of its line, and where the next line
    /// starts.
    pub fn line_at(&self, offset: u64) -> Result<(Vec<u8>, u64), InventoryError> {
        let mut text = Vec::with_capacity(512);
        loop {
            let from = text.len();
            text.resize(from + 512, 0);
            let read = self.bytes_at(offset + from as u64, &mut text[from..])?;
            text.truncate(from + read);
            if let Some(end) = text.iter().position(|&byte| byte == b'\n') {
                text.truncate(end);
                return Ok((text, offset + end as u64 + 1));
            }
            if read == 0 {
                return Err(self.damaged(None, None, format!("no line at byte {offset}")));
            }
        }
    }

    /// The first `len` bytes, for a reader of its own.
    pub fn reader(path: &Path, len: u64) -> Result<impl BufRead, InventoryError> {
        let file = File::open(path).map_err(InventoryError::io("read", path))?;
        Ok(BufReader::with_capacity(1 << 18, file.take(len)))
    }

    /// Reads a line's text, or says what is wrong with it, and with which line
    /// if its number is given.
    pub fn parse<'a>(
        &self,
        number: Option<u64>,
        text: &'a [u8],
    ) -> Result<Line<'a>, InventoryError> {
        Line::read(text).map_err(|error| self.unreadable(number, &error))
    }

    fn unreadable(&self, number: Option<u64>, error: &serde_json::Error) -> InventoryError {
        self.damaged(number, Some(error.column()), without_position(error))
    }

    pub fn damaged(
        &self,
        line: Option<u64>,
        column: Option<usize>,
        problem: String,
    ) -> InventoryError {
        InventoryError::Damaged {
            path: self.path.clone(),
            line,
            column,
            problem,
            remedy: REMEDY,
        }
    }

    fn reading(&self) -> impl FnOnce(io::Error) -> InventoryError {
        InventoryError::io("read", &self.path)
    }
}

/// The folder that `path` lies in; `None` for a bare file name.
pub(crate) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}
