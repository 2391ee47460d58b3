//! What all files have in common: they are regular files, they are replaced as a whole, and whoever may
//! use their folder may use them.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::error::InventoryError;

/// Refuses a path that leads to something other than a file. To open a FIFO would wait forever.
pub(crate) fn refuse_special(path: &Path) -> Result<(), InventoryError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(InventoryError::Damaged {
            path: path.to_owned(),
            line: None,
            column: None,
            problem: "this is not a regular file".to_owned(),
            remedy: "name the path of a file",
        }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(InventoryError::io("look at", path)(error))
        }
        _ => Ok(()),
    }
}

/// Reads a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, InventoryError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(InventoryError::io("read", path)(error)),
    }
}

/// Replaces a file, or creates it.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), InventoryError> {
    Next::write(path, text)?.put_in_place()
}

/// The next content of a file, beside it until it takes its place. Other programs see the old content or
/// the new one, and so does whoever looks after a power failure.
pub(crate) struct Next<'a> {
    path: &'a Path,
    next: PathBuf,
}

impl<'a> Next<'a> {
    /// Writes and flushes it. It will have the permissions of the file whose place it takes.
    pub fn write(path: &'a Path, text: &[u8]) -> Result<Self, InventoryError> {
        let mut next = path.as_os_str().to_owned();
        next.push(".tmp");
        let next = Self {
            path,
            next: next.into(),
        };
        let write = || {
            // Whatever is there was left behind by a crash. It is taken away rather than opened, because
            // it may be a link to somewhere else.
            match fs::remove_file(&next.next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).open(&next.next)?;
            file.set_permissions(permissions(path)?)?;
            file.write_all(text)?;
            file.sync_data()
        };
        write().map_err(InventoryError::io("write", &next.next))?;
        Ok(next)
    }

    pub fn put_in_place(self) -> Result<(), InventoryError> {
        fs::rename(&self.next, self.path).map_err(InventoryError::io("replace", self.path))?;
        let folder = folder_of(self.path);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(InventoryError::io("write", folder))
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        // There is nothing left once it is in its place.
        let _ = fs::remove_file(&self.next);
    }
}

/// Opens a file for locking, and creates it if there is none.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let existing = OpenOptions::new().read(true).open(path);
    match existing {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)?;
            file.set_permissions(permissions(folder_of(path))?)?;
            Ok(file)
        }
        opened => opened,
    }
}

/// Those that the file has. A new one is for all who may use its folder, whatever the writer's umask.
fn permissions(path: &Path) -> io::Result<Permissions> {
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::metadata(folder_of(path))?,
        there => there?,
    };
    Ok(Permissions::from_mode(there.permissions().mode() & 0o666))
}

/// The folder of a path, which may be a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
