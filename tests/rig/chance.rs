//! Randomness that a seed repeats: which moments are chosen, not what the machine makes of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::own::unique;

/// Sets the seed.
const SEED: &str = "DOTDO_TEST_SEED";

/// A generator (splitmix64) that many tasks may share.
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Chance {
    /// Seeded by the variable `DOTDO_TEST_SEED`, or anew; says by what, for those who want to
    /// repeat a failure.
    ///
    /// # Panics
    ///
    /// When the variable is no number.
    #[expect(clippy::new_without_default, reason = "it asks the environment and prints")]
    pub fn new() -> Self {
        let seed = std::env::var(SEED).map_or_else(
            |_| unique().as_u64_pair().0,
            |text| text.parse().expect("DOTDO_TEST_SEED is a number"),
        );
        say(&format!("{SEED}={seed}"));
        Self::of(seed)
    }

    /// Draws the same every time.
    pub fn of(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Another generator, for a task of its own: what it draws does not depend on when others draw
    /// from this one.
    #[must_use]
    pub fn split(&self) -> Self {
        Self(AtomicU64::new(self.below(u64::MAX)))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        let state = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[usize::try_from(self.below(among.len() as u64)).expect("an index of a slice")]
    }

    /// A time from `least` to `least + more`, in milliseconds.
    pub fn millis(&self, least: u64, more: u64) -> Duration {
        Duration::from_millis(least + self.below(more + 1))
    }
}

/// Says something to whoever looks into a failed test.
#[expect(clippy::print_stderr, reason = "a failed test shows what it printed, a good one does not")]
pub fn say(text: &str) {
    eprintln!("{text}");
}
