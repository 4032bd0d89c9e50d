//! When maintenance must look at each activation next, so that activations with nothing due cost
//! nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use crate::sync::Mutex;

/// The time of an entry that is not in the agenda.
pub(crate) const NEVER: u64 = u64::MAX;

/// Interval between two rounds of maintenance.
pub(crate) const ROUND: Duration = Duration::from_millis(500);

/// Something that can be in an agenda.
pub(crate) trait Due {
    /// A unique number.
    fn number(&self) -> u64;

    /// When it is due, in monotonic milliseconds. Only the agenda sets it.
    fn due_ms(&self) -> &AtomicU64;
}

/// Entries by due time, in monotonic milliseconds, and number.
type Entries<T> = BTreeMap<(u64, u64), Weak<T>>;

/// Entries in the order in which they are due, each at most once. Clones share one agenda.
pub(crate) struct Agenda<T>(Arc<Mutex<Entries<T>>>);

impl<T> Clone for Agenda<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Due> Agenda<T> {
    /// Schedules `entry` for `due_ms`, unless it is scheduled for an earlier time.
    pub(crate) fn put(&self, entry: &Arc<T>, due_ms: u64) {
        if entry.due_ms().load(Ordering::Acquire) <= due_ms {
            return;
        }
        let mut entries = self.entries();
        let before = entry.due_ms().load(Ordering::Acquire);
        if before <= due_ms {
            return;
        }
        if before != NEVER {
            entries.remove(&(before, entry.number()));
        }
        entries.insert((due_ms, entry.number()), Arc::downgrade(entry));
        entry.due_ms().store(due_ms, Ordering::Release);
    }

    /// Removes and returns the entries that are due.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<Arc<T>> {
        let mut entries = self.entries();
        let later = entries.split_off(&(now_ms.saturating_add(1), 0));
        let due = std::mem::replace(&mut *entries, later);
        let due = due.into_values().filter_map(|entry| entry.upgrade());
        due.inspect(|entry| entry.due_ms().store(NEVER, Ordering::Release)).collect()
    }

    /// The number of scheduled entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.0.lock()
    }
}
