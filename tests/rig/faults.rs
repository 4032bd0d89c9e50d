//! A bucket that fails on demand, around any other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{Bucket, Entry, Key, StoreError, Stored};
use uuid::Uuid;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It comes late.
    Delay(Duration),
    /// It is never sent; the caller is told that the store is unavailable.
    Before,
    /// It takes effect, and the answer is lost.
    After,
    /// It takes effect, and the answer never comes.
    Hang,
    /// It takes effect, and the caller is told that the key exists (as a retry in a layer below
    /// would).
    ExistsAfter,
}

/// A bucket whose requests go wrong as planned.
pub struct Faulty {
    inner: Arc<dyn Bucket>,
    is_out: AtomicBool,
    plan: Mutex<VecDeque<(&'static str, Fault)>>,
}

impl Faulty {
    /// A bucket that does what `inner` does, until told otherwise.
    pub fn new(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, is_out: AtomicBool::new(false), plan: Mutex::default() }
    }

    /// The next request of `operation` (`create`, `put`, `get`, `list`, `delete`) that has no plan
    /// yet meets `fault`.
    pub fn next(&self, operation: &'static str, fault: Fault) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).push_back((operation, fault));
    }

    /// Takes the store away, or gives it back.
    pub fn outage(&self, is_out: bool) {
        self.is_out.store(is_out, Ordering::SeqCst);
    }

    fn planned(&self, operation: &'static str) -> Fault {
        if self.is_out.load(Ordering::SeqCst) {
            return Fault::Before;
        }
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let next = plan.iter().position(|(planned, _)| *planned == operation);
        next.and_then(|next| plan.remove(next)).map_or(Fault::None, |(_, fault)| fault)
    }

    async fn faulty<T: Send>(
        &self,
        operation: &'static str,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.planned(operation);
        let unavailable = |reason: &str| StoreError::Unavailable {
            operation,
            key: key.clone(),
            reason: reason.to_owned(),
        };
        match fault {
            Fault::None => return request.await,
            Fault::Before => return Err(unavailable("planned: not sent")),
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::After | Fault::Hang | Fault::ExistsAfter => {}
        }
        let answer = request.await;
        match fault {
            Fault::After => Err(unavailable("planned: the answer was lost")),
            Fault::Hang => std::future::pending().await,
            Fault::ExistsAfter => Err(StoreError::Exists { key: key.clone() }),
            _ => answer,
        }
    }
}

#[async_trait]
impl Bucket for Faulty {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.faulty("create", key, self.inner.create(key, bytes)).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.faulty("put", key, self.inner.put(key, bytes)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.faulty("get", key, self.inner.get(key)).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.faulty("list", prefix, self.inner.list(prefix, after, limit)).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let first = keys.first().cloned().unwrap_or_else(|| Key::new(""));
        self.faulty("delete", &first, self.inner.delete(keys)).await
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
