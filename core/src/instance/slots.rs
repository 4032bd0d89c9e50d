//! Every object's slot in this process: found or made once, and let go when nobody needs it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::budget::Use;
use crate::error::Result;
use crate::id::ObjectId;
use crate::instance::slot::Slot;
use crate::instance::{Deps, janitor};
use crate::limits::SLOT_BYTES;

/// Independent parts of the map, so that threads rarely wait for each other. A power of two.
const SHARDS: usize = 16;

/// The slots by object.
pub(crate) struct Slots {
    shards: [Mutex<BTreeMap<ObjectId, Arc<Slot>>>; SHARDS],
    /// The number of the next one.
    next: AtomicU64,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), next: AtomicU64::new(0) }
    }

    /// The slot of `object`, made on the first call: two requests for a cold object share one
    /// restore.
    ///
    /// # Errors
    ///
    /// `Invalid` when the object's keys would be too long, `NotFound` when its class is unknown,
    /// `Busy` when there is no memory for a slot.
    pub(crate) fn get(&self, deps: &Deps, object: &ObjectId) -> Result<Arc<Slot>> {
        let mut shard = self.shard(object);
        if let Some(slot) = shard.get(object) {
            return Ok(slot.clone());
        }
        deps.app.check_class(object.class())?;
        let log = deps.log(object)?;
        let charge = deps.budget.admit_at_once(Use::Objects, object, SLOT_BYTES)?;
        let slot = Arc::new(Slot::new(self.next.fetch_add(1, Ordering::Relaxed), log, charge));
        shard.insert(object.clone(), slot.clone());
        deps.look_in(&slot, janitor::ROUND);
        Ok(slot)
    }

    /// The slot of `object`, if there is one.
    pub(crate) fn existing(&self, object: &ObjectId) -> Option<Arc<Slot>> {
        self.shard(object).get(object).cloned()
    }

    /// Every slot there is now.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Lets go of the slot of `object`, unless it is used; then it is returned.
    pub(crate) fn forget(&self, object: &ObjectId) -> Option<Arc<Slot>> {
        let mut shard = self.shard(object);
        let slot = shard.get(object)?;
        if is_used(slot) {
            return Some(slot.clone());
        }
        shard.remove(object);
        None
    }

    /// Lets go of every slot of an object that is cold and that nobody holds, whatever it knows.
    pub(crate) fn forget_cold(&self) {
        for shard in &self.shards {
            lock(shard)
                .retain(|_, slot| is_used(slot) || slot.lease_counted.load(Ordering::Relaxed));
        }
    }

    /// How many slots there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, object: &ObjectId) -> MutexGuard<'_, BTreeMap<ObjectId, Arc<Slot>>> {
        let hash = object
            .class()
            .bytes()
            .chain(object.id().bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        lock(&self.shards[(hash >> 32) as usize % SHARDS])
    }
}

/// Whether somebody holds the slot, or its object is in memory. Its shard is locked, so nobody
/// begins to.
fn is_used(slot: &Arc<Slot>) -> bool {
    Arc::strong_count(slot) > 1 || slot.is_resident()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
