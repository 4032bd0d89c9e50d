//! The machine's clock and randomness, as the core wants them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dotdo_core::{Bucket, Clock, Random, StoreConfig};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("this is after 1970");
        i64::try_from(since.as_millis()).expect("this is before the year 292 million")
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The machine's randomness.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the machine has randomness");
        bytes
    }
}

/// An identifier that nothing else has.
pub fn unique() -> Uuid {
    Uuid::from_bytes(SystemRandom.bytes16())
}

/// Opens a store as a server of its own would.
///
/// # Errors
///
/// What [`dotdo_core::open`] says.
pub fn open(config: &StoreConfig) -> dotdo_core::Result<Arc<dyn Bucket>> {
    dotdo_core::open(config, unique(), Arc::new(SystemClock::default()), Arc::new(SystemRandom))
}
