//! A bucket in memory, for tests, simulations and experiments, with an injected clock.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{Bucket, Entry, Key, Part, StoreError, Stored};
use crate::clock::Clock;
use crate::sync::Mutex;

/// A bucket in memory. Servers that share the same one (an `Arc`) share its objects.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory};
/// use dotdo::testing::ManualClock;
///
/// let clock = Arc::new(ManualClock::starting_at(1_767_225_600_000));
/// let bucket = Memory::new(clock);
/// bucket.put(&Key::new("report"), "3 orders".into()).await?;
/// let stored = bucket.get(&Key::new("report")).await?.expect("it was put");
/// assert_eq!(stored.modified_ms, 1_767_225_600_000);
/// # Ok(())
/// # });
/// ```
pub struct Memory {
    clock: Arc<dyn Clock>,
    objects: Mutex<BTreeMap<Key, Stored>>,
}

impl Memory {
    /// An empty bucket whose own clock is `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, objects: Mutex::new(BTreeMap::new()) }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<Key, Stored>> {
        self.objects.lock()
    }

    fn stored(&self, bytes: Bytes) -> Stored {
        Stored { bytes, modified_ms: self.clock.wall_ms() }
    }
}

/// What an object of these bytes has in a range.
pub(super) fn part_of(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
    let (begin, end) = (at(range.start), at(range.end));
    bytes.slice(begin..end.max(begin))
}

#[async_trait]
impl Bucket for Memory {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Err(StoreError::Exists { key: key.clone() });
        }
        objects.insert(key.clone(), self.stored(bytes));
        Ok(())
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let stored = self.stored(bytes);
        self.objects().insert(key.clone(), stored);
        Ok(())
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let found = self.objects().get(key).cloned();
        found.map(|stored| stored.within(key, bytes_max)).transpose()
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        Ok(self.objects().get(key).map(|stored| part_of(&stored.bytes, &range)))
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let below = prefix.below();
        let from = match after {
            Some(after) if after.as_str() >= below.as_str() => Bound::Excluded(after.clone()),
            _ => Bound::Included(Key::new(below.clone())),
        };
        let objects = self.objects();
        let within = objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(&below));
        let entry = |(key, stored): (&Key, &Stored)| Entry {
            key: key.clone(),
            bytes: stored.bytes.len() as u64,
            modified_ms: stored.modified_ms,
        };
        Ok(within.take(limit).map(entry).collect())
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let mut objects = self.objects();
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        Some(self.clock.wall_ms())
    }

    fn store_time_error(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn is_gone(&self, _instance: Uuid) -> bool {
        false
    }

    fn location(&self) -> &str {
        "memory://"
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("objects", &self.objects().len()).finish()
    }
}
