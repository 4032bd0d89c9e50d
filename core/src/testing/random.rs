//! Randomness that is the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Random;

/// Counts up: every value is different, and the same in every run.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Random;
/// use dotdo::testing::CountingRandom;
///
/// let random = CountingRandom::starting_at(7);
/// assert_eq!(u128::from_be_bytes(random.bytes16()), 7);
/// assert_eq!(u128::from_be_bytes(random.bytes16()), 8);
/// ```
#[derive(Debug)]
pub struct CountingRandom {
    base: u128,
    count: AtomicU64,
}

impl CountingRandom {
    /// Counts up from `base`.
    pub fn starting_at(base: u128) -> Self {
        Self { base, count: AtomicU64::new(0) }
    }
}

impl Random for CountingRandom {
    fn bytes16(&self) -> [u8; 16] {
        (self.base + u128::from(self.count.fetch_add(1, Ordering::SeqCst))).to_be_bytes()
    }
}

/// The same bytes every time, for output that must not depend on the number of calls.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Random;
/// use dotdo::testing::ConstantRandom;
///
/// let random = ConstantRandom([7; 16]);
/// assert_eq!(random.bytes16(), random.bytes16());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ConstantRandom(pub [u8; 16]);

impl Random for ConstantRandom {
    fn bytes16(&self) -> [u8; 16] {
        self.0
    }
}
