//! A bucket whose requests fail as planned.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::layer::{Layer, Operation, Rule, bucket_of_layer};
use crate::store::{Bucket, Key, Part, StoreError};
use crate::sync::Mutex;

/// A fault of one request.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, StoreError};
/// use dotdo::testing::{Fault, ManualClock, Operation, TestStore};
///
/// let store = TestStore::new(Arc::new(ManualClock::new()));
/// store.faults().fail_next(Operation::Create, [Fault::AppliedButExists]);
/// let error = store.create(&Key::new("report"), "3 orders".into()).await.unwrap_err();
/// assert!(matches!(error, StoreError::Exists { .. }));
/// assert!(store.get(&Key::new("report")).await?.is_some(), "and it is one's own");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it works.
    None,
    /// It takes effect, and the response is lost: the caller gets an error (unavailable).
    LostAnswer,
    /// It takes effect, and the response never arrives.
    NoAnswer,
    /// It takes effect, and the store responds that the key exists, as after a retry by a proxy.
    AppliedButExists,
    /// It has no effect, and the caller gets an error (unavailable).
    NotApplied,
    /// It has no effect, and the store responds that the key exists (a 409 without a winner).
    ConflictWithoutWinner,
    /// The store refuses permanently.
    Refused,
}

/// A bucket whose requests fail as a test plans it; all others work.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory};
/// use dotdo::testing::{Fault, FaultyBucket, ManualClock, Operation};
///
/// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
/// let bucket = FaultyBucket::around(memory);
/// bucket.fail_next(Operation::Put, [Fault::LostAnswer]);
/// let key = Key::new("a/b");
/// assert!(bucket.put(&key, "content".into()).await.is_err());
/// assert!(bucket.get(&key).await?.is_some(), "it was stored nevertheless");
/// # Ok::<(), dotdo_core::StoreError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FaultyBucket {
    inner: Arc<dyn Bucket>,
    planned: Mutex<VecDeque<(Rule, Fault)>>,
    standing: Mutex<Option<(Rule, Fault)>>,
    /// How far the dates of its responses are ahead of the dates that it gives to objects.
    ahead_ms: AtomicI64,
}

impl FaultyBucket {
    /// A bucket that works like `inner` until faults are planned.
    pub fn around(inner: Arc<dyn Bucket>) -> Self {
        Self {
            inner,
            planned: Mutex::default(),
            standing: Mutex::default(),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// The next requests of `operation` meet these faults, in order, after those that are planned
    /// already.
    pub fn fail_next(&self, operation: Operation, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.plan(move |asked, _| asked == operation, fault));
    }

    /// The next creates of records, which commit requests, meet these faults, in order.
    pub fn fail_next_commits(&self, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.plan(Operation::is_commit, fault));
    }

    fn plan(&self, rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static, fault: Fault) {
        let mut planned = self.planned.lock();
        planned.push_back((Box::new(rule), fault));
    }

    /// Every request for which `rule` returns true meets `fault`, until
    /// [`heal`](FaultyBucket::heal). It replaces an earlier rule.
    pub fn fail_while(
        &self,
        rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static,
        fault: Fault,
    ) {
        *self.standing.lock() = Some((Box::new(rule), fault));
    }

    /// Makes the store unreachable until [`heal`](FaultyBucket::heal).
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use std::sync::Arc;
    ///
    /// use dotdo::engine::{Bucket, Key, Memory};
    /// use dotdo::testing::{FaultyBucket, ManualClock};
    ///
    /// let bucket = FaultyBucket::around(Arc::new(Memory::new(Arc::new(ManualClock::new()))));
    /// bucket.outage();
    /// assert!(bucket.get(&Key::new("a/b")).await.is_err());
    /// bucket.heal();
    /// assert!(bucket.get(&Key::new("a/b")).await?.is_none());
    /// # Ok::<(), dotdo_core::StoreError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outage(&self) {
        self.fail_while(|_, _| true, Fault::NotApplied);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        *self.standing.lock() = None;
        self.planned.lock().clear();
    }

    /// Sets the dates of the store's responses ahead of those of its objects; a negative number sets
    /// them behind.
    pub fn set_dates_ahead_ms(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::SeqCst);
    }

    fn fault_of(&self, operation: Operation, key: &Key) -> Fault {
        let standing = self.standing.lock();
        if let Some((rule, fault)) = standing.as_ref()
            && rule(operation, key)
        {
            return *fault;
        }
        drop(standing);
        let mut planned = self.planned.lock();
        let next = planned.iter().position(|(rule, _)| rule(operation, key));
        next.and_then(|next| planned.remove(next)).map_or(Fault::None, |(_, fault)| fault)
    }
}

impl Layer for FaultyBucket {
    fn inner(&self) -> &dyn Bucket {
        self.inner.as_ref()
    }

    async fn around<T: Send>(
        &self,
        operation: Operation,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.fault_of(operation, key) {
            Fault::None => request.await,
            Fault::LostAnswer => {
                request.await?;
                Err(operation.unavailable(key, "the answer was lost, as planned"))
            }
            Fault::NoAnswer => {
                request.await?;
                pending().await
            }
            Fault::AppliedButExists => {
                request.await?;
                Err(StoreError::Exists { key: key.clone() })
            }
            Fault::NotApplied => Err(operation.unavailable(key, "not sent, as planned")),
            Fault::ConflictWithoutWinner => Err(StoreError::Exists { key: key.clone() }),
            Fault::Refused => Err(StoreError::Refused {
                operation: operation.name(),
                key: key.clone(),
                reason: "no permission, as planned".to_owned(),
            }),
        }
    }

    fn time_ms(&self, of: Part) -> Option<i64> {
        self.inner.store_time_ms(of).map(|at_ms| at_ms + self.ahead_ms.load(Ordering::SeqCst))
    }

    fn time_error(&self) -> Duration {
        self.inner.store_time_error()
    }
}

bucket_of_layer!(FaultyBucket);
