//! Who is alive among the servers on one folder.
//!
//! Each server has a folder `.instances/{uuid}/` with a file `alive`, on which it holds an
//! exclusive lock of the operating system for as long as it lives; the kernel lets go of it when
//! the process ends, however it ends. Whoever gets that lock knows that the owner is dead. The file
//! is locked before it gets its name, so a live server is never seen without its lock. A server
//! that ends in order removes its folder. What a dead one left stays for a day after somebody first
//! saw that it is dead (`dead` has that time): leases may still name it.
//!
//! A lock proves something only on the machine, and since the boot, that took it: network file
//! systems may keep locks to each machine. So the file says which boot of which machine that was,
//! and others are never judged.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::private;

/// The locked file.
const ALIVE: &str = "alive";
/// Written by the first who saw that the server is dead.
const DEAD: &str = "dead";
/// How long a dead server's lock file stays.
const PROOF_KEPT: Duration = Duration::from_secs(24 * 3600);

/// This server's sign of life; ends with it.
pub(super) struct Alive {
    instances: PathBuf,
    folder: PathBuf,
    machine: String,
    born: SystemTime,
    /// Holds the lock.
    _lock: File,
}

impl Alive {
    /// Announces `instance` in the folder `instances`, and removes what servers left that have been
    /// dead for long.
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

    /// When it announced itself, by the file system's clock.
    pub(super) fn born(&self) -> SystemTime {
        self.born
    }

    /// Whether the announcement is still there: the folder has not been unmounted or removed under
    /// this server.
    pub(super) fn is_announced(&self) -> bool {
        self.folder.join(ALIVE).exists()
    }

    /// Whether the process that calls itself `instance` has certainly ended.
    pub(super) fn is_gone(&self, instance: Uuid) -> bool {
        self.is_dead(&self.instances.join(instance.to_string()))
    }

    /// Whether `folder` is that of a server of this machine whose lock is free. Nothing is known
    /// when anything fails.
    fn is_dead(&self, folder: &Path) -> bool {
        let Ok(mut file) = File::open(folder.join(ALIVE)) else { return false };
        let mut machine = String::new();
        if file.read_to_string(&mut machine).is_err() || machine != self.machine {
            return false;
        }
        // Shared, so that several who ask at the same time do not take each other for the owner.
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
                // Another server may be sweeping too.
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
        // Whoever missed this finds the lock free.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Which boot of which machine this is. Where the system does not tell, machines can't be told
/// apart: there, a folder must not be shared between machines.
fn machine() -> io::Result<String> {
    match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(boot) => Ok(boot.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("unknown".to_owned()),
        Err(error) => Err(error),
    }
}
