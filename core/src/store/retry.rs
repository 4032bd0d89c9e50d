//! Retries, for a short time, operations that may be retried: reads, listings, plain puts and
//! deletes, but never a create.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{Bucket, Entry, Key, Names, Part, StoreError, Stored};
use crate::clock::{Clock, Random};
use crate::limits::{STORE_RETRY_PAUSE, STORE_RETRY_WITHIN, STORE_TRIES};

/// A bucket whose operations are retried when it is unavailable.
pub(crate) struct Retrying<B> {
    inner: B,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl<B: Bucket> Retrying<B> {
    pub(crate) fn new(inner: B, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { inner, clock, random }
    }

    async fn retried<T, F: Future<Output = Result<T, StoreError>> + Send>(
        &self,
        ask: impl Fn() -> F + Send,
    ) -> Result<T, StoreError> {
        let begin = self.clock.monotonic();
        let mut tries = 1;
        loop {
            let error = match ask().await {
                Err(error @ StoreError::Unavailable { .. }) => error,
                answer => return answer,
            };
            let spent = self.clock.monotonic().saturating_sub(begin);
            if tries >= STORE_TRIES || spent >= STORE_RETRY_WITHIN {
                return Err(error);
            }
            self.clock.sleep(self.pause(tries)).await;
            tries += 1;
        }
    }

    /// The pause doubles with every attempt. Half of it is random, so that servers do not retry at
    /// the same moment.
    fn pause(&self, tries: u32) -> Duration {
        let base = STORE_RETRY_PAUSE * 2_u32.pow(tries - 1);
        base + base * u32::from(self.random.bytes16()[0]) / 256
    }
}

#[async_trait]
impl<B: Bucket> Bucket for Retrying<B> {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.retried(|| self.inner.put(key, bytes.clone())).await
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        self.retried(|| self.inner.get_within(key, bytes_max)).await
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.retried(|| self.inner.get_range(key, range.clone())).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.retried(|| self.inner.list(prefix, after, limit)).await
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.retried(|| self.inner.list_folders(prefix, names, limit)).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.retried(|| self.inner.delete(keys)).await
    }

    fn store_time_ms(&self, of: Part) -> Option<i64> {
        self.inner.store_time_ms(of)
    }

    fn store_time_error(&self) -> Duration {
        self.inner.store_time_error()
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.inner.is_gone(instance)
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}
