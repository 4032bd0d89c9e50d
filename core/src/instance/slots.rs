//! Every object's slot in this process: found or made once, and let go when nobody needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::error::Result;
use crate::id::ObjectId;
use crate::instance::Deps;
use crate::instance::slot::Slot;

/// Independent parts of the map, so that threads rarely wait for each other. A power of two.
const SHARDS: usize = 16;

/// The slots by object.
pub(crate) struct Slots {
    shards: [Mutex<BTreeMap<ObjectId, Arc<Slot>>>; SHARDS],
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The slot of `object`, made on the first call: two requests for a cold object share one restore.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be too long, `NotFound` when its class is unknown.
    pub(crate) fn get(&self, deps: &Deps, object: &ObjectId) -> Result<Arc<Slot>> {
        let mut shard = self.shard(object);
        if let Some(slot) = shard.get(object) {
            return Ok(slot.clone());
        }
        deps.app.check_class(object.class())?;
        let slot = Arc::new(Slot::new(deps.log(object)?));
        shard.insert(object.clone(), slot.clone());
        Ok(slot)
    }

    /// The slot of `object`, if there is one.
    pub(crate) fn existing(&self, object: &ObjectId) -> Option<Arc<Slot>> {
        self.shard(object).get(object).cloned()
    }

    /// Every slot there is now.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.shards.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Drops the slots of objects that are cold and that nobody holds.
    pub(crate) fn forget_cold(&self, clock: &dyn Clock) {
        for shard in &self.shards {
            lock(shard).retain(|_, slot| {
                let held = Arc::strong_count(slot) > 1 || slot.whereabouts.is_known(clock);
                held || slot.turn.try_lock().map_or(true, |residence| residence.warm.is_some() || residence.claim.is_some())
            });
        }
    }

    fn shard(&self, object: &ObjectId) -> MutexGuard<'_, BTreeMap<ObjectId, Arc<Slot>>> {
        let hash = object
            .class()
            .bytes()
            .chain(object.id().bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        lock(&self.shards[(hash >> 32) as usize % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
