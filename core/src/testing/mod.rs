//! Parts for tests of the engine: clocks and randomness that a test controls, and buckets that
//! record, fail, wait and end with a crash.
//!
//! Used by this crate's own tests, by those of the workspace, and by programs that bring an engine
//! of their own (feature `testing`). Nothing here imitates the product: every bucket wraps a real
//! one, and the engine takes clocks and randomness as parameters anyway.
//!
//! | to | use |
//! |---|---|
//! | let time stand still until the test advances it | [`ManualClock`] |
//! | repeat a run exactly | [`CountingRandom`], [`ConstantRandom`] |
//! | know the requests to a store | [`RecordingBucket`] |
//! | make requests fail | [`FaultyBucket`] |
//! | make requests wait | [`SlowBucket`] |
//! | end a server like `kill -9` | [`CutBucket`] |
//! | have all of this on a store in memory | [`TestStore`] |
//!
//! The simulation has its own clock and bucket (`simulation/`), which need its event queue.

mod clock;
mod cut;
#[doc(hidden)]
pub mod examples;
mod faulty;
mod layer;
mod random;
mod recording;
mod slow;
mod store;

#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "the file is shared with the tests that go through the front door"
)]
#[path = "../../../tests/rig/damage.rs"]
pub(crate) mod damage;

#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "the file is shared with the tests that go through the front door"
)]
#[path = "../../../tests/rig/random_sql.rs"]
pub(crate) mod random_sql;

pub use clock::ManualClock;
pub use cut::{CutBucket, Ended};
pub use faulty::{Fault, FaultyBucket};
pub use layer::Operation;
pub use random::{ConstantRandom, CountingRandom};
pub use recording::{Recorded, RecordingBucket};
pub use slow::SlowBucket;
pub use store::TestStore;

#[cfg(test)]
mod tests;
