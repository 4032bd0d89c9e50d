//! A bucket on whose way some operations have to wait, or fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::store::{Bucket, Entry, Key, StoreError, Stored};

/// How an operation gets to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Straight,
    /// It waits until [`Detour::release`].
    Wait,
    /// It does not, and the store is said to be unavailable.
    Fail,
    /// It does not, and the store says that the key exists.
    Conflict,
}

type Signpost = Box<dyn Fn(&'static str, &Key) -> Way + Send>;

/// A bucket on whose way some operations have to wait, or fail.
pub(crate) struct Detour {
    inner: Arc<dyn Bucket>,
    signpost: Mutex<Signpost>,
    waiting: Notify,
    released: Semaphore,
}

impl Detour {
    /// The way to `inner`; `signpost` is asked for each operation's way, by its name and its key.
    pub(crate) fn new(
        inner: Arc<dyn Bucket>,
        signpost: impl Fn(&'static str, &Key) -> Way + Send + 'static,
    ) -> Self {
        Self {
            inner,
            signpost: Mutex::new(Box::new(signpost)),
            waiting: Notify::new(),
            released: Semaphore::new(0),
        }
    }

    /// Completes when an operation waits.
    pub(crate) async fn waits(&self) {
        self.waiting.notified().await;
    }

    /// Lets everything go on, now and from now on.
    pub(crate) fn release(&self) {
        *self.signpost.lock().unwrap_or_else(PoisonError::into_inner) =
            Box::new(|_, _| Way::Straight);
        self.released.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn go(&self, operation: &'static str, key: &Key) -> Result<(), StoreError> {
        let way = (self.signpost.lock().unwrap_or_else(PoisonError::into_inner))(operation, key);
        if way == Way::Wait {
            self.waiting.notify_one();
            drop(self.released.acquire().await);
        }
        let reason = "it was sent away".to_owned();
        match way {
            Way::Fail => Err(StoreError::Unavailable { operation, key: key.clone(), reason }),
            Way::Conflict => Err(StoreError::Exists { key: key.clone() }),
            Way::Straight | Way::Wait => Ok(()),
        }
    }
}

#[async_trait]
impl Bucket for Detour {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.go("create", key).await?;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.go("put", key).await?;
        self.inner.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.go("get", key).await?;
        self.inner.get(key).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.go("list", prefix).await?;
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.inner.delete(keys).await
    }

    fn store_time_ms(&self) -> Option<i64> {
        self.inner.store_time_ms()
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
