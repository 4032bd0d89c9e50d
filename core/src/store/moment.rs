//! A moment by all clocks: the two of this process, and the store's.

use std::time::Duration;

use crate::millis;

use super::{Bucket, Part};
use crate::clock::{Clock, Instant};

/// The start of a right of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// By this process's own clocks.
    at: Instant,
    /// Whose clock the store's is.
    of: Part,
    /// A time that the store's clock had reached, if known.
    store_ms: Option<i64>,
}

impl Moment {
    /// The current moment; to be taken before sending the request to this part of the bucket that
    /// grants the right.
    pub(crate) fn now(of: Part, bucket: &dyn Bucket, clock: &dyn Clock) -> Self {
        Self { at: Instant::now(clock), of, store_ms: bucket.store_time_ms(of) }
    }

    /// The moment `at`, at which nothing was known of the clock of this part's store.
    pub(crate) fn by_own_clocks(of: Part, at: Instant) -> Self {
        Self { at, of, store_ms: None }
    }

    /// The moment by this process's own clocks.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Upper bound of the time since this moment; to be checked *after* the response that relies on
    /// the right.
    ///
    /// The longest of all clocks counts. A frozen function is thawed with a monotonic clock that
    /// stood still and, for a moment, with a wall clock that did too; the date in the store's
    /// answer tells. When the store has told its time since then for the first time, nobody knows.
    pub(crate) fn elapsed_at_most(&self, bucket: &dyn Bucket, clock: &dyn Clock) -> Duration {
        let by_own_clocks = self.at.elapsed_at_most(clock);
        match (self.store_ms, bucket.store_time_ms(self.of)) {
            (Some(then_ms), Some(now_ms)) => {
                let by_store = millis::between(then_ms, now_ms);
                by_own_clocks.max(by_store.saturating_add(bucket.store_time_error()))
            }
            (None, Some(_)) => Duration::MAX,
            (_, None) => by_own_clocks,
        }
    }
}
