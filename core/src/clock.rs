//! Time and randomness, injected: the core never asks the machine for either.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::millis;

/// The clock of this process.
///
/// Leases compare durations on one machine only; no two machines' clocks are ever compared.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::future::Future;
/// use std::pin::Pin;
/// use std::time::{Duration, Instant, SystemTime};
///
/// use dotdo::engine::Clock;
///
/// /// The machine's clocks.
/// struct Machine(Instant);
///
/// impl Clock for Machine {
///     fn monotonic(&self) -> Duration {
///         self.0.elapsed()
///     }
///
///     fn wall_ms(&self) -> i64 {
///         let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
///         since.as_millis() as i64
///     }
///
///     fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
///         Box::pin(tokio::time::sleep(duration))
///     }
/// }
///
/// let clock = Machine(Instant::now());
/// clock.sleep(Duration::from_millis(1)).await;
/// assert!(clock.monotonic() >= Duration::from_millis(1));
/// # Ok(())
/// # });
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Time since a fixed moment in this process; never goes back. It should continue while the
    /// machine is suspended, but may stop.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since 1970-01-01T00:00:00Z by the machine's clock; may jump.
    fn wall_ms(&self) -> i64;

    /// Completes after `duration` of monotonic time.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A source of unpredictable random bytes.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::fs::File;
/// use std::io::Read;
///
/// use dotdo::engine::Random;
///
/// /// The randomness of a Unix system.
/// struct Urandom;
///
/// impl Random for Urandom {
///     fn bytes16(&self) -> [u8; 16] {
///         let mut bytes = [0; 16];
///         let read =
///             File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
///         read.expect("the system has randomness");
///         bytes
///     }
/// }
///
/// assert_ne!(Urandom.bytes16(), Urandom.bytes16());
/// ```
pub trait Random: Send + Sync + 'static {
    /// Sixteen random bytes.
    fn bytes16(&self) -> [u8; 16];
}

/// A moment by both clocks of this process.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use std::time::Duration;
///
/// use dotdo::engine::Instant;
/// use dotdo::testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let granted = Instant::now(&clock);
/// clock.advance(Duration::from_secs(5));
/// let lease = Duration::from_secs(10);
/// assert!(granted.elapsed_at_most(&clock) < lease, "the lease holds");
/// assert!(granted.elapsed_at_least(&clock) < lease, "and nobody may take the object over");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    monotonic: Duration,
    wall_ms: i64,
}

impl Instant {
    /// This moment.
    pub fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall_ms: clock.wall_ms() }
    }

    /// How long ago this was at most, for what gives *oneself* a right (a lease, a proof): by
    /// whichever clock says *longer*.
    ///
    /// A monotonic clock can stop while a virtual machine is paused, and a wall clock can be set
    /// back. A right that uses the longer of both ends too early at worst, which affects
    /// availability but not safety.
    pub fn elapsed_at_most(self, clock: &dyn Clock) -> Duration {
        let wall = millis::between(self.wall_ms, clock.wall_ms());
        self.elapsed_at_least(clock).max(wall)
    }

    /// How long ago this was at least, for what gives a right against *others* (taking over,
    /// deleting): by the monotonic clock alone.
    ///
    /// A wall clock that is set forward must not end another's right. A monotonic clock may stop,
    /// which only prolongs the wait.
    pub fn elapsed_at_least(self, clock: &dyn Clock) -> Duration {
        clock.monotonic().saturating_sub(self.monotonic)
    }
}
