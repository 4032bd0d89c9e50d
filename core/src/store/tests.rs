//! What the tests of the backends share.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::clock::Clock;

/// A clock that stands still.
pub(super) struct TestClock;

impl Clock for TestClock {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall_ms(&self) -> i64 {
        0
    }

    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
