//! That the store has passed the probe, so that a world need not begin with it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::FutureExt;

use crate::simulation::chance::SimRandom;
use crate::store::{Bucket, Files, Key, Memory, probe};
use crate::tenants::with_log;
use crate::testing::ManualClock;

/// An object of a store.
type Stored = (Key, Bytes);

/// What the probe leaves in a store.
pub(super) fn verdict() -> &'static Stored {
    static VERDICT: OnceLock<Stored> = OnceLock::new();
    VERDICT.get_or_init(|| {
        let memory = memory();
        pass(memory.as_ref());
        stored(memory.as_ref(), ".dotdo/probe.json")
    })
}

/// What it leaves in two that are one bucket: in that of the log, and in that of the files.
pub(super) fn verdicts() -> &'static [Stored; 2] {
    static VERDICTS: OnceLock<[Stored; 2]> = OnceLock::new();
    VERDICTS.get_or_init(|| {
        let (log, files) = (memory(), memory());
        let both = Files { bucket: files.clone(), once: files.clone() };
        pass(with_log(both, log.clone()).as_ref());
        [stored(log.as_ref(), ".dotdo/log.json"), stored(files.as_ref(), ".dotdo/probe.json")]
    })
}

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(Arc::new(ManualClock::default())))
}

fn pass(bucket: &dyn Bucket) {
    let (clock, random) = (ManualClock::default(), SimRandom::new(0));
    let passed = probe(bucket, &clock, &random).now_or_never().expect("memory does not wait");
    passed.expect("it passes");
}

fn stored(memory: &Memory, key: &str) -> Stored {
    let key = Key::new(key);
    let stored = memory.get(&key).now_or_never().expect("memory does not wait");
    let bytes = stored.expect("memory answers").expect("the verdict is kept").bytes;
    (key, bytes)
}
