//! Which objects this process has written that their roll-ups do not have yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::id::ObjectId;
use crate::limits::{ROLLUP_DELAY, ROLLUP_PAUSE_MAX, ROLLUP_PENDING_MAX};
use crate::messages::Marker;
use crate::sync::Mutex;

/// The objects whose changes wait for their roll-ups. A hint: each has a marker in the bucket.
#[derive(Default)]
pub(crate) struct Rollups {
    state: Mutex<BTreeMap<ObjectId, Entry>>,
    /// Notified when something is due earlier than before.
    pub(super) earlier: Notify,
}

struct Entry {
    marker: Arc<Marker>,
    /// The newest record of this process that may have changes.
    head: u64,
    /// Number of failures in a row.
    failures: u32,
    step: Step,
}

/// What comes next, and when by the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The changes are rolled up.
    Drain(Duration),
    /// That is under way; whether there were changes since it began.
    UnderWay { again: bool },
    /// The marker goes, unless there are changes until then.
    Unmark(Duration),
}

/// An object whose changes are to be rolled up now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) object: ObjectId,
    /// Its newest record, as far as this process knows; 0: nothing is known.
    pub(crate) head: u64,
}

/// A marker that may go.
pub(super) struct Unmarked {
    pub(super) object: ObjectId,
    pub(super) marker: Arc<Marker>,
    pub(super) uses: u64,
}

impl Rollups {
    /// Notes at `now` that the record `head` of `object` will have changes. Returns the marker that
    /// the object must have until then; `None` when there is no room, so that it needs one of its
    /// own.
    pub(crate) fn note(&self, object: &ObjectId, head: u64, now: Duration) -> Option<Arc<Marker>> {
        let due = now + ROLLUP_DELAY;
        let mut state = self.state.lock();
        if let Some(entry) = state.get_mut(object) {
            entry.head = entry.head.max(head);
            match &mut entry.step {
                Step::Drain(_) => {}
                Step::UnderWay { again } => *again = true,
                step @ Step::Unmark(_) => *step = Step::Drain(due),
            }
            return Some(entry.marker.clone());
        }
        if state.len() >= ROLLUP_PENDING_MAX {
            return None;
        }
        let marker = Arc::new(Marker::of_rollup());
        let entry = Entry { marker: marker.clone(), head, failures: 0, step: Step::Drain(due) };
        state.insert(object.clone(), entry);
        drop(state);
        self.earlier.notify_one();
        Some(marker)
    }

    /// Takes what is due until `until`; with it, what is of the same roll-ups and due within the
    /// delay, because what is rolled up together shares a record.
    pub(super) fn take(&self, until: Duration) -> Vec<Pending> {
        let mut state = self.state.lock();
        let is_due = |entry: &Entry| matches!(entry.step, Step::Drain(due) if due <= until);
        let of = |object: &ObjectId| (object.tenant().clone(), object.class().to_owned());
        let due: Vec<_> =
            state.iter().filter(|(_, entry)| is_due(entry)).map(|(object, _)| of(object)).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let soon = until.saturating_add(ROLLUP_DELAY);
        take(&mut state, |object, entry| {
            let is_soon = matches!(entry.step, Step::Drain(due) if due <= soon);
            is_soon && entry.failures == 0 && due.contains(&of(object)) || is_due(entry)
        })
    }

    /// Takes all objects that wait and that `is_wanted`.
    pub(super) fn take_all(&self, is_wanted: impl Fn(&ObjectId) -> bool) -> Vec<Pending> {
        let mut state = self.state.lock();
        take(&mut state, |object, entry| matches!(entry.step, Step::Drain(_)) && is_wanted(object))
    }

    /// Notes at `now` that the changes of `object` until it was taken are rolled up. Its marker stays
    /// for `marker_stays`, because more changes may follow.
    pub(super) fn done(&self, object: &ObjectId, now: Duration, marker_stays: Duration) {
        self.ended(
            object,
            |entry| {
                entry.failures = 0;
                Step::Unmark(now + marker_stays)
            },
            now,
        );
    }

    /// Notes at `now` that the changes of `object` could not be rolled up.
    pub(super) fn failed(&self, object: &ObjectId, now: Duration) {
        self.ended(
            object,
            |entry| {
                entry.failures = entry.failures.saturating_add(1);
                let pause = ROLLUP_DELAY * 2_u32.pow(entry.failures.min(10));
                Step::Drain(now + pause.min(ROLLUP_PAUSE_MAX))
            },
            now,
        );
    }

