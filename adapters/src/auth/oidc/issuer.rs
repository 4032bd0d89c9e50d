//! An issuer, and its keys in memory: fetched when they are needed, renewed behind requests, and
//! kept while the issuer is away.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use dotdo_core::sync::Mutex;
use dotdo_core::{Clock, Error, ErrorKind, Result};
use tokio::sync::watch;

use super::fetch::{Fetched, Fetcher};
use super::keys::{Algorithm, Key, KeySet, NoKey};
use super::metrics;
use crate::auth::bearer::invalid;

/// How long keys are used after they should have been renewed, while the issuer is away.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Minimum time between two fetches while there are keys: unknown key ids cost the sender nothing.
const RENEWAL_MIN: Duration = Duration::from_secs(10);
/// Minimum time between two fetches while there are no keys, and nobody can be let in.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// An issuer of tokens.
pub(super) struct Issuer {
    /// The name that distinguishes its organisations from those of other issuers.
    pub(super) name: Option<String>,
    /// The URL, which the claim `iss` must be exactly.
    pub(super) url: String,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Closed when the fetch that is under way ends, however it ends.
    underway: Option<watch::Receiver<()>>,
    /// When the last fetch began, on the monotonic clock.
    begun: Option<Duration>,
    /// Why the last fetch failed, if it did.
    failure: Option<String>,
}

/// The keys of an issuer at some time.
#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    /// When they came, on the monotonic clock.
    since: Duration,
    fresh: Duration,
}

/// What became of a wish for new keys.
enum Renewal {
    /// They are being fetched, until this is closed.
    Underway(watch::Receiver<()>),
    /// The last fetch is too recent; another is possible after this time.
    TooSoon(Duration),
}

impl Issuer {
    /// # Errors
    ///
    /// `Invalid` when there is no TLS.
    pub(super) fn new(name: Option<&str>, url: String, clock: Arc<dyn Clock>) -> Result<Self> {
        let fetcher = Fetcher::new(&url)
            .map_err(|why| Error::invalid(format!("can't connect to the issuer {url}: {why}")))?;
        let name = name.map(str::to_owned);
        Ok(Self { name, url, fetcher, clock, state: Mutex::default() })
    }

    /// The key of this issuer that fits a token's header.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when the issuer has no such key, `Unavailable` (`AUTH_UNAVAILABLE`) when
    /// its keys are not known and can't be fetched.
    pub(super) async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key> {
        let held = match self.held() {
            Some(held) => held,
            None => self.first().await?,
        };
        if self.clock.monotonic().saturating_sub(held.since) >= held.fresh {
            // This request is not kept waiting for it.
            self.renew();
        }
        match held.keys.select(kid, algorithm) {
            Ok(key) => return Ok(key.clone()),
            Err(NoKey::Unknown) => {}
            Err(other) => return Err(self.refusal(other)),
        }
        if let Renewal::Underway(end) = self.renew() {
            ended(end).await;
        }
        let (held, failure) = {
            let state = self.lock();
            (state.held.clone().unwrap_or(held), state.failure.clone())
        };
        match held.keys.select(kid, algorithm) {
            Ok(key) => Ok(key.clone()),
            // The issuer may have a new key, and can't be asked.
            Err(NoKey::Unknown) if failure.is_some() => Err(self.unavailable(failure, RENEWAL_MIN)),
            Err(other) => Err(self.refusal(other)),
        }
    }

    /// The keys that may be used now.
    fn held(&self) -> Option<Held> {
        let now = self.clock.monotonic();
        let state = self.lock();
        let usable =
            |held: &&Held| now.saturating_sub(held.since) < held.fresh.saturating_add(STALE_MAX);
        state.held.as_ref().filter(usable).cloned()
    }

    /// The keys, by a fetch that the request waits for.
    async fn first(self: &Arc<Self>) -> Result<Held> {
        let wait = match self.renew() {
            Renewal::Underway(end) => {
                ended(end).await;
                ATTEMPT_MIN
            }
            Renewal::TooSoon(wait) => wait,
        };
        self.held().ok_or_else(|| {
            let failure = self.lock().failure.clone();
            self.unavailable(failure, wait)
        })
    }

    /// Has the keys fetched, unless that is being done or was done just now.
    fn renew(self: &Arc<Self>) -> Renewal {
        let now = self.clock.monotonic();
        let is_empty = self.held().is_none();
        let mut state = self.lock();
        if let Some(end) = &state.underway {
            return Renewal::Underway(end.clone());
        }
        let pause = if is_empty { ATTEMPT_MIN } else { RENEWAL_MIN };
        if let Some(begun) = state.begun {
            let passed = now.saturating_sub(begun);
            if passed < pause {
                return Renewal::TooSoon(pause - passed);
            }
        }
        let (sender, end) = watch::channel(());
        state.underway = Some(end.clone());
        state.begun = Some(now);
        drop(state);
        // A task of its own: the request that asked may go away, and others wait for the keys.
        let fetch = Fetch { issuer: self.clone(), outcome: None, _sender: sender };
        tokio::spawn(fetch.run());
        Renewal::Underway(end)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn refusal(&self, why: NoKey) -> Error {
        let url = &self.url;
        invalid(match why {
            NoKey::Unknown => format!("the token's key is not one of the keys of {url}"),
            NoKey::OtherAlgorithm(algorithm) => format!(
                "the token is signed with another algorithm than its key's, which is {}",
                algorithm.name()
            ),
            NoKey::Ambiguous => {
                format!("the token does not name its key (kid), and several keys of {url} fit")
            }
        })
    }

    fn unavailable(&self, failure: Option<String>, after: Duration) -> Error {
        let why = failure.unwrap_or_else(|| "the last attempt was interrupted".to_owned());
        let text = format!("the keys of the issuer {} can't be fetched now: {why}", self.url);
        Error::new(ErrorKind::Unavailable, text).with_code(UNAVAILABLE).with_retry_after(after)
    }
}

/// The code while nobody can be authenticated.
const UNAVAILABLE: &str = "AUTH_UNAVAILABLE";

/// Waits until a fetch has ended, however it ended.
async fn ended(mut end: watch::Receiver<()>) {
    while end.changed().await.is_ok() {}
}

/// A fetch of keys that requests wait for. Dropping it ends the wait, even when it panicked.
struct Fetch {
    issuer: Arc<Issuer>,
    outcome: Option<Result<Fetched, String>>,
    _sender: watch::Sender<()>,
}

impl Fetch {
    async fn run(mut self) {
        let issuer = self.issuer.clone();
        self.outcome = Some(issuer.fetcher.keys(&*issuer.clock).await);
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let url = &self.issuer.url;
        let outcome = self.outcome.take().unwrap_or_else(|| Err("it was interrupted".to_owned()));
        metrics::count_fetch(outcome.is_ok());
        let since = self.issuer.clock.monotonic();
        let mut state = self.issuer.lock();
        state.underway = None;
        match outcome {
            Ok(Fetched { keys, fresh }) => {
                if keys.unusable > 0 {
                    let unusable = keys.unusable;
                    tracing::debug!(issuer = %url, unusable, "some keys of the issuer can't be used");
                }
                state.failure = None;
                state.held = Some(Held { keys: Arc::new(keys), since, fresh });
            }
            Err(why) => {
                tracing::warn!(issuer = %url, error = %why, "can't fetch the keys of the issuer");
                state.failure = Some(why);
            }
        }
    }
}
