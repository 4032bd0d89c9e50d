//! When each activation has to be looked at next, so that nobody looks at those where nothing is
//! due.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use crate::sync::Mutex;

/// What an entry that is not in the agenda has as its time.
pub(crate) const NEVER: u64 = u64::MAX;

/// How often somebody looks at what is due.
pub(crate) const ROUND: Duration = Duration::from_millis(500);

/// What can be in an agenda.
pub(crate) trait Due {
    /// A number that no other entry has.
    fn number(&self) -> u64;

    /// When it is looked at next, in monotonic milliseconds; the agenda's alone to set.
    fn due_ms(&self) -> &AtomicU64;
}

/// Entries by the time when they are due, in monotonic milliseconds, and their number.
type Entries<T> = BTreeMap<(u64, u64), Weak<T>>;

/// Entries in the order in which they are due. Each is in it once at most. Clones are the same.
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
    /// Has `entry` looked at when `due_ms` is there, or earlier if that was said before.
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

    /// Takes out the entries that are due.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<Arc<T>> {
        let mut entries = self.entries();
        let later = entries.split_off(&(now_ms.saturating_add(1), 0));
        let due = std::mem::replace(&mut *entries, later);
        let due = due.into_values().filter_map(|entry| entry.upgrade());
        due.inspect(|entry| entry.due_ms().store(NEVER, Ordering::Release)).collect()
    }

    /// How many entries will be looked at.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.0.lock()
    }
}
