//! The bucket: the only thing that instances share.
//!
//! Promises: a [`Bucket`] executes each operation once and reports what it saw. It never retries a
//! create, never caches, and never turns an error into an empty result. Must not know: objects,
//! records, snapshots.

mod config;
mod folder;
mod folders;
mod keys;
mod memory;
mod metrics;
mod moment;
mod open;
mod probe;
#[cfg(feature = "network")]
mod remote;
mod retry;
mod split;
mod time;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

pub use config::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, S3Config, S3Credentials, Secret,
    StoreConfig,
};
pub use keys::{AccessKeyProvider, AccessKeys, AccessKeysError, ProvidedKeys};
pub use memory::Memory;
pub(crate) use moment::Moment;
#[cfg(feature = "s3")]
pub use open::S3Opener;
pub use open::{Files, open, open_files, retried};
pub(crate) use probe::{FOLDER as PROBE_FOLDER, probe_below};
pub use probe::{check_store, probe};
#[cfg(feature = "s3")]
pub use remote::AwsSigner;
#[cfg(test)]
pub(crate) use retry::Retrying;
pub(crate) use split::Split;
pub use split::Stores;
pub use time::StoreTime;

/// The key of an object in the bucket, relative to the configured prefix. Its segments are divided by
/// `/`.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Key, Tenant};
///
/// assert_eq!(
///     Key::new("reports").join(2026).join("may.csv").as_str(),
///     "reports/2026/may.csv"
/// );
/// let object = Tenant::new("acme", "web")?.object("ChatRoom", "lobby")?;
/// assert_eq!(object.prefix().as_str(), "acme/web/do/chat-room/lobby");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key with this text. Callers build keys from encoded parts only, so it has no empty, `.`
    /// or `..` segments.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key `self/segment`.
    #[must_use]
    pub fn join(&self, segment: impl fmt::Display) -> Self {
        Self(format!("{}/{segment}", self.0))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix of keys below this one: `self/`, or empty for the empty key.
    pub(crate) fn below(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("{}/", self.0) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object's bytes, and when it was last written by the store's clock.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Key, Stored};
///
/// let stored = Stored { bytes: "a report".into(), modified_ms: 1_767_225_600_000 };
/// assert!(stored.clone().within(&Key::new("report"), 8).is_ok());
/// assert!(stored.within(&Key::new("report"), 7).is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Stored {
    /// The whole content.
    pub bytes: Bytes,
    /// Milliseconds since 1970 by the store's clock; many stores give whole seconds.
    pub modified_ms: i64,
}

impl Stored {
    /// Itself, if it has at most `bytes_max` bytes: for a [`Bucket`] that has whole objects in
    /// memory anyway.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] when it has more; `key` is its key.
    pub fn within(self, key: &Key, bytes_max: u64) -> Result<Self, StoreError> {
        check_size(key, self.bytes.len() as u64, bytes_max).map(|()| self)
    }
}

/// Fails when an object of so many `bytes` is larger than somebody is ready to take.
pub(crate) fn check_size(key: &Key, bytes: u64, bytes_max: u64) -> Result<(), StoreError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(StoreError::TooLarge { key: key.clone(), bytes, bytes_max })
}

/// One of the two parts of a bucket. Usually one store holds both, and has one clock; a database can
/// hold the log, and a store of files the rest ([`with_log`](crate::with_log)).
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{Bucket, Part};
///
/// /// How far the two clocks of a bucket are apart, where both are known.
/// fn apart_ms(bucket: &dyn Bucket) -> Option<i64> {
///     Some(bucket.store_time_ms(Part::Log)? - bucket.store_time_ms(Part::Files)?)
/// }
/// # assert_eq!(apart_ms(&*dotdo_core::testing::examples::bucket()), Some(0));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is created once, by the first of several writers, and all that goes with it.
    Log,
    /// Large files under keys that no two writers share.
    Files,
}

/// An entry of a listing.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::engine::{Bucket, Key};
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// bucket.put(&Key::new("reports/may"), "…".into()).await?;
/// let entries = bucket.list(&Key::new("reports"), None, 100).await?;
/// assert_eq!((entries[0].key.as_str(), entries[0].bytes), ("reports/may", 3));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: Key,
    /// Content length in bytes.
    pub bytes: u64,
    /// Milliseconds since 1970 by the store's clock.
    pub modified_ms: i64,
}

/// Which folders [`Bucket::list_folders`] lists.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::engine::{Bucket, Key, Names};
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// for name in ["ada", "ann", "anne", "bob"] {
///     bucket.put(&Key::new("users").join(name).join("photo"), "…".into()).await?;
/// }
/// let names = Names { begin: "an", after: Some("ann") };
/// assert_eq!(bucket.list_folders(&Key::new("users"), names, 100).await?, ["anne"]);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Names<'a> {
    /// How their names begin; empty for all.
    pub begin: &'a str,
    /// The name after which to continue.
    pub after: Option<&'a str>,
}

