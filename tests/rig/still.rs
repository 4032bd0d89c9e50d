//! Time that stands still until it is moved, and randomness that repeats: what makes a run of the
//! engine the same every time.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dotdo_core::{Clock, Random};
use tokio::sync::watch;

/// 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct StillClock {
    now: watch::Sender<Duration>,
}

impl StillClock {
    /// A clock that shows the beginning of 2026.
    pub fn new() -> Self {
        Self { now: watch::Sender::new(Duration::ZERO) }
    }

    /// Moves it on; whoever sleeps until then wakes up.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now += duration);
    }
}

impl Default for StillClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for StillClock {
    fn monotonic(&self) -> Duration {
        *self.now.borrow()
    }

    fn wall_ms(&self) -> i64 {
        BEGINNING_MS
            + i64::try_from(self.monotonic().as_millis()).expect("tests last less than ages")
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.monotonic() + duration;
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, so waiting can't fail.
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }
}

/// Counts up: every value is different, and the same in every run.
#[derive(Debug)]
pub struct Counting(AtomicU64);

impl Counting {
    /// Counts up from `first`.
    pub fn from(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }
}

impl Random for Counting {
    fn bytes16(&self) -> [u8; 16] {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst)).to_be_bytes()
    }
}
