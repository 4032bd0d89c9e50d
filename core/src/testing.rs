//! What the core's own tests share: a clock that stands still until it is moved, countable
//! randomness, and a store that misbehaves on request.

pub(crate) mod detour;
#[expect(
    unreachable_pub,
    reason = "the file is shared with the tests that go through the front door"
)]
#[path = "../../tests/rig/random_sql.rs"]
pub(crate) mod random_sql;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Clock, Random};
use crate::store::{Bucket, Entry, Key, Memory, StoreError, Stored};

/// A process's clocks, which move only when they are told to; and the clock of a store beside it.
pub(crate) struct ManualClock {
    hands: watch::Sender<Hands>,
    /// A sleeper moves the clocks on by itself.
    sleep_moves: bool,
}

/// What the clocks show.
#[derive(Clone, Copy)]
struct Hands {
    monotonic: Duration,
    wall_ms: i64,
    store_ms: i64,
}

impl Default for ManualClock {
    fn default() -> Self {
        let start_ms = 1_700_000_000_000;
        Self {
            hands: watch::Sender::new(Hands {
                monotonic: Duration::ZERO,
                wall_ms: start_ms,
                store_ms: start_ms,
            }),
            sleep_moves: false,
        }
    }
}

impl ManualClock {
    /// A clock that whoever sleeps moves on; for code that runs alone.
    pub(crate) fn moved_by_sleep() -> Self {
        Self { sleep_moves: true, ..Self::default() }
    }

    /// Moves all clocks on.
    pub(crate) fn advance(&self, duration: Duration) {
        self.hands.send_modify(|hands| {
            hands.monotonic += duration;
            hands.wall_ms += millis(duration);
            hands.store_ms += millis(duration);
        });
    }

    /// Time passes while the process is frozen, and neither of its clocks has noticed.
    pub(crate) fn pass_unnoticed(&self, duration: Duration) {
        self.hands.send_modify(|hands| hands.store_ms += millis(duration));
    }

    /// Somebody sets the machine's clock.
    pub(crate) fn set_wall(&self, forward_ms: i64) {
        self.hands.send_modify(|hands| hands.wall_ms += forward_ms);
    }

    /// The clock of the store.
    pub(crate) fn of_store(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(StoreClock(self.clone()))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a short time")
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.hands.borrow().monotonic
    }

    fn wall_ms(&self) -> i64 {
        self.hands.borrow().wall_ms
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.monotonic() + duration;
        Box::pin(async move {
            if self.sleep_moves {
                self.advance(duration);
            }
            let mut hands = self.hands.subscribe();
            // The sender lives in `self`, so waiting can't fail.
            let _ = hands.wait_for(|hands| hands.monotonic >= until).await;
        })
    }
}

/// What the store that a [`ManualClock`] belongs to has on its wall.
struct StoreClock(Arc<ManualClock>);

impl Clock for StoreClock {
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn wall_ms(&self) -> i64 {
        let Hands { store_ms, .. } = *self.0.hands.borrow();
        store_ms
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.sleep(duration)
    }
}

/// Counts up; every value is different.
pub(crate) struct CountingRandom {
    base: u128,
    count: AtomicU64,
}

impl CountingRandom {
    /// Counts up from `base`.
    pub(crate) fn starting_at(base: u128) -> Self {
        Self { base, count: AtomicU64::new(0) }
    }
}

impl Random for CountingRandom {
    fn bytes16(&self) -> [u8; 16] {
        (self.base + u128::from(self.count.fetch_add(1, Ordering::SeqCst))).to_be_bytes()
    }
}

/// What happens to one create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It works.
    None,
    /// It takes effect, and the answer is lost.
    LostAnswer,
    /// It takes effect, and the store answers that the key exists (as after a retry inside the
    /// path).
    AppliedButExists,
    /// Nothing happens, and the answer is an error.
    NotApplied,
    /// Nothing happens, and the store answers that the key exists (a 409 without a winner).
    ConflictWithoutWinner,
    /// The store refuses for good.
    Refused,
}

/// Sees the key of each create before it takes effect.
type CreateHook = Box<dyn FnMut(&Key) + Send>;

