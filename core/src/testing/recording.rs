//! A bucket that remembers what it was asked.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use super::layer::{Layer, Operation, bucket_of_layer};
use crate::store::{Bucket, Key, StoreError};

/// A request to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What was asked.
    pub operation: Operation,
    /// Of which key.
    pub key: Key,
}

/// Is called with each request.
type Observer = Box<dyn FnMut(Operation, &Key) + Send>;

/// A bucket that remembers every request in order, and lets a test look on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo_core::testing::{ManualClock, Operation, RecordingBucket};
/// use dotdo_core::{Bucket, Key, Memory};
///
/// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
/// let bucket = RecordingBucket::around(memory);
/// bucket.put(&Key::new("a/b"), "content".into()).await?;
/// assert_eq!(bucket.count(Operation::Put, "a/"), 1);
/// assert_eq!(bucket.recorded()[0].key.as_str(), "a/b");
/// # Ok::<(), dotdo_core::StoreError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordingBucket {
    inner: Arc<dyn Bucket>,
    recorded: Mutex<Vec<Recorded>>,
    observer: Mutex<Option<Observer>>,
}

impl RecordingBucket {
    /// Remembers what is asked of `inner`.
    pub fn around(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, recorded: Mutex::default(), observer: Mutex::default() }
    }

    /// Every request so far, in order.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every request since this was last called.
    pub fn take_recorded(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.recorded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often `operation` was asked of keys that contain `part`.
    pub fn count(&self, operation: Operation, part: &str) -> u64 {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |request: &&Recorded| {
            request.operation == operation && request.key.as_str().contains(part)
        };
        recorded.iter().filter(counts).count() as u64
    }

    /// Calls `observer` before each request takes effect. It may use the wrapped bucket, not this
    /// one.
    pub fn observe(&self, observer: impl FnMut(Operation, &Key) + Send + 'static) {
        *self.observer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(observer));
    }
}

impl Layer for RecordingBucket {
    fn inner(&self) -> &dyn Bucket {
        self.inner.as_ref()
    }

    async fn around<T: Send>(
        &self,
        operation: Operation,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let recorded = Recorded { operation, key: key.clone() };
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        if let Some(observer) =
            self.observer.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            observer(operation, key);
        }
        request.await
    }
}

bucket_of_layer!(RecordingBucket);
