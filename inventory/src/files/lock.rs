//! The lock file, which keeps processes apart. It is empty, and nothing is lost with it.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::disk;
use crate::error::InventoryError;

/// The lock, held until dropped. A process that is killed lets go of it too.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock, to be alone in changing the files.
    pub fn take(path: &Path) -> Result<Self, InventoryError> {
        loop {
            let file = disk::open_or_create(path).map_err(InventoryError::io("open", path))?;
            file.lock().map_err(InventoryError::io("lock", path))?;
            // Whoever waited may have got the lock of a file that was deleted meanwhile, while others
            // hold that of its successor.
            if leads_to(path, &file).map_err(InventoryError::io("look at", path))? {
                return Ok(Self { _file: file });
            }
        }
    }

    /// Waits for the lock, shared with other readers. Returns `None` if there is no lock file, so nobody
    /// who writes.
    pub fn take_shared(path: &Path) -> Result<Option<Self>, InventoryError> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(InventoryError::io("open", path)(error)),
            Ok(file) => {
                let locked = file.lock_shared();
                locked.map_err(InventoryError::io("lock", path))?;
                Ok(Some(Self { _file: file }))
            }
        }
    }
}

fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// Whether somebody waits for the lock of this file, as the kernel lists it.
    fn is_awaited(file: &File) -> bool {
        let inode = format!(":{} ", file.metadata().unwrap().ino());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let mut lines = locks.lines();
        lines.any(|line| line.contains("->") && line.contains(&inode))
    }

    #[test]
    fn the_lock_of_a_deleted_file_is_not_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.lock");
        let first = Lock::take(&path).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::take(&path).unwrap());
            while !is_awaited(&first._file) {
                thread::yield_now();
            }
            fs::remove_file(&path).unwrap();
            let successor = Lock::take(&path).unwrap();
            drop(first);
            // The waiter got the deleted file's lock, and has to wait again.
            while !is_awaited(&successor._file) {
                assert!(!waiter.is_finished(), "two hold the lock");
                thread::yield_now();
            }
            drop(successor);
            let waiter = waiter.join().unwrap();
            assert!(leads_to(&path, &waiter._file).unwrap());
        });
    }
}