/// Sees the operation and the key of each request before it takes effect.
type RequestHook = Box<dyn FnMut(&'static str, &Key) + Send>;

/// A memory bucket whose creates of log records go wrong as scripted; unscripted ones work.
pub(crate) struct FaultyBucket {
    pub(crate) memory: Memory,
    script: Mutex<VecDeque<Fault>>,
    /// Runs before each create takes effect.
    before_create: Mutex<Option<CreateHook>>,
    /// Whether other tasks go on before each create takes effect.
    gives_way: AtomicBool,
    /// Runs before each request takes effect, besides creates of records.
    before: Mutex<Option<RequestHook>>,
    /// How far the dates in the store's answers are ahead of the dates that it gives to what is
    /// written.
    pub(crate) ahead_ms: AtomicI64,
    /// Keys of all creates, in order.
    created: Mutex<Vec<Key>>,
    /// Listings wait while this is set.
    lists_wait: watch::Sender<bool>,
}

impl FaultyBucket {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            memory: Memory::new(clock),
            script: Mutex::default(),
            before_create: Mutex::default(),
            gives_way: AtomicBool::new(false),
            before: Mutex::default(),
            ahead_ms: AtomicI64::new(0),
            created: Mutex::default(),
            lists_wait: watch::Sender::new(false),
        }
    }

    /// The next creates go wrong like this, in order.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    /// How many creates were asked for of keys that contain `part`.
    pub(crate) fn creates_of(&self, part: &str) -> u64 {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created.iter().filter(|key| key.as_str().contains(part)).count() as u64
    }

    /// Holds listings before they take effect, or lets them go.
    pub(crate) fn lists_wait(&self, wait: bool) {
        self.lists_wait.send_replace(wait);
    }

    /// Lets other tasks go on before each create of a log record takes effect.
    pub(crate) fn give_way_before_creates(&self) {
        self.gives_way.store(true, Ordering::Relaxed);
    }

    /// Calls `hook` with the operation and the key before each request takes effect, besides
    /// creates of records.
    pub(crate) fn before(&self, hook: impl FnMut(&'static str, &Key) + Send + 'static) {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    fn asked(&self, operation: &'static str, key: &Key) {
        if let Some(hook) = self.before.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hook(operation, key);
        }
    }

    /// Calls `hook` with the key before each create of a record takes effect.
    pub(crate) fn before_create(&self, hook: impl FnMut(&Key) + Send + 'static) {
        *self.before_create.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }
}

fn lost(key: &Key) -> StoreError {
    StoreError::Unavailable {
        operation: "create",
        key: key.clone(),
        reason: "the answer was lost".to_owned(),
    }
}

#[async_trait]
impl Bucket for FaultyBucket {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        if !key.as_str().contains("/log/") {
            self.asked("create", key);
            return self.memory.create(key, bytes).await;
        }
        if self.gives_way.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        if let Some(hook) =
            self.before_create.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            hook(key);
        }
        let fault = self
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
            .unwrap_or(Fault::None);
        match fault {
            Fault::None => self.memory.create(key, bytes).await,
            Fault::LostAnswer => {
                self.memory.create(key, bytes).await?;
                Err(lost(key))
            }
            Fault::AppliedButExists => {
                self.memory.create(key, bytes).await?;
                Err(StoreError::Exists { key: key.clone() })
            }
            Fault::NotApplied => Err(lost(key)),
            Fault::ConflictWithoutWinner => Err(StoreError::Exists { key: key.clone() }),
            Fault::Refused => Err(StoreError::Refused {
                operation: "create",
                key: key.clone(),
                reason: "no permission".to_owned(),
            }),
        }
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.memory.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.asked("get", key);
        self.memory.get(key).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        // The sender lives in `self`, so waiting can't fail.
        let _ = self.lists_wait.subscribe().wait_for(|wait| !wait).await;
        self.asked("list", prefix);
        self.memory.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.memory.delete(keys).await
    }

    fn store_time_ms(&self) -> Option<i64> {
        self.memory.store_time_ms().map(|at_ms| at_ms + self.ahead_ms.load(Ordering::SeqCst))
    }

    fn store_time_error(&self) -> Duration {
        self.memory.store_time_error()
    }

    fn is_gone(&self, _instance: Uuid) -> bool {
        false
    }

    fn location(&self) -> &str {
        self.memory.location()
    }
}
