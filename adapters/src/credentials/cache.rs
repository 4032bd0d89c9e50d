//! Keys that are kept, and renewed before they end.
//!
//! Promises: at most one exchange at a time, in a task of its own, so that whoever waits for it may
//! stop waiting; keys are used until they end, by whichever clock says that first; keys that the
//! store has refused are not used again.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use dotdo_core::sync::Mutex;
use dotdo_core::{AccessKeyProvider, AccessKeys, AccessKeysError, Clock, Instant};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::answer::Fresh;
use super::client::EXCHANGE_MAX;

/// Keys are renewed when this part of their time is left: enough for many attempts.
const RENEWED_WHEN_LEFT: u32 = 5;

/// Pause after a failed renewal while the old keys are still valid.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// Pause after a failed exchange while there are no keys: requests in that time fail at once. Also
/// the pause between two exchanges because the store refuses the keys.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(1);

/// Whoever gives new keys.
#[async_trait]
pub(super) trait KeySource: Send + Sync + 'static {
    /// New keys.
    async fn fetch(&self) -> Result<Fresh, AccessKeysError>;

    /// Its name in messages.
    fn name(&self) -> String;
}

/// The outcome of an exchange.
type Outcome = Result<Arc<AccessKeys>, AccessKeysError>;

/// An exchange under way, for all that wait for it.
type Renewal = Shared<BoxFuture<'static, Outcome>>;

/// The keys of one source. It is a handle: clones are the same keys.
#[derive(Clone)]
pub(super) struct RenewedKeys(Arc<Inner>);

struct Inner {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    renewal: Option<Renewal>,
    failed: Option<(Instant, AccessKeysError)>,
    /// The newest exchange that began because the store refused keys.
    after_refusal: Option<Instant>,
}

/// Keys, and how long they are valid.
struct Held {
    keys: Arc<AccessKeys>,
    /// Before the exchange that gave them.
    since: Instant,
    lifetime: Duration,
    is_refused: bool,
}

/// What a request does for its keys.
enum Next {
    Use(Arc<AccessKeys>),
    Wait(Renewal),
    Fail(AccessKeysError),
}

impl RenewedKeys {
    /// Keys of `source`; the first exchange begins with the first request.
    pub(super) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { source, clock, state: Mutex::default() }))
    }
}

#[async_trait]
impl AccessKeyProvider for RenewedKeys {
    async fn keys(&self) -> Outcome {
        let next = self.0.next();
        match next {
            Next::Use(keys) => Ok(keys),
            Next::Wait(renewal) => renewal.await,
            Next::Fail(error) => Err(error),
        }
    }

