//! When a process must look at which of its objects. Pure state behind one lock.
//!
//! A timer is a hint: what runs is what the object's row says then. One too many costs a look, and a
//! lost one makes an alarm later, because its marker is found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::id::ObjectId;
use crate::limits::{ALARM_SLEEP_MAX, ALARM_TIMERS_MAX};
use crate::millis;
use crate::sync::Mutex;

/// The timers that a process owns. Whoever waits for the earliest is notified when it is dropped.
#[derive(Default)]
pub(crate) struct OwnTimers(Arc<Timers>);

impl OwnTimers {
    /// The timers, for whoever waits for them.
    pub(super) fn shared(&self) -> Arc<Timers> {
        self.0.clone()
    }
}

impl Deref for OwnTimers {
    type Target = Timers;

    fn deref(&self) -> &Timers {
        &self.0
    }
}

impl Drop for OwnTimers {
    fn drop(&mut self) {
        self.0.earlier.notify_one();
    }
}

/// The timers of a process, one an object.
pub(crate) struct Timers {
    state: Mutex<State>,
    /// Notified when the earliest timer has become earlier.
    pub(super) earlier: Notify,
    most: usize,
}

#[derive(Default)]
struct State {
    by_time: BTreeSet<(i64, ObjectId)>,
    by_object: BTreeMap<ObjectId, i64>,
    /// Whether there was no room for a timer.
    is_partial: bool,
}

impl Default for Timers {
    fn default() -> Self {
        Self::of(ALARM_TIMERS_MAX)
    }
}

impl Timers {
    fn of(most: usize) -> Self {
        Self { state: Mutex::default(), earlier: Notify::new(), most }
    }

    /// Times `object` for `at_ms` by the wall clock, in the place of another time.
    pub(crate) fn arm(&self, object: &ObjectId, at_ms: i64) {
        let mut state = self.state.lock();
        state.remove(object);
        let first = state.by_time.first().map(|(first, _)| *first);
        state.by_time.insert((at_ms, object.clone()));
        state.by_object.insert(object.clone(), at_ms);
        if state.by_time.len() > self.most
            && let Some((_, latest)) = state.by_time.pop_last()
        {
            state.by_object.remove(&latest);
            state.is_partial = true;
        }
        drop(state);
        if first.is_none_or(|first| at_ms < first) {
            self.earlier.notify_one();
        }
    }

    /// Times `object` for `at_ms`, unless it is timed.
    pub(super) fn arm_unless_timed(&self, object: &ObjectId, at_ms: i64) {
        if !self.state.lock().by_object.contains_key(object) {
            self.arm(object, at_ms);
        }
    }

    /// Whether some of this process's alarms have no timer for want of room.
    pub(super) fn is_partial(&self) -> bool {
        self.state.lock().is_partial
    }

    /// Removes and returns the objects that are due at `now_ms`, the earliest first.
    pub(super) fn due(&self, now_ms: i64) -> Vec<ObjectId> {
        let mut state = self.state.lock();
        let mut due = Vec::new();
        while state.by_time.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms)
            && let Some((_, object)) = state.by_time.pop_first()
        {
            state.by_object.remove(&object);
            due.push(object);
        }
        due
    }

    /// How long to sleep from `now_ms` on; `None` when there is no timer.
    pub(super) fn pause(&self, now_ms: i64) -> Option<Duration> {
        let first = self.state.lock().by_time.first().map(|(at_ms, _)| *at_ms)?;
        Some(millis::between(now_ms, first).min(ALARM_SLEEP_MAX))
    }
}

impl State {
    fn remove(&mut self, object: &ObjectId) {
        if let Some(at_ms) = self.by_object.remove(object) {
            self.by_time.remove(&(at_ms, object.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Tenant;

    fn object(number: i64) -> ObjectId {
        Tenant::local().object("X", &format!("{number}")).expect("a good id")
    }

    #[test]
    fn an_object_has_one_timer_and_the_earliest_are_due_first() {
        let timers = Timers::of(10);
        for (number, at_ms) in [(1, 50), (2, 20), (3, 40), (1, 30)] {
            timers.arm(&object(number), at_ms);
        }
        timers.arm_unless_timed(&object(2), 1);
        assert_eq!(timers.pause(15), Some(Duration::from_millis(5)));
        assert_eq!(timers.pause(-1_000_000), Some(ALARM_SLEEP_MAX), "clocks are set");
        assert_eq!(timers.due(19), []);
        assert_eq!(timers.due(40), [object(2), object(1), object(3)]);
        assert_eq!(timers.due(i64::MAX), []);
        assert_eq!(timers.pause(0), None);
        assert!(!timers.is_partial());
    }

    #[test]
    fn when_there_is_no_room_the_latest_are_left_to_their_markers() {
        let timers = Timers::of(3);
        for number in (0..6).rev() {
            timers.arm(&object(number), number);
        }
        timers.arm(&object(7), 7);
        assert!(timers.is_partial());
        assert_eq!(timers.due(i64::MAX), [object(0), object(1), object(2)]);
        assert!(timers.state.lock().by_object.is_empty());
    }
}
