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

/// Replaces a file, or creates it: other programs see the old content or the new one, and so does
/// whoever looks after a power failure. The file keeps its permissions.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), InventoryError> {
    let mut next = path.as_os_str().to_owned();
    next.push(".tmp");
    let next = PathBuf::from(next);
    let write = || {
        // Whatever is there was left behind by a crash. It is taken away rather than opened, because it
        // may be a link to somewhere else.
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&next)?;
        file.set_permissions(permissions(path)?)?;
        file.write_all(text)?;
        file.sync_data()
    };
    let written = write().map_err(InventoryError::io("write", &next));
    let replaced = written.and_then(|()| {
        fs::rename(&next, path).map_err(InventoryError::io("replace", path))?;
        let folder = folder_of(path);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(InventoryError::io("write", folder))
    });
    if replaced.is_err() {
        let _ = fs::remove_file(&next);
    }
    replaced
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
