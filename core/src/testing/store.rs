//! A store in memory with everything around it that a test may want.

use std::future::Future;
use std::sync::Arc;

use super::faulty::{Fault, FaultyBucket};
use super::layer::{Layer, Operation, bucket_of_layer};
use super::recording::RecordingBucket;
use super::slow::SlowBucket;
use crate::clock::Clock;
use crate::store::{Bucket, Key, Memory, StoreError};

/// A store in memory that records, waits and fails as a test asks: a request is recorded, then
/// waits, then fails or takes effect.
pub struct TestStore {
    /// The content, without anything around it.
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

    /// What was asked of it.
    pub fn record(&self) -> &RecordingBucket {
        &self.record
    }

    /// What makes requests fail.
    pub fn faults(&self) -> &FaultyBucket {
        &self.faults
    }

    /// What makes requests wait.
    pub fn slowness(&self) -> &SlowBucket {
        &self.slowness
    }

    /// [`FaultyBucket::fail_next_commits`].
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

    /// How many creates were asked for of keys that contain `part`.
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
