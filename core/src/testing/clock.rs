//! A clock that a test moves by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;

/// 2026-01-01T00:00:00Z, where the wall clocks of tests begin.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A process's clocks, which stand still until a test moves them, and the clock of a store beside
/// them ([`ManualClock::of_store`]).
///
/// Nothing that waits for a time goes on by itself: neither timeouts nor housekeeping happen
/// before [`advance`](ManualClock::advance).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use dotdo_core::Clock;
/// use dotdo_core::testing::ManualClock;
///
/// let clock = ManualClock::default();
/// let before_ms = clock.wall_ms();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.wall_ms() - before_ms, 60_000);
/// assert_eq!(clock.monotonic(), Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    readings: watch::Sender<Readings>,
    /// A sleeper moves the clocks on by itself.
    sleep_moves: bool,
}

/// What the clocks show.
#[derive(Debug, Clone, Copy)]
struct Readings {
    monotonic: Duration,
    wall_ms: i64,
    store_ms: i64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(BEGINNING_MS)
    }
}

impl ManualClock {
    /// A clock that shows the beginning of 2026.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that shows this time, in milliseconds since 1970.
    pub fn starting_at(wall_ms: i64) -> Self {
        let readings = Readings { monotonic: Duration::ZERO, wall_ms, store_ms: wall_ms };
        Self { readings: watch::Sender::new(readings), sleep_moves: false }
    }

    /// A clock that every sleep moves on by its own length; for code that runs alone.
    pub fn moved_by_sleep() -> Self {
        Self { sleep_moves: true, ..Self::default() }
    }

    /// Advances all clocks; tasks that sleep until then wake up.
    pub fn advance(&self, duration: Duration) {
        self.readings.send_modify(|readings| {
            readings.monotonic += duration;
            readings.wall_ms += millis(duration);
            readings.store_ms += millis(duration);
        });
    }

    /// Moves the store's clock only, as if the process was frozen meanwhile and neither of its
    /// clocks went on.
    pub fn pass_unnoticed(&self, duration: Duration) {
        self.readings.send_modify(|readings| readings.store_ms += millis(duration));
    }

    /// Sets the process's wall clock forward, or back by a negative number.
    pub fn set_wall(&self, forward_ms: i64) {
        self.readings.send_modify(|readings| readings.wall_ms += forward_ms);
    }

    /// The clock of a store that knows what the process does not notice.
    pub fn of_store(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(StoreClock(self.clone()))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a test lasts less than ages")
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.readings.borrow().monotonic
    }

    fn wall_ms(&self) -> i64 {
        self.readings.borrow().wall_ms
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.monotonic() + duration;
        let mut readings = self.readings.subscribe();
        Box::pin(async move {
            if self.sleep_moves {
                self.advance(duration);
            }
            // The sender lives in `self`, so waiting can't fail.
            let _ = readings.wait_for(|readings| readings.monotonic >= until).await;
        })
    }
}

impl ManualClock {
    fn store_ms(&self) -> i64 {
        self.readings.borrow().store_ms
    }
}

/// The store's clock beside a [`ManualClock`].
struct StoreClock(Arc<ManualClock>);

impl Clock for StoreClock {
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn wall_ms(&self) -> i64 {
        self.0.store_ms()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.sleep(duration)
    }
}
