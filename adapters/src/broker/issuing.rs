//! Issues keys, and lends those that exist to whoever asks for the same.
//!
//! Promises: keys of one part, access and caller go to nobody else; at most one exchange for the
//! same keys at a time, whose failure all that wait share; bounded memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::sync::Mutex;
use dotdo_core::{Clock, Error, Result, millis};
use tokio::sync::Mutex as Turn;

use super::backend::{Backend, Wanted};
use super::keys::{Access, Keys};
use crate::credentials::Part;

/// Maximum number of keys in memory. Each takes about two kilobytes, most of it the session token.
const KEPT_MAX: usize = 10_000;

/// Keys are replaced when less than one of so many parts of their time is left.
const LEFT_SHARE: u32 = 5;

/// Issues keys.
pub(super) struct Issuing {
    backend: Backend,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<Who, Arc<Slot>>>,
}

/// Whose keys they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Who {
    part: Part,
    access: Access,
    /// The caller, where the store knows the caller.
    subject: Option<String>,
}

#[derive(Default)]
struct Slot(Turn<State>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
}

struct Held {
    keys: Keys,
    /// Until when they are given out, on the monotonic clock.
    until: Duration,
}

/// A failed exchange.
struct Failed {
    at: Duration,
    error: Error,
}

/// Keys, and whether they were there.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) keys: Keys,
    pub(super) is_cached: bool,
}

impl Issuing {
    pub(super) fn new(backend: Backend, clock: Arc<dyn Clock>) -> Self {
        Self { backend, clock, kept: Mutex::default() }
    }

    /// Keys for a caller that has been verified. `check` runs before an exchange at the backend,
    /// and can refuse it.
    ///
    /// # Errors
    ///
    /// Those of `check` and of [`Backend::issue`].
    pub(super) async fn keys(
        &self,
        wanted: &Wanted<'_>,
        subject: &str,
        check: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Issued> {
        let asked_at = self.clock.monotonic();
        let slot = self.slot(wanted, subject);
        let mut state = slot.0.lock().await;
        if let Some(held) = state.held.as_ref().filter(|held| self.clock.monotonic() < held.until) {
            return Ok(Issued { keys: held.keys.clone(), is_cached: true });
        }
        if let Some(failed) = state.failed.as_ref().filter(|failed| failed.at >= asked_at) {
            return Err(failed.error.clone());
        }
        let made = match check().await {
            Ok(()) => self.exchange(wanted).await,
            Err(refusal) => Err(refusal),
        };
        let at = self.clock.monotonic();
        *state = match &made {
            Ok(held) => State {
                held: Some(Held { keys: held.keys.clone(), until: held.until }),
                failed: None,
            },
            Err(error) => State { held: None, failed: Some(Failed { at, error: error.clone() }) },
        };
        made.map(|held| Issued { keys: held.keys, is_cached: false })
    }

    async fn exchange(&self, wanted: &Wanted<'_>) -> Result<Held> {
        let (began, now_ms) = (self.clock.monotonic(), self.clock.wall_ms());
        let outcome = self.backend.issue(wanted, now_ms).await;
        let took = self.clock.monotonic().saturating_sub(began);
        metrics::histogram!("dotdo_broker_exchange_seconds").record(took.as_secs_f64());
        let keys = outcome?;
        let time = millis::between(now_ms, keys.expires_ms);
        Ok(Held { until: began + time - time / LEFT_SHARE, keys })
    }

    /// The slot for the keys, which all that want the same share.
    fn slot(&self, wanted: &Wanted<'_>, subject: &str) -> Arc<Slot> {
        let is_of_caller = self.backend.is_of_caller() && wanted.jwt.is_some();
        let who = Who {
            part: wanted.part.clone(),
            access: wanted.access,
            subject: is_of_caller.then(|| subject.to_owned()),
        };
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&who) {
            self.make_room(&mut kept);
        }
        Arc::clone(kept.entry(who).or_default())
    }

    /// Forgets what is of no more use; if everything is, half of what nobody waits for.
    fn make_room(&self, kept: &mut HashMap<Who, Arc<Slot>>) {
        let now = self.clock.monotonic();
        let is_of_use = |slot: &Arc<Slot>| {
            slot.0
                .try_lock()
                .map_or(true, |state| state.held.as_ref().is_some_and(|held| now < held.until))
        };
        kept.retain(|_, slot| Arc::strong_count(slot) > 1 || is_of_use(slot));
        if kept.len() >= KEPT_MAX {
            let mut number = 0;
            kept.retain(|_, slot| {
                number += 1;
                Arc::strong_count(slot) > 1 || number % 2 == 0
            });
        }
    }
}

#[cfg(test)]
mod tests;
