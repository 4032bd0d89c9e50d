//! Randomness that a seed repeats: which moments are chosen, not what the machine makes of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dotdo_tests::unique;

/// Sets the seed.
const SEED: &str = "DOTDO_TEST_SEED";

/// A generator (splitmix64) that many tasks may share.
pub(crate) struct Chance(AtomicU64);

impl Chance {
    /// Seeded by the variable `DOTDO_TEST_SEED`, or anew; says by what, for those who want to repeat a failure.
    pub(crate) fn new() -> Self {
        let seed = std::env::var(SEED).map_or_else(|_| unique().as_u64_pair().0, |text| text.parse().expect("DOTDO_TEST_SEED is a number"));
        say(&format!("{SEED}={seed}"));
        Self(AtomicU64::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A time from `least` to `least + more`, in milliseconds.
    pub(crate) fn millis(&self, least: u64, more: u64) -> Duration {
        Duration::from_millis(least + self.below(more + 1))
    }
}

/// Says something to whoever looks into a failed test.
#[expect(clippy::print_stderr, reason = "a failed test shows what it printed, a good one does not")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
