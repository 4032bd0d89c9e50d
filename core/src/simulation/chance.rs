//! The one source of chance in a simulated world: the same seed gives the same numbers for ever.

use std::ops::RangeInclusive;

use crate::clock::Random;
use crate::sync::Mutex;

/// Numbers that follow from a seed (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
        chance.next();
        chance
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// The index of one of `count` things.
    pub(super) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a usize")
    }

    pub(super) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// `true` so many times in a thousand.
    pub(super) fn in_thousand(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// A number of any magnitude in the range, each as likely as the others.
    pub(super) fn spread(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (from, to) = (range.start().max(&1).ilog2(), range.end().max(&1).ilog2());
        let octave = 1_u64 << self.within(u64::from(from)..=u64::from(to));
        self.within(octave..=octave * 2 - 1).clamp(*range.start(), *range.end())
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// The randomness of one simulated process.
pub(super) struct SimRandom(Mutex<Chance>);

impl SimRandom {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(Chance::new(seed)))
    }
}

impl Random for SimRandom {
    fn bytes16(&self) -> [u8; 16] {
        let mut chance = self.0.lock();
        let number = (u128::from(chance.next()) << 64) | u128::from(chance.next());
        number.to_be_bytes()
    }
}
