//! That the store has passed the probe, so that a world need not begin with it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::FutureExt;

use crate::simulation::chance::SimRandom;
use crate::store::{Bucket, Key, Memory, probe};
use crate::testing::ManualClock;

/// The key and the bytes of the verdict.
pub(super) fn verdict() -> &'static (Key, Bytes) {
    static VERDICT: OnceLock<(Key, Bytes)> = OnceLock::new();
    VERDICT.get_or_init(|| {
        let clock = Arc::new(ManualClock::default());
        let (memory, random) = (Memory::new(clock.clone()), SimRandom::new(0));
        probe(&memory, clock.as_ref(), &random)
            .now_or_never()
            .expect("memory does not wait")
            .expect("it passes");
        let key = Key::new(".dotdo/probe.json");
        let stored =
            memory.get(&key).now_or_never().expect("memory does not wait").expect("memory answers");
        (key, stored.expect("the verdict is kept").bytes)
    })
}
