//! The real clock and randomness for the core.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dotdo_core::{Clock, Random, millis};

/// The machine's clocks.
///
/// Leases must expire while a machine is suspended. On Linux the monotonic time is the boot time,
/// which continues then, unlike `std::time::Instant`. On other systems only the wall clock shows a
/// suspension.
///
/// [`engine`](crate::engine) has an example.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: boot::Moment,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod boot {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    /// Time since the machine was started.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Moment(Duration);

    impl Moment {
        pub(super) fn now() -> Self {
            let time = clock_gettime(ClockId::Boottime);
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Self(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
        }

        pub(super) fn elapsed(self) -> Duration {
            Self::now().0.saturating_sub(self.0)
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod boot {
    pub(super) use std::time::Instant as Moment;
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self { start: boot::Moment::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis::signed(since),
            Err(before) => -millis::signed(before.duration()),
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The operating system's random numbers. [`engine`](crate::engine) has an example.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// # Panics
    ///
    /// When the operating system has no random numbers, because ids would not be unique then.
    fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        bytes
    }
}
