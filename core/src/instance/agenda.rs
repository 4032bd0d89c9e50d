//! When each slot has to be looked at next, so that nobody looks at those where nothing is due.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::instance::slot::Slot;

/// What a slot that is not in the agenda has as its time.
pub(crate) const NEVER: u64 = u64::MAX;

/// Slots by the time when they are due, in monotonic milliseconds, and their number.
type Entries = BTreeMap<(u64, u64), Weak<Slot>>;

/// Slots in the order in which they are due. A slot is in it once at most. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Agenda(Arc<Mutex<Entries>>);

impl Agenda {
    /// Looks at `slot` at `due_ms`, or earlier if that was said before.
    pub(crate) fn put(&self, slot: &Arc<Slot>, due_ms: u64) {
        if slot.due_ms.load(Ordering::Acquire) <= due_ms {
            return;
        }
        let mut entries = self.entries();
        let before = slot.due_ms.load(Ordering::Acquire);
        if before <= due_ms {
            return;
        }
        if before != NEVER {
            entries.remove(&(before, slot.number));
        }
        entries.insert((due_ms, slot.number), Arc::downgrade(slot));
        slot.due_ms.store(due_ms, Ordering::Release);
    }

    /// Takes out the slots that are due.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<Arc<Slot>> {
        let mut entries = self.entries();
        let later = entries.split_off(&(now_ms.saturating_add(1), 0));
        let due = std::mem::replace(&mut *entries, later);
        let slots = due.into_values().filter_map(|slot| slot.upgrade());
        slots.inspect(|slot| slot.due_ms.store(NEVER, Ordering::Release)).collect()
    }

    /// How many slots will be looked at.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