    fn ended(&self, object: &ObjectId, next: impl FnOnce(&mut Entry) -> Step, now: Duration) {
        let mut state = self.state.lock();
        let Some(entry) = state.get_mut(object) else { return };
        let again = entry.step == Step::UnderWay { again: true };
        let step = next(entry);
        entry.step =
            if again && entry.failures == 0 { Step::Drain(now + ROLLUP_DELAY) } else { step };
        drop(state);
        self.earlier.notify_one();
    }

    /// The marker of an object, if it waits here.
    pub(super) fn marker(&self, object: &ObjectId) -> Option<Arc<Marker>> {
        self.state.lock().get(object).map(|entry| entry.marker.clone())
    }

    /// Takes the markers out that may go at `now`.
    pub(super) fn unmark(&self, now: Duration) -> Vec<Unmarked> {
        let mut unmarked = Vec::new();
        self.state.lock().retain(|object, entry| {
            let goes = matches!(entry.step, Step::Unmark(due) if due <= now);
            if goes {
                let (marker, uses) = (entry.marker.clone(), entry.marker.uses());
                unmarked.push(Unmarked { object: object.clone(), marker, uses });
            }
            !goes
        });
        unmarked
    }

    /// When something is due next, by the monotonic clock.
    pub(super) fn next(&self) -> Option<Duration> {
        let due = |entry: &Entry| match entry.step {
            Step::Drain(due) | Step::Unmark(due) => Some(due),
            Step::UnderWay { .. } => None,
        };
        self.state.lock().values().filter_map(due).min()
    }
}

fn take(
    state: &mut BTreeMap<ObjectId, Entry>,
    is_taken: impl Fn(&ObjectId, &Entry) -> bool,
) -> Vec<Pending> {
    let mut taken = Vec::new();
    for (object, entry) in state {
        if is_taken(object, entry) {
            entry.step = Step::UnderWay { again: false };
            taken.push(Pending { object: object.clone(), head: entry.head });
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAYS: Duration = Duration::from_secs(20);

    fn object(id: &str) -> ObjectId {
        Tenant::local().object("Shop", id).expect("a good id")
    }

    use crate::id::Tenant;

    fn ids(pending: &[Pending]) -> Vec<&str> {
        pending.iter().map(|pending| pending.object.id()).collect()
    }

    #[test]
    fn what_waits_is_taken_together_and_once() {
        let (rollups, start) = (Rollups::default(), Duration::from_secs(100));
        assert!(rollups.note(&object("a"), 1, start).is_some());
        rollups.note(&object("b"), 7, start + ROLLUP_DELAY / 2);
        rollups.note(&object("a"), 2, start + ROLLUP_DELAY / 2);
        assert_eq!(rollups.take(start), [], "many writes share the delay");
        let due = start + ROLLUP_DELAY;
        assert_eq!(rollups.next(), Some(due));
        let taken = rollups.take(due);
        assert_eq!(ids(&taken), ["a", "b"]);
        assert_eq!(taken[0].head, 2);
        assert_eq!(rollups.take(due + ROLLUP_DELAY), []);
        rollups.note(&object("b"), 8, due);
        rollups.done(&object("a"), due, STAYS);
        rollups.done(&object("b"), due, STAYS);
        assert_eq!(ids(&rollups.take_all(|_| true)), ["b"], "it has changed meanwhile");
        assert_eq!(rollups.unmark(due + STAYS).len(), 1, "nothing of `a` waits any more");
        assert!(rollups.marker(&object("a")).is_none() && rollups.marker(&object("b")).is_some());
    }

    #[test]
    fn what_has_failed_waits_longer_each_time_and_is_not_forgotten() {
        let (rollups, mut now) = (Rollups::default(), Duration::ZERO);
        rollups.note(&object("a"), 1, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let due = rollups.next().expect("it waits");
            pauses.push(due - now);
            now = due;
            assert_eq!(rollups.take(now).len(), 1);
            rollups.failed(&object("a"), now);
        }
        assert!(pauses.is_sorted() && pauses.last() == Some(&ROLLUP_PAUSE_MAX), "{pauses:?}");
    }
}
