//! A bucket made of two: a store that coordinates and holds the log, and one for files.
//!
//! Promises: each key is in one of the two, always the same one; a listing across both is one, in
//! order. Must not know: which keys are whose; whoever joins the two says that.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join;
use uuid::Uuid;

use super::{Bucket, Entry, Files, Key, Names, Part, StoreError, Stored};

/// Says which part a key belongs to; `None` for a prefix of keys of both.
pub(crate) type Route = fn(&Key) -> Option<Part>;

/// The two stores of a bucket.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Bucket;
///
/// /// Where the parts of a bucket are.
/// fn places(bucket: &dyn Bucket) -> Vec<String> {
///     match bucket.stores() {
///         Some(stores) => {
///             vec![stores.log.location().to_owned(), stores.files.location().to_owned()]
///         }
///         None => vec![bucket.location().to_owned()],
///     }
/// }
/// # assert_eq!(places(&*dotdo_core::testing::examples::bucket()).len(), 1);
/// ```
#[derive(Clone, Copy)]
pub struct Stores<'a> {
    /// The store that coordinates: it must have create-if-absent.
    pub log: &'a dyn Bucket,
    /// The store of the files, which need not.
    pub files: &'a dyn Bucket,
}

/// A bucket made of two stores.
pub(crate) struct Split {
    log: Arc<dyn Bucket>,
    files: Files,
    route: Route,
}

impl Split {
    pub(crate) fn new(log: Arc<dyn Bucket>, files: Files, route: Route) -> Self {
        Self { log, files, route }
    }

    fn part(&self, part: Part) -> &dyn Bucket {
        match part {
            Part::Log => self.log.as_ref(),
            Part::Files => self.files.bucket.as_ref(),
        }
    }

    /// The store that has this key. One of neither part is small and belongs to whoever
    /// coordinates.
    fn of(&self, key: &Key) -> &dyn Bucket {
        self.part((self.route)(key).unwrap_or(Part::Log))
    }
}

#[async_trait]
impl Bucket for Split {
    /// Nobody else writes the key of a file, so a put does; the store may have nothing else. It is
    /// one request, as every create.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        match (self.route)(key) {
            Some(Part::Files) => self.files.once.put(key, bytes).await,
            _ => self.log.create(key, bytes).await,
        }
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.of(key).put(key, bytes).await
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        self.of(key).get_within(key, bytes_max).await
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.of(key).get_range(key, range).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if let Some(part) = (self.route)(prefix) {
            return self.part(part).list(prefix, after, limit).await;
        }
        let log = self.log.list(prefix, after, limit);
        let files = self.files.bucket.list(prefix, after, limit);
        let (mut entries, files) = try_join(log, files).await?;
        entries.extend(files);
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries.truncate(limit);
        Ok(entries)
    }

    /// Of folders of both parts, those that the log has: whatever exists has been coordinated, and
    /// two stores need not have the same order.
    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.of(prefix).list_folders(prefix, names, limit).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let is_file = |key: &&Key| (self.route)(key) == Some(Part::Files);
        let (files, log): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(is_file);
        let owned = |keys: Vec<&Key>| keys.into_iter().cloned().collect::<Vec<Key>>();
        let (files, log) = (owned(files), owned(log));
        try_join(self.log.delete(&log), self.files.bucket.delete(&files)).await.map(drop)
    }

    fn store_time_ms(&self, of: Part) -> Option<i64> {
        self.part(of).store_time_ms(of)
    }

    fn store_time_error(&self) -> Duration {
        self.log.store_time_error().max(self.files.bucket.store_time_error())
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.log.is_gone(instance)
    }

    /// The place of the files, which name each other by it.
    fn location(&self) -> &str {
        self.files.bucket.location()
    }

    fn stores(&self) -> Option<Stores<'_>> {
        Some(Stores { log: self.log.as_ref(), files: self.files.bucket.as_ref() })
    }
}
