//! Files and folders that are synced to disk before they become visible.
//!
//! A new object is written and synced under a private name first, then linked or renamed to its
//! own, then the folder is synced. A folder counts as durable when this process has synced it and
//! all its parents, even if another process created it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::private;
use crate::sync::{Mutex, RwLock};

/// Number of attempts to create a folder that another process removes concurrently.
const FOLDER_TRIES: usize = 16;

/// Maximum number of folders that are remembered as synced; others are synced again.
const DURABLE_MAX: usize = 65_536;

/// The folder of a bucket.
pub(super) struct Tree {
    root: PathBuf,
    /// Where unfinished files are, on the same file system.
    staging: PathBuf,
    staged: AtomicU64,
    durable: Mutex<HashSet<PathBuf>>,
    /// Shared for publishing a file and exclusive for removing a folder, so that no folder
    /// disappears between check and use.
    folders: RwLock<()>,
}

/// A finished file under a private name, which is deleted on drop.
pub(super) struct Staged {
    path: PathBuf,
    written: SystemTime,
}

impl Staged {
    /// When the file system says that it was written.
    pub(super) fn written(&self) -> SystemTime {
        self.written
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Already gone if it was renamed; after a crash it is deleted with the staging folder.
        let _ = fs::remove_file(&self.path);
    }
}

impl Tree {
    pub(super) fn new(root: PathBuf, staging: PathBuf) -> io::Result<Self> {
        // The root itself may be new; the folders above it are the user's.
        if let Some(parent) = root.parent() {
            sync_folder(parent)?;
        }
        Ok(Self {
            root,
            staging,
            staged: AtomicU64::new(0),
            durable: Mutex::default(),
            folders: RwLock::default(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes `bytes` to a private file and syncs it.
    pub(super) fn stage(&self, bytes: &[u8]) -> io::Result<Staged> {
        let path = self.staging.join(self.staged.fetch_add(1, Ordering::Relaxed).to_string());
        let mut file = private::make_file(&path)?;
        let mut staged = Staged { path, written: SystemTime::UNIX_EPOCH };
        file.write_all(bytes)?;
        file.sync_all()?;
        staged.written = file.metadata()?.modified()?;
        Ok(staged)
    }

    /// Links the staged file to `path`; `AlreadyExists` if that exists.
    pub(super) fn link(&self, staged: &Staged, path: &Path) -> io::Result<()> {
        self.publish(path, || fs::hard_link(&staged.path, path))
    }

    /// Renames the staged file to `path`, replacing an existing file.
    pub(super) fn rename(&self, staged: &Staged, path: &Path) -> io::Result<()> {
        self.publish(path, || fs::rename(&staged.path, path))
    }

    fn publish(&self, path: &Path, give_name: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let _shared = self.folders.read();
        let mut tries = 1;
        loop {
            self.ensure_folder(folder)?;
            match give_name() {
                // Another process has just removed the empty folder. The name was not given, so
                // trying again is no second create.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < FOLDER_TRIES => {
                    self.durable().clear();
                    tries += 1;
                }
                // The creator of the file may not have synced the folder yet, but our caller relies
                // on it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    sync_folder(folder)?;
                    return Err(error);
                }
                Err(error) => return Err(error),
                Ok(()) => return sync_folder(folder),
            }
        }
    }

    /// Removes the file, then the folders above it that are empty.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        let _alone = self.folders.write();
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            self.durable().remove(folder);
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Creates the folder, and syncs it and all its parents.
    fn ensure_folder(&self, folder: &Path) -> io::Result<()> {
        if self.durable().contains(folder) {
            return Ok(());
        }
        private::make_folders(folder)?;
        let below_root = |folder: &&Path| *folder != self.root;
        for made in folder.ancestors().take_while(below_root) {
            if let Some(parent) = made.parent() {
                sync_folder(parent)?;
            }
        }
        let mut durable = self.durable();
        if durable.len() >= DURABLE_MAX {
            durable.clear();
        }
        durable.insert(folder.to_owned());
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock()
    }
}

/// A file that was read.
pub(super) enum Found {
    /// Its content, and when it was written.
    Whole(Vec<u8>, SystemTime),
    /// It has so many bytes, which are too many.
    TooLarge(u64),
}

/// The file's content, if it has at most `bytes_max` bytes.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<Found> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > bytes_max {
        return Ok(Found::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // Somebody else may write into the file meanwhile.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Ok(Found::TooLarge(bytes.len() as u64));
    }
    Ok(Found::Whole(bytes, metadata.modified()?))
}

/// What the file has in this range.
pub(super) fn read_range(path: &Path, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the names in a folder durable. On Windows a folder can't be opened for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
