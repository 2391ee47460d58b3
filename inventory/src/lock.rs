//! The lock file: keeps processes apart, and remembers what this program last
//! wrote to the inventory file.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use crate::error::InventoryError;

/// The lock, held until dropped. A process that is killed lets go of it too.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
}

impl LockFile {
    /// Waits for the lock, alone in changing what it guards.
    pub fn take(path: &Path) -> Result<Self, InventoryError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(InventoryError::io("open", path))?;
            file.lock().map_err(InventoryError::io("lock", path))?;
            // Whoever waited may have got the lock of a file that was deleted
            // meanwhile, while others hold that of its successor.
            if leads_to(path, &file).map_err(InventoryError::io("look at", path))? {
                return Ok(Self { file });
            }
        }
    }

    /// Waits for the lock shared with other readers; `None` if there is no lock
    /// file, so nobody who writes.
    pub fn take_shared(path: &Path) -> Result<Option<Self>, InventoryError> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(InventoryError::io("open", path)(error)),
            Ok(file) => {
                file.lock_shared()
                    .map_err(InventoryError::io("lock", path))?;
                Ok(Some(Self { file }))
            }
        }
    }

    /// What this program last wrote to the inventory file, or accepted there.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let len = self.file.metadata()?.len();
        let mut text = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut text, 0)?;
        Ok(text)
    }

    /// Remembers `text` as such. Written over in place, since the lock is on
    /// this very file.
    pub fn set_text(&self, text: &[u8]) -> io::Result<()> {
        self.file.write_all_at(text, 0)?;
        self.file.set_len(text.len() as u64)
    }
}

fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
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
        let first = LockFile::take(&path).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| LockFile::take(&path).unwrap());
            while !is_awaited(&first.file) {
                thread::yield_now();
            }
            fs::remove_file(&path).unwrap();
            let successor = LockFile::take(&path).unwrap();
            drop(first);
            // The waiter got the deleted file's lock, and has to wait again.
            while !is_awaited(&successor.file) {
                assert!(!waiter.is_finished(), "two hold the lock");
                thread::yield_now();
            }
            drop(successor);
            let waiter = waiter.join().unwrap();
            assert!(leads_to(&path, &waiter.file).unwrap());
        });
    }
}
