//! A bucket that records its requests.

use std::future::Future;
use std::sync::Arc;

use super::layer::{Layer, Operation, bucket_of_layer};
use crate::store::{Bucket, Key, StoreError};
use crate::sync::Mutex;

/// A request to a store. [`RecordingBucket`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The operation.
    pub operation: Operation,
    /// The key.
    pub key: Key,
}

/// A function that is called for each request.
type Observer = Box<dyn FnMut(Operation, &Key) + Send>;

/// A bucket that records every request in order, and calls an observer.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory};
/// use dotdo::testing::{ManualClock, Operation, RecordingBucket};
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
    /// A bucket that records the requests to `inner`.
    pub fn around(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, recorded: Mutex::default(), observer: Mutex::default() }
    }

    /// Every request so far, in order.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().clone()
    }

    /// Every request since this was last called.
    pub fn take_recorded(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.recorded.lock())
    }

    /// Number of requests of `operation` for keys that contain `part`.
    pub fn count(&self, operation: Operation, part: &str) -> u64 {
        let recorded = self.recorded.lock();
        let counts = |request: &&Recorded| {
            request.operation == operation && request.key.as_str().contains(part)
        };
        recorded.iter().filter(counts).count() as u64
    }

    /// Calls `observer` before each request takes effect. It may use the wrapped bucket, but not
    /// this one.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use std::sync::{Arc, mpsc};
    ///
    /// use dotdo::engine::{Bucket, Key, Memory};
    /// use dotdo::testing::{ManualClock, RecordingBucket};
    ///
    /// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    /// let bucket = RecordingBucket::around(memory);
    /// let (send, seen) = mpsc::channel();
    /// bucket
    ///     .observe(move |operation, _| send.send(operation.name()).expect("the test listens"));
    /// bucket.get(&Key::new("a/b")).await?;
    /// assert_eq!(seen.recv().expect("one request"), "get");
    /// # Ok::<(), dotdo_core::StoreError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe(&self, observer: impl FnMut(Operation, &Key) + Send + 'static) {
        *self.observer.lock() = Some(Box::new(observer));
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
        self.recorded.lock().push(recorded);
        if let Some(observer) = self.observer.lock().as_mut() {
            observer(operation, key);
        }
        request.await
    }
}

bucket_of_layer!(RecordingBucket);
