//! The numbers of requests that have come, so that none is taken twice.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::CLOCK_SKEW_MAX;

/// A request may be taken from this long before to this long after its time, so its number must be known for twice as long.
const KEPT: Duration = Duration::from_secs(2 * CLOCK_SKEW_MAX.as_secs());

/// More requests than this in [`KEPT`] are refused rather than forgotten: 17,000 a second.
const NUMBERS_MAX: usize = 1 << 20;

/// The numbers of the last requests.
#[derive(Default)]
pub(super) struct Seen(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    newer: HashSet<Uuid>,
    older: HashSet<Uuid>,
    /// When the newer ones began, by the monotonic clock.
    began: Duration,
}

impl Seen {
    /// Notes a number; whether it is new.
    pub(super) fn is_new(&self, nonce: Uuid, now: Duration) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(seen.began) >= KEPT {
            seen.older = std::mem::take(&mut seen.newer);
            seen.began = now;
        }
        !seen.older.contains(&nonce) && seen.newer.len() < NUMBERS_MAX && seen.newer.insert(nonce)
    }
}
