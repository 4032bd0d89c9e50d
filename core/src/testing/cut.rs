//! A server's access to its bucket, which ends as the access of a killed process does.

use std::collections::HashSet;
use std::future::{Future, pending};
use std::sync::{Arc, MutexGuard};

use tokio::sync::watch;
use uuid::Uuid;

use super::layer::{Layer, Operation, Rule, bucket_of_layer};
use crate::store::{Bucket, Key, StoreError};
use crate::sync::Mutex;

/// The processes that have ended, for a store that knows them, as a folder does and a bucket on the
/// network does not. Clones share one list.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::testing::Ended;
///
/// let ended = Ended::default();
/// let instance = Default::default();
/// assert!(!ended.has(instance));
/// ended.add(instance);
/// assert!(ended.clone().has(instance));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Ended(Arc<Mutex<HashSet<Uuid>>>);

impl Ended {
    /// Notes that the process has ended.
    pub fn add(&self, instance: Uuid) {
        self.0.lock().insert(instance);
    }

    /// Whether the process has ended.
    pub fn has(&self, instance: Uuid) -> bool {
        self.0.lock().contains(&instance)
    }
}

/// One server's access to a bucket. Once it is cut, requests of the server do not arrive and it gets
/// no responses: for the bucket and other servers, that is the same as `kill -9`.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory};
/// use dotdo::testing::{CutBucket, ManualClock};
/// use futures_util::FutureExt;
///
/// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
/// let access = CutBucket::around(memory.clone());
/// access.cut();
/// assert!(access.put(&Key::new("a/b"), "content".into()).now_or_never().is_none());
/// assert!(memory.get(&Key::new("a/b")).await?.is_none());
/// # Ok::<(), dotdo_core::StoreError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CutBucket {
    inner: Arc<dyn Bucket>,
    is_cut: watch::Sender<bool>,
    state: Mutex<State>,
    ended: Option<Ended>,
}

#[derive(Default)]
struct State {
    /// Number of requests after which it is cut.
    left: Option<u64>,
    /// It is cut by a request for which this returns true.
    cut_at: Option<Rule>,
    /// Requests for which this returns true are never sent.
    stalls: Option<Rule>,
}

impl CutBucket {
    /// Access to `inner`, until it is cut.
    pub fn around(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, is_cut: watch::Sender::new(false), state: Mutex::default(), ended: None }
    }

    /// Access to a store that knows which processes have `ended`.
    pub fn that_tells(inner: Arc<dyn Bucket>, ended: Ended) -> Self {
        Self { ended: Some(ended), ..Self::around(inner) }
    }

    /// Cuts it now.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Cuts it after `requests` more requests; the answer of the last one does not arrive.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use std::sync::Arc;
    ///
    /// use dotdo::engine::{Bucket, Key, Memory};
    /// use dotdo::testing::{CutBucket, ManualClock};
    /// use futures_util::FutureExt;
    ///
    /// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    /// let access = CutBucket::around(memory.clone());
    /// access.cut_after(1);
    /// assert!(access.put(&Key::new("a/b"), "content".into()).now_or_never().is_none());
    /// assert!(memory.get(&Key::new("a/b")).await?.is_some(), "it has arrived");
    /// # Ok::<(), dotdo_core::StoreError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cut_after(&self, requests: u64) {
        self.state().left = Some(requests);
        if requests == 0 {
            self.cut();
        }
    }

    /// Cuts it when the server is about to send a request for which `rule` returns true: the server
    /// crashes right before that request.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use std::sync::Arc;
    ///
    /// use dotdo::engine::{Bucket, Key, Memory};
    /// use dotdo::testing::{CutBucket, ManualClock, Operation};
    /// use futures_util::FutureExt;
    ///
    /// let memory = Arc::new(Memory::new(Arc::new(ManualClock::new())));
    /// let access = CutBucket::around(memory.clone());
    /// access.cut_at(|operation, key| operation == Operation::Put && key.as_str().ends_with("/b"));
    /// access.put(&Key::new("a/a"), "content".into()).await?;
    /// assert!(access.put(&Key::new("a/b"), "content".into()).now_or_never().is_none());
    /// assert!(access.is_cut() && memory.get(&Key::new("a/b")).await?.is_none());
    /// # Ok::<(), dotdo_core::StoreError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cut_at(&self, rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static) {
        self.state().cut_at = Some(Box::new(rule));
    }

    /// From now on, requests for which `rule` returns true are never sent; others are.
    pub fn stall(&self, rule: impl Fn(Operation, &Key) -> bool + Send + Sync + 'static) {
        self.state().stalls = Some(Box::new(rule));
    }

    /// Whether it is cut.
    pub fn is_cut(&self) -> bool {
        *self.is_cut.borrow()
    }

    /// Completes when it is cut.
    pub async fn until_cut(&self) {
        // The sender lives in `self`, so waiting can't fail.
        let _ = self.is_cut.subscribe().wait_for(|is_cut| *is_cut).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether a request gets to the store.
    fn arrives(&self, operation: Operation, key: &Key) -> bool {
        let mut state = self.state();
        let is_of = |rule: &Option<Rule>| rule.as_ref().is_some_and(|rule| rule(operation, key));
        if is_of(&state.stalls) {
            return false;
        }
        if is_of(&state.cut_at) {
            self.cut();
        }
        let arrives = !self.is_cut();
        if let Some(left) = state.left.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.cut();
            }
        }
        arrives
    }
}

impl Layer for CutBucket {
    fn inner(&self) -> &dyn Bucket {
        self.inner.as_ref()
    }

    async fn around<T: Send>(
        &self,
        operation: Operation,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if !self.arrives(operation, key) {
            return pending().await;
        }
        let answer = request.await;
        if self.is_cut() { pending().await } else { answer }
    }

    fn has_ended(&self, instance: Uuid) -> bool {
        match &self.ended {
            Some(ended) => ended.has(instance),
            None => self.inner.is_gone(instance),
        }
    }
}

bucket_of_layer!(CutBucket);
