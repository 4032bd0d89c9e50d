//! A bucket whose requests wait.

use std::future::Future;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::layer::{Layer, Operation, Rule, bucket_of_layer};
use crate::clock::Clock;
use crate::store::{Bucket, Key, StoreError};
use crate::sync::Mutex;

/// A bucket whose requests wait before they take effect: until the test releases them, or for a
/// fixed delay.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory};
/// use dotdo::testing::{ManualClock, Operation, SlowBucket};
///
/// let clock = Arc::new(ManualClock::new());
/// let bucket = Arc::new(SlowBucket::around(Arc::new(Memory::new(clock.clone())), clock));
/// bucket.hold(|operation, _| operation == Operation::Put);
/// let putting = tokio::spawn({
///     let bucket = bucket.clone();
///     async move { bucket.put(&Key::new("a/b"), "content".into()).await }
/// });
/// bucket.held().await;
/// assert!(bucket.get(&Key::new("a/b")).await?.is_none(), "it waits");
/// bucket.release();
/// putting.await.expect("no panic")?;
/// # Ok::<(), dotdo_core::StoreError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SlowBucket {
    inner: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Notified when a request waits.
    waiting: Notify,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    delay: Duration,
    gives_way: Option<Rule>,
}

/// Requests that wait, and the semaphore that releases them.
struct Held {
    rule: Rule,
    released: Arc<Semaphore>,
}

impl SlowBucket {
    /// A bucket that is as fast as `inner` until requests are held or delayed; delays are by
    /// `clock`.
    pub fn around(inner: Arc<dyn Bucket>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, state: Mutex::default(), waiting: Notify::new() }
    }

    /// Requests for which `rule` returns true wait until [`release`](SlowBucket::release). It
    /// replaces an earlier rule, whose requests continue.
    pub fn hold(&self, rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static) {
        let held = Held { rule: Box::new(rule), released: Arc::new(Semaphore::new(0)) };
        if let Some(earlier) = self.state().held.replace(held) {
            earlier.released.close();
        }
    }

    /// Completes when a request waits, or has waited since this last completed.
    pub async fn held(&self) {
        self.waiting.notified().await;
    }

    /// Releases all waiting requests, and holds none from now on.
    pub fn release(&self) {
        if let Some(held) = self.state().held.take() {
            held.released.close();
        }
    }

    /// Delays every request; with zero it is as fast as the wrapped bucket.
    pub fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Lets other tasks run before each request for which `rule` returns true takes effect.
    pub fn give_way(&self, rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static) {
        self.state().gives_way = Some(Box::new(rule));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Layer for SlowBucket {
    fn inner(&self) -> &dyn Bucket {
        self.inner.as_ref()
    }

    async fn around<T: Send>(
        &self,
        operation: Operation,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let is_of = |rule: &Rule| rule(operation, key);
        let (released, delay, gives_way) = {
            let state = self.state();
            let held = state.held.as_ref().filter(|held| is_of(&held.rule));
            let gives_way = state.gives_way.as_ref().is_some_and(is_of);
            (held.map(|held| held.released.clone()), state.delay, gives_way)
        };
        if let Some(released) = released {
            self.waiting.notify_one();
            // It has no permits: it is closed, which is the release.
            drop(released.acquire().await);
        }
        if !delay.is_zero() {
            self.clock.sleep(delay).await;
        }
        if gives_way {
            tokio::task::yield_now().await;
        }
        request.await
    }
}

bucket_of_layer!(SlowBucket);
