//! Tracks a store's clock: the last time that it reported, and the time since then.
//!
//! Promises: [`StoreTime::now_ms`] never runs ahead of the store's clock, as long as this machine's
//! monotonic clock runs at the same rate. Must not know: wall clocks of this machine.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::millis;
use crate::sync::Mutex;

/// The store's clock, as seen from here.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use dotdo::engine::StoreTime;
/// use dotdo::testing::ManualClock;
///
/// let clock = Arc::new(ManualClock::new());
/// let time = StoreTime::new(clock.clone());
/// assert_eq!(time.now_ms(), None);
/// time.saw(1_700_000_000_000);
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(time.now_ms(), Some(1_700_000_001_000));
/// ```
pub struct StoreTime {
    clock: Arc<dyn Clock>,
    seen: Mutex<Option<Seen>>,
}

/// The store reported `store_ms` before `here`.
#[derive(Clone, Copy)]
struct Seen {
    store_ms: i64,
    here: Duration,
}

impl StoreTime {
    /// Nothing was reported yet. `clock` tells how much time has passed since a report.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, seen: Mutex::new(None) }
    }

    /// Records that the store's clock had reached `store_ms` before this call.
    ///
    /// The newest report counts, even if it is behind an older one, because a store of many
    /// machines has many clocks.
    pub fn saw(&self, store_ms: i64) {
        let here = self.clock.monotonic();
        *self.seen.lock() = Some(Seen { store_ms, here });
    }

    /// A time that the store's clock has certainly reached.
    pub fn now_ms(&self) -> Option<i64> {
        let seen = (*self.seen.lock())?;
        let since = self.clock.monotonic().saturating_sub(seen.here);
        Some(seen.store_ms.saturating_add(millis::signed(since)))
    }
}

impl std::fmt::Debug for StoreTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreTime").finish_non_exhaustive()
    }
}