    fn refused(&self, access_key_id: &str) {
        let mut state = self.0.state();
        if let Some(held) = &mut state.held
            && held.keys.access_key_id == access_key_id
            && !held.is_refused
        {
            held.is_refused = true;
            tracing::warn!(
                from = self.0.source.name(),
                "the store refuses the keys; renewing them"
            );
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Consistent between any two statements.
        self.state.lock()
    }

    fn next(self: &Arc<Self>) -> Next {
        let mut state = self.state();
        let clock = self.clock.as_ref();
        let within = |since: &Instant, pause| since.elapsed_at_least(clock) < pause;
        match state.held.as_ref().filter(|held| held.is_valid(clock)) {
            Some(held) => {
                let keys = Arc::clone(&held.keys);
                let pauses = state.failed.as_ref().is_some_and(|(at, _)| within(at, RENEWAL_PAUSE));
                if held.is_due(clock) && !pauses {
                    // Its task runs by itself; nobody waits for it.
                    drop(self.renewal(&mut state));
                }
                Next::Use(keys)
            }
            None => {
                if let Some((_, error)) =
                    state.failed.as_ref().filter(|(at, _)| within(at, EXCHANGE_PAUSE))
                {
                    return Next::Fail(error.clone());
                }
                if state.held.as_ref().is_some_and(|held| held.is_refused) {
                    if state.after_refusal.as_ref().is_some_and(|at| within(at, EXCHANGE_PAUSE))
                        && !state.is_renewing()
                    {
                        return Next::Fail(self.refused_again());
                    }
                    state.after_refusal = Some(Instant::now(clock));
                }
                Next::Wait(self.renewal(&mut state))
            }
        }
    }

    /// The exchange under way, which begins now if there is none.
    fn renewal(self: &Arc<Self>, state: &mut State) -> Renewal {
        if let Some(renewal) = state.renewal.as_ref().filter(|_| state.is_renewing()) {
            return renewal.clone();
        }
        let inner = Arc::clone(self);
        let task = tokio::spawn(async move { inner.renew().await });
        let ended = |_| AccessKeysError::Unavailable("the program is stopping".to_owned());
        let renewal = async move { task.await.map_err(ended)? }.boxed().shared();
        state.renewal = Some(renewal.clone());
        renewal
    }

    async fn renew(&self) -> Outcome {
        let (since, now_ms) = (Instant::now(self.clock.as_ref()), self.clock.wall_ms());
        let fetching = AssertUnwindSafe(self.source.fetch()).catch_unwind();
        let fetched = tokio::select! {
            fetched = fetching => fetched.unwrap_or_else(|_| Err(self.unavailable("panics"))),
            () = self.clock.sleep(EXCHANGE_MAX) => {
                Err(self.unavailable(&format!("gives no keys within {} s", EXCHANGE_MAX.as_secs())))
            }
        };
        let outcome = fetched.and_then(|fresh| self.hold(fresh, since, now_ms));
        let mut state = self.state();
        state.renewal = None;
        match outcome {
            Ok(held) => {
                let keys = Arc::clone(&held.keys);
                count("ok");
                tracing::debug!(
                    from = self.source.name(),
                    valid_seconds = held.lifetime.as_secs(),
                    "new keys for the store"
                );
                (state.held, state.failed) = (Some(held), None);
                Ok(keys)
            }
            Err(error) => {
                self.report(&error, state.held.as_ref());
                state.failed = Some((Instant::now(self.clock.as_ref()), error.clone()));
                Err(error)
            }
        }
    }

    fn hold(&self, fresh: Fresh, since: Instant, now_ms: i64) -> Result<Held, AccessKeysError> {
        let left_ms = u64::try_from(fresh.ends_ms.saturating_sub(now_ms)).unwrap_or(0);
        if left_ms == 0 {
            return Err(self.unavailable(
                "gives keys that have already ended by the clock of this machine; check the clock",
            ));
        }
        let (keys, lifetime) = (Arc::new(fresh.keys), Duration::from_millis(left_ms));
        Ok(Held { keys, since, lifetime, is_refused: false })
    }

    fn report(&self, error: &AccessKeysError, held: Option<&Held>) {
        count(match error {
            AccessKeysError::Unavailable(_) => "unavailable",
            AccessKeysError::Refused(_) => "refused",
        });
        let left = held.filter(|held| held.is_valid(self.clock.as_ref())).map(|held| {
            held.lifetime.saturating_sub(held.since.elapsed_at_most(self.clock.as_ref()))
        });
        match left {
            Some(left) => tracing::warn!(
                %error,
                valid_seconds = left.as_secs(),
                "cannot renew the keys for the store; the old ones are used until they end"
            ),
            None => tracing::warn!(%error, "cannot get keys for the store"),
        }
    }

    fn unavailable(&self, what: &str) -> AccessKeysError {
        AccessKeysError::Unavailable(format!("{} {what}", self.source.name()))
    }

    fn refused_again(&self) -> AccessKeysError {
        self.unavailable(
            "gives keys that the store refuses; check that both belong to the same store",
        )
    }
}

impl State {
    fn is_renewing(&self) -> bool {
        // One whose task was dropped with its runtime has completed too.
        self.renewal.as_ref().is_some_and(|renewal| renewal.peek().is_none())
    }
}

impl Held {
    fn is_valid(&self, clock: &dyn Clock) -> bool {
        !self.is_refused && self.since.elapsed_at_most(clock) < self.lifetime
    }

    fn is_due(&self, clock: &dyn Clock) -> bool {
        let left = self.lifetime.saturating_sub(self.since.elapsed_at_most(clock));
        left <= self.lifetime / RENEWED_WHEN_LEFT
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("dotdo_storage_keys_renewals_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests;
