//! A bucket in a folder of the local file system.
//!
//! Promises: what is acknowledged is on the disk with every folder above it; an object appears
//! whole or not at all; creating links a finished file to its name, which the file system does for
//! one caller only; a missing folder is an error, never an empty bucket. Folders and files are
//! accessible only to the server's user (0700, 0600). Keys are paths as they are. `.instances/`
//! belongs to this module and is no key (see `alive`). Must not know: what the objects are.

mod alive;
mod listing;
mod private;
mod tree;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use self::alive::Alive;
use self::tree::{Found, Tree};
use super::time::StoreTime;
use super::{Bucket, Entry, Key, Names, Part, StoreError, Stored, check_size};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::KEY_BYTES_MAX;
use crate::millis;

/// The folder of this module inside the bucket's folder.
const INTERNAL: &str = ".instances";

/// Precision of times on most file systems.
const TIME_ERROR_FINE: Duration = Duration::from_millis(50);
/// Precision on file systems with whole or even seconds.
const TIME_ERROR_COARSE: Duration = Duration::from_secs(2);

/// A bucket in a folder.
pub(super) struct Folder {
    inner: Arc<Inner>,
    location: String,
    time_error: Duration,
}

struct Inner {
    tree: Tree,
    time: Arc<StoreTime>,
    alive: Alive,
}

impl Folder {
    /// Opens the folder at `path` for the server `instance`; creates it when it is missing.
    ///
    /// # Errors
    ///
    /// `Invalid` when the path is not UTF-8, `Unavailable` when the folder can't be created or
    /// written.
    pub(super) fn open(path: &Path, instance: Uuid, time: Arc<StoreTime>) -> Result<Self> {
        let failed = |error: io::Error| {
            let message = format!("cannot use the folder {} for state: {error}", path.display());
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        private::make_folders(path).map_err(failed)?;
        let root = path.canonicalize().map_err(failed)?;
        let Some(location) =
            root.to_str().map(|root| format!("file://{}", root.trim_end_matches('/')))
        else {
            return Err(Error::invalid(format!(
                "expected a folder whose name is UTF-8, got {}",
                path.display()
            )));
        };
        if private::is_open_to_others(&root) {
            tracing::debug!(
                folder = location,
                "other users of this machine can list the state folder; its contents are closed to them"
            );
        }
        let alive = Alive::announce(&root.join(INTERNAL), instance).map_err(failed)?;
        let born = alive.born();
        time.saw(date_ms(born));
        let is_coarse =
            born.duration_since(UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0);
        let time_error = if is_coarse { TIME_ERROR_COARSE } else { TIME_ERROR_FINE };
        let tree = Tree::new(root, alive.folder().to_owned()).map_err(failed)?;
        Ok(Self { inner: Arc::new(Inner { tree, time, alive }), location, time_error })
    }

    /// Runs blocking `work` on a suitable thread.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &Key,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|ended| Err(io::Error::other(ended)))
            .map_err(|error| translate(operation, key, &error))
    }

    /// The path of `key`.
    fn path(&self, operation: &'static str, key: &Key) -> Result<PathBuf, StoreError> {
        let is_plain =
            |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['\0', '\\']);
        let text = key.as_str();
        if text.len() <= KEY_BYTES_MAX
            && text.split('/').all(is_plain)
            && text.split('/').next() != Some(INTERNAL)
        {
            return Ok(self.inner.tree.root().join(text));
        }
        let reason = format!(
            "a key here has at most {KEY_BYTES_MAX} bytes and no empty, `.`, `..` or `{INTERNAL}` segments"
        );
        Err(StoreError::Refused { operation, key: key.clone(), reason })
    }
}

impl Inner {
    /// A missing file counts only while the folder itself exists.
    fn missing<T>(&self, nothing: T) -> io::Result<T> {
        if self.alive.is_announced() {
            return Ok(nothing);
        }
        Err(io::Error::other("the folder is gone; check whether it was unmounted or removed"))
    }
}

