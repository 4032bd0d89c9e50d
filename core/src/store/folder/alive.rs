//! Detects which servers on a folder are alive.
//!
//! Each server has a folder `.instances/{uuid}/` with a file `alive`, on which it holds an
//! exclusive lock of the operating system for as long as it lives; the kernel releases it when the
//! process ends in any way. A process that gets that lock knows that the owner is dead. The file is
//! locked before it gets its name, so a live server is never seen without its lock. A server that
//! shuts down removes its folder. The folder of a dead server stays for a day after it was first
//! found dead (the time of `dead`), because leases may still name it.
//!
//! A lock proves something only on the same machine and boot, because network file systems may keep
//! locks local to a machine. Therefore the file names the boot and the machine, and others are
//! never judged.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::private;

/// The locked file.
const ALIVE: &str = "alive";
/// Written by the first process that found the server dead.
const DEAD: &str = "dead";
/// How long a dead server's lock file stays.
const PROOF_KEPT: Duration = Duration::from_secs(24 * 3600);

/// This server's lock; released when it ends.
pub(super) struct Alive {
    instances: PathBuf,
    folder: PathBuf,
    machine: String,
    born: SystemTime,
    /// Holds the lock.
    _lock: File,
}

impl Alive {
    /// Registers `instance` in the folder `instances`, and removes the folders of servers that are
    /// long dead.
    pub(super) fn announce(instances: &Path, instance: Uuid) -> io::Result<Self> {
        let machine = machine()?;
        let folder = instances.join(instance.to_string());
        private::make_folders(instances)?;
        private::make_folder(&folder).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
        })?;
        let early = folder.join("early");
        let mut lock = private::make_file(&early)?;
        lock.lock()?;
        lock.write_all(machine.as_bytes())?;
        lock.sync_all()?;
        fs::rename(&early, folder.join(ALIVE))?;
        let born = lock.metadata()?.modified()?;
        let alive = Self { instances: instances.to_owned(), folder, machine, born, _lock: lock };
        alive.sweep()?;
        Ok(alive)
    }

    /// This server's own folder, for its unfinished files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// When it was registered, by the file system's clock.
    pub(super) fn born(&self) -> SystemTime {
        self.born
    }

    /// Whether the registration still exists, so that the folder was not unmounted or removed.
    pub(super) fn is_announced(&self) -> bool {
        self.folder.join(ALIVE).exists()
    }

    /// Whether the process that calls itself `instance` has certainly ended.
    pub(super) fn is_gone(&self, instance: Uuid) -> bool {
        self.is_dead(&self.instances.join(instance.to_string()))
    }

    /// Whether `folder` is that of a server of this machine whose lock is free. `false` if anything
    /// fails.
    fn is_dead(&self, folder: &Path) -> bool {
        let Ok(mut file) = File::open(folder.join(ALIVE)) else { return false };
        let mut machine = String::new();
        if file.read_to_string(&mut machine).is_err() || machine != self.machine {
            return false;
        }
        // Shared, so that concurrent checks do not see each other as the owner.
        match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        }
    }

    /// Empties the folders of dead servers, and removes them a day later.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.instances)? {
            let folder = entry?.path();
            if folder != self.folder && self.is_dead(&folder) {
                // Another server may be sweeping, too.
                let _ = self.sweep_dead(&folder);
            }
        }
        Ok(())
    }

    fn sweep_dead(&self, folder: &Path) -> io::Result<()> {
        let dead = folder.join(DEAD);
        let since = match fs::metadata(&dead) {
            Ok(metadata) => metadata.modified()?,
            Err(_) => private::empty_file(&dead)?.metadata()?.modified()?,
        };
        // Both times are the file system's.
        if self.born.duration_since(since).is_ok_and(|age| age > PROOF_KEPT) {
            return fs::remove_dir_all(folder);
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path != dead && path != folder.join(ALIVE) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // A process that missed this finds the lock free.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The id of this boot of this machine. If the system has none, machines are indistinguishable, and
/// a folder must not be shared between them.
fn machine() -> io::Result<String> {
    match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(boot) => Ok(boot.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("unknown".to_owned()),
        Err(error) => Err(error),
    }
}
