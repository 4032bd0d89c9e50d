//! A store in memory with all the wrappers that a test may need.

use std::future::Future;
use std::sync::Arc;

use super::faulty::{Fault, FaultyBucket};
use super::layer::{Layer, Operation, bucket_of_layer};
use super::recording::RecordingBucket;
use super::slow::SlowBucket;
use crate::clock::Clock;
use crate::store::{Bucket, Key, Memory, StoreError};

/// A store in memory that records, delays and fails requests as a test plans it: a request is
/// recorded, then waits, then fails or takes effect.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key};
/// use dotdo::testing::{Fault, ManualClock, Operation, TestStore};
///
/// let store = TestStore::new(Arc::new(ManualClock::new()));
/// store.faults().fail_next(Operation::Get, [Fault::NotApplied]);
/// assert!(store.get(&Key::new("a/b")).await.is_err());
/// assert!(store.get(&Key::new("a/b")).await?.is_none());
/// assert_eq!(store.record().count(Operation::Get, "a/"), 2);
/// # Ok::<(), dotdo_core::StoreError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestStore {
    /// The store itself, without the wrappers.
    pub memory: Arc<Memory>,
    faults: Arc<FaultyBucket>,
    slowness: Arc<SlowBucket>,
    record: RecordingBucket,
}

impl TestStore {
    /// An empty store whose own clock is `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let memory = Arc::new(Memory::new(clock.clone()));
        let faults = Arc::new(FaultyBucket::around(memory.clone()));
        let slowness = Arc::new(SlowBucket::around(faults.clone(), clock));
        let record = RecordingBucket::around(slowness.clone());
        Self { memory, faults, slowness, record }
    }

    /// The recorded requests.
    pub fn record(&self) -> &RecordingBucket {
        &self.record
    }

    /// The wrapper that makes requests fail.
    pub fn faults(&self) -> &FaultyBucket {
        &self.faults
    }

    /// The wrapper that makes requests wait.
    pub fn slowness(&self) -> &SlowBucket {
        &self.slowness
    }

    /// Makes the next commits fail ([`FaultyBucket::fail_next_commits`]).
    pub fn fail_next_commits(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.fail_next_commits(faults);
    }

    /// Calls `hook` with the key before each create of a record takes effect.
    pub fn before_commits(&self, mut hook: impl FnMut(&Key) + Send + 'static) {
        self.record.observe(move |operation, key| {
            if operation.is_commit(key) {
                hook(key);
            }
        });
    }

    /// Number of creates of keys that contain `part`.
    pub fn creates_of(&self, part: &str) -> u64 {
        self.record.count(Operation::Create, part)
    }
}

impl Layer for TestStore {
    fn inner(&self) -> &dyn Bucket {
        &self.record
    }

    async fn around<T: Send>(
        &self,
        _: Operation,
        _: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        request.await
    }
}

bucket_of_layer!(TestStore);
