//! A clock that a test advances by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::millis;

/// 2026-01-01T00:00:00Z, where the wall clocks of tests begin.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A process's clocks, which stand still until a test advances them, with the clock of a store
/// ([`ManualClock::of_store`]).
///
/// Nothing that waits for a time continues by itself: neither timeouts nor maintenance happen before
/// [`advance`](ManualClock::advance).
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use dotdo::engine::Clock;
/// use dotdo::testing::ManualClock;
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
    /// Whether every sleep advances the clocks.
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

    /// A clock that every sleep advances by its duration; for code that runs alone.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use std::time::Duration;
    ///
    /// use dotdo::engine::Clock;
    /// use dotdo::testing::ManualClock;
    ///
    /// let clock = ManualClock::moved_by_sleep();
    /// clock.sleep(Duration::from_secs(3600)).await;
    /// assert_eq!(clock.monotonic(), Duration::from_secs(3600));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn moved_by_sleep() -> Self {
        Self { sleep_moves: true, ..Self::default() }
    }

    /// Advances all clocks; tasks that sleep until then wake up.
    pub fn advance(&self, duration: Duration) {
        self.readings.send_modify(|readings| {
            readings.monotonic += duration;
            readings.wall_ms += millis::signed(duration);
            readings.store_ms += millis::signed(duration);
        });
    }

    /// Advances only the store's clock, as if the process was frozen meanwhile and its own clocks
    /// stood still.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use dotdo::engine::Clock;
    /// use dotdo::testing::ManualClock;
    ///
    /// let clock = Arc::new(ManualClock::new());
    /// let store = clock.of_store();
    /// clock.pass_unnoticed(Duration::from_secs(60));
    /// assert_eq!(store.wall_ms() - clock.wall_ms(), 60_000);
    /// ```
    pub fn pass_unnoticed(&self, duration: Duration) {
        self.readings.send_modify(|readings| readings.store_ms += millis::signed(duration));
    }

    /// Sets the process's wall clock forward, or back by a negative number.
    pub fn set_wall(&self, forward_ms: i64) {
        self.readings.send_modify(|readings| readings.wall_ms += forward_ms);
    }

    /// The store's clock, which also advances while the process is frozen.
    pub fn of_store(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(StoreClock(self.clone()))
    }
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