#[async_trait]
impl Bucket for Folder {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let path = self.path("create", key)?;
        let write = move |inner: &Inner| {
            let staged = inner.tree.stage(&bytes)?;
            inner.time.saw(date_ms(staged.written()));
            inner.tree.link(&staged, &path)
        };
        self.blocking("create", key, write).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let path = self.path("put", key)?;
        let write = move |inner: &Inner| {
            let staged = inner.tree.stage(&bytes)?;
            inner.time.saw(date_ms(staged.written()));
            inner.tree.rename(&staged, &path)
        };
        self.blocking("put", key, write).await
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let path = self.path("get", key)?;
        let read = move |inner: &Inner| match tree::read(&path, bytes_max) {
            Ok(found) => Ok(Some(found)),
            // A key below a file, or of a folder, is not an object.
            Err(error) if is_nothing(&error) => inner.missing(None),
            Err(error) => Err(error),
        };
        match self.blocking("get", key, read).await? {
            Some(Found::Whole(bytes, modified)) => {
                Ok(Some(Stored { bytes: bytes.into(), modified_ms: date_ms(modified) }))
            }
            Some(Found::TooLarge(bytes)) => check_size(key, bytes, bytes_max).map(|()| None),
            None => Ok(None),
        }
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        let path = self.path("get", key)?;
        let read = move |inner: &Inner| match tree::read_range(&path, &range) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if is_nothing(&error) => inner.missing(None),
            Err(error) => Err(error),
        };
        self.blocking("get", key, read).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if !prefix.as_str().is_empty() {
            self.path("list", prefix)?;
        }
        let (below, after) = (prefix.clone(), after.cloned());
        let walk = move |inner: &Inner| {
            let found = listing::list(inner.tree.root(), &below, after.as_ref(), limit)?;
            if found.is_empty() { inner.missing(found) } else { Ok(found) }
        };
        self.blocking("list", prefix, walk).await
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.path("list", prefix)?;
        let below = prefix.clone();
        let (begin, after) = (names.begin.to_owned(), names.after.map(str::to_owned));
        let read = move |inner: &Inner| {
            let names = Names { begin: &begin, after: after.as_deref() };
            let found = listing::folders(inner.tree.root(), &below, names, limit)?;
            if found.is_empty() { inner.missing(found) } else { Ok(found) }
        };
        self.blocking("list", prefix, read).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let paths =
            keys.iter().map(|key| self.path("delete", key)).collect::<Result<Vec<_>, _>>()?;
        let remove = move |inner: &Inner| {
            for path in &paths {
                match inner.tree.remove(path) {
                    Err(error) if is_nothing(&error) => inner.missing(())?,
                    done => done?,
                }
            }
            Ok(())
        };
        self.blocking("delete", first, remove).await
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        self.inner.time.now_ms()
    }

    fn store_time_error(&self) -> Duration {
        self.time_error
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.inner.alive.is_gone(instance)
    }

    fn location(&self) -> &str {
        &self.location
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

fn translate(operation: &'static str, key: &Key, error: &io::Error) -> StoreError {
    use io::ErrorKind as Kind;
    let (key, reason) = (key.clone(), error.to_string());
    match error.kind() {
        Kind::AlreadyExists => StoreError::Exists { key },
        Kind::PermissionDenied
        | Kind::ReadOnlyFilesystem
        | Kind::Unsupported
        | Kind::CrossesDevices => StoreError::Refused { operation, key, reason },
        // An immediate retry would only delay every request.
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            StoreError::Refused { operation, key, reason }
        }
        Kind::NotADirectory | Kind::IsADirectory | Kind::InvalidFilename | Kind::InvalidInput => {
            StoreError::Refused { operation, key, reason }
        }
        _ => StoreError::Unavailable { operation, key, reason },
    }
}

/// Milliseconds since 1970, rounded down.
fn date_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => millis::signed(since),
        Err(before) => -millis::signed(before.duration()) - 1,
    }
}

#[cfg(test)]
mod tests;