/// The error of an operation on a store.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::bytes::Bytes;
/// use dotdo::engine::{Bucket, Key, StoreError};
///
/// /// Creates an object, and finds out whose it is where the response does not say that.
/// async fn create(
///     bucket: &dyn Bucket,
///     key: &Key,
///     bytes: Bytes,
/// ) -> Result<bool, StoreError> {
///     match bucket.create(key, bytes.clone()).await {
///         Ok(()) => Ok(true),
///         Err(StoreError::Exists { .. } | StoreError::Unavailable { .. }) => {
///             Ok(bucket.get(key).await?.is_some_and(|stored| stored.bytes == bytes))
///         }
///         Err(error) => Err(error),
///     }
/// }
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// assert!(create(&*bucket, &Key::new("leader"), "ada".into()).await?);
/// assert!(!create(&*bucket, &Key::new("leader"), "bob".into()).await?);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The key already has an object. This does not prove whose: after a retry or a lost response
    /// it may be one's own.
    #[error("{key} already exists")]
    Exists {
        /// The key.
        key: Key,
    },
    /// The store did not respond, or responded with a temporary error. A write may or may not have
    /// happened.
    #[error("the store failed to {operation} {key}: {reason}")]
    Unavailable {
        /// The operation, such as `put`.
        operation: &'static str,
        /// The key.
        key: Key,
        /// The reason, without secrets.
        reason: String,
    },
    /// The store refused permanently: credentials, permissions, a missing bucket, a full disk, an
    /// unsupported operation.
    #[error("the store refused to {operation} {key}: {reason}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The key.
        key: Key,
        /// The reason, without secrets.
        reason: String,
    },
    /// The object is larger than what was asked for, so nothing of it was read.
    #[error("expected an object of at most {bytes_max} bytes under {key}, got one of {bytes}")]
    TooLarge {
        /// The key.
        key: Key,
        /// Its size.
        bytes: u64,
        /// The largest size that would have been read.
        bytes_max: u64,
    },
}

/// A bucket, or a part of one below a prefix.
///
/// Reads, listings and creates must be strongly consistent, as S3, R2, GCS, Azure, Tigris,
/// SeaweedFS and file systems are; the probe checks what it can.
///
/// Whoever brings a store of their own implements it; the program `examples/own_store.rs` is one.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::engine::{Bucket, Key};
///
/// # let bucket = dotdo_core::testing::examples::bucket();
/// let (may, june) = (Key::new("reports/may"), Key::new("reports/june"));
/// bucket.create(&may, "3 orders".into()).await?;
/// assert!(bucket.create(&may, "4 orders".into()).await.is_err(), "there is one already");
/// bucket.put(&june, "5 orders".into()).await?;
/// assert_eq!(bucket.list(&Key::new("reports"), None, 100).await?.len(), 2);
/// bucket.delete(&[may.clone(), june]).await?;
/// assert!(bucket.get_within(&may, 1 << 20).await?.is_none());
/// # Ok(())
/// # });
/// ```
#[async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// Puts `bytes` under `key` if no object has that key. Exactly one request is sent. Any error
    /// is ambiguous.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError>;

    /// Puts `bytes` under `key`, replacing what was there; may retry for a short time.
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError>;

    /// The object under `key`, if it has at most `bytes_max` bytes; `None` when the store says that
    /// there is none. May retry for a short time.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] for a larger one, of which nothing but the size is read: whoever can
    /// write to the bucket decides how large its objects are, and whoever reads decides how much
    /// memory they get.
    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError>;

    /// The object under `key`, however large it is: for tools and tests. The core itself always
    /// says how much it is ready to take.
    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.get_within(key, u64::MAX).await
    }

    /// The bytes of the object under `key` in this range, fewer where the object ends before it; `None`
    /// when the store says that there is none. May retry for a short time.
    ///
    /// A store that can't do it reads the object as a whole.
    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get(key).await?.map(|stored| memory::part_of(&stored.bytes, &range)))
    }

    /// At most `limit` objects below `prefix/` whose key sorts after `after`, sorted by key. May
    /// retry for a short time.
    ///
    /// One request when `limit` is at most 1,000; nothing below the prefix is an empty list. The
    /// empty key lists the whole bucket.
    ///
    /// Go through a listing page by page (`after` the last key) in a flat folder only: some stores
    /// (SeaweedFS) list folder by folder, where `a/x` comes before `a-b`, and begin and end a page
    /// in that order. A listing whose `limit` is not reached is whole and in order on all.
    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The names of folders directly below `prefix/`: those that `names` asks for, at most `limit`
    /// of them, each once, in an order of the store's own that stays the same. To continue, ask for
    /// the names after the last one. May retry for a short time.
    ///
    /// What a store does not do itself is done by a listing for each folder.
    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        folders::by_listings(self, prefix, names, limit).await
    }

    /// Removes the objects; one that is missing is no error.
    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError>;

    /// A time that the clock of the store has certainly reached that holds this part (milliseconds
    /// since 1970, in the clock of [`Stored::modified_ms`]), where one is known: it makes waiting
    /// for a dead owner's lease shorter, and is never needed.
    fn store_time_ms(&self, of: Part) -> Option<i64>;

    /// How coarse [`Stored::modified_ms`] and [`Bucket::store_time_ms`] are together: what must be
    /// added to an age before it is certain.
    fn store_time_error(&self) -> Duration;

    /// Whether the process that calls itself `instance` has certainly ended. `false` means that
    /// nothing is known.
    ///
    /// A folder can tell, because the kernel drops a dead process's file lock; a bucket on the
    /// network can't.
    fn is_gone(&self, instance: Uuid) -> bool;

    /// The absolute URI of the place that keys are relative to, without a final `/`:
    /// `file:///srv/state`, `s3://bucket/prefix`. Iceberg files name each other by it.
    fn location(&self) -> &str;

    /// The two stores that this bucket is made of, if it is: each is probed for what it is needed
    /// for. Wrappers need not pass this on.
    fn stores(&self) -> Option<Stores<'_>> {
        None
    }
}
