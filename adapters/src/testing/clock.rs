//! A clock by tokio's time, which a test can pause.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use dotdo_core::{Clock, millis};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// The resolution of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// A clock that runs by tokio's time from the beginning of 2026 on.
///
/// In a runtime whose time is paused, as in tests with a [`TestServer`](super::TestServer), it
/// jumps to the next time at which something is due. In other runtimes it runs like the machine's,
/// or several times as fast.
///
/// ```
/// # dotdo::testing::run(async {
/// use std::time::Duration;
///
/// use dotdo::engine::Clock;
/// use dotdo::testing::RunningClock;
///
/// let clock = RunningClock::new();
/// let before_ms = clock.wall_ms();
/// clock.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(clock.wall_ms() - before_ms, 3_600_000, "and the test has not waited");
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct RunningClock {
    start: Instant,
    rate: u32,
}

impl RunningClock {
    /// A clock whose time begins now.
    pub fn new() -> Self {
        Self::at_rate(1)
    }

    /// A clock that is `rate` times as fast.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// use std::time::Duration;
    ///
    /// use dotdo::engine::Clock;
    /// use dotdo::testing::RunningClock;
    ///
    /// let clock = RunningClock::at_rate(1000);
    /// clock.sleep(Duration::from_secs(5)).await;
    /// assert!(clock.monotonic() >= Duration::from_secs(5), "after five milliseconds");
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn at_rate(rate: u32) -> Self {
        Self { start: Instant::now(), rate: rate.max(1) }
    }
}

impl Default for RunningClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RunningClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed() * self.rate
    }

    fn wall_ms(&self) -> i64 {
        BEGINNING_MS + millis::signed(self.monotonic())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.monotonic() + duration;
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(self.monotonic());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(in_ticks(left / self.rate)).await;
            }
        })
    }
}

/// The duration for tokio to sleep at least this long, in whole milliseconds. Its timers count them
/// from the start of the runtime and round up, so this is the smallest duration with the same
/// result.
fn in_ticks(duration: Duration) -> Duration {
    let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
    let ticks = Duration::from_millis(u64::try_from(ticks).unwrap_or(u64::MAX));
    ticks.saturating_sub(TICK - Duration::from_nanos(1))
}

/// Runs a test in its own runtime, whose time is paused. For tests without `#[tokio::test]`.
///
/// ```
/// use std::time::Duration;
///
/// use tokio::time::{Instant, sleep};
///
/// let waited = dotdo::testing::run(async {
///     let begun = Instant::now();
///     sleep(Duration::from_secs(3600)).await;
///     begun.elapsed()
/// });
/// assert!(waited >= Duration::from_secs(3600), "by the test's clock");
/// ```
///
/// # Panics
///
/// When the test does, or inside another runtime.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("the system gives a runtime").block_on(test)
}

/// Pauses tokio's time, unless it is paused already.
///
/// # Panics
///
/// In a runtime of several threads, where that is not possible.
pub(super) fn pause() {
    assert_eq!(
        Handle::current().runtime_flavor(),
        RuntimeFlavor::CurrentThread,
        "a TestServer needs a runtime of one thread: use #[tokio::test] without a flavor, or dotdo::testing::run"
    );
    if !is_paused() {
        tokio::time::pause();
    }
}

/// Whether tokio's time is paused. Tokio panics when it is paused twice and has no function to find
/// out.
fn is_paused() -> bool {
    let (before, real) = (Instant::now(), std::time::Instant::now());
    while real.elapsed().is_zero() {
        std::hint::spin_loop();
    }
    before.elapsed().is_zero()
}
