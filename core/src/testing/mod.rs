//! What tests of the engine stand on: clocks and randomness that a test controls, and buckets that
//! record, fail, wait and end with a crash.
//!
//! Used by this crate's own tests, by those of the workspace, and by programs that bring an engine
//! of their own (feature `testing`). Nothing here imitates the product: every bucket wraps a real
//! one, and the clocks are what the engine asks anyway.
//!
//! | to | take |
//! |---|---|
//! | let time stand still until the test moves it | [`ManualClock`] |
//! | repeat a run exactly | [`CountingRandom`], [`ConstantRandom`] |
//! | know what was asked of a store | [`RecordingBucket`] |
//! | make requests fail | [`FaultyBucket`] |
//! | make requests wait | [`SlowBucket`] |
//! | end a server as `kill -9` does | [`CutBucket`] |
//! | have all of it around a store in memory | [`TestStore`] |
//!
//! The simulation has a clock and a bucket of its own (`simulation/`): they belong to its event
//! queue and are of no use without it.

mod clock;
mod cut;
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
