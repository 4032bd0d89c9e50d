//! Whether an object's relay is running, and whether it has something to do.

use std::sync::MutexGuard;

use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::activation::{Running, Tasks};
use crate::sync::Mutex;

/// Whether a relay is running for an object.
#[derive(Default)]
pub(crate) struct RelayState {
    state: Mutex<State>,
    pub(super) woken: Notify,
}

#[derive(Default)]
struct State {
    at_work: bool,
    /// There may be something new since it last looked.
    again: bool,
    /// Counts it among those that have something to do now, not only something to wait for.
    busy: Option<Running>,
}

impl RelayState {
    /// Asks for another look; `true` when a relay must be started for it.
    pub(super) fn ask(&self, deliveries: &Tasks) -> bool {
        let mut state = self.state();
        state.busy.get_or_insert_with(|| deliveries.begin());
        if !std::mem::replace(&mut state.at_work, true) {
            return true;
        }
        state.again = true;
        self.woken.notify_one();
        false
    }

    /// What was asked for until now is looked for now.
    pub(super) fn looks(&self, deliveries: &Tasks) {
        let _ = self.woken.notified().now_or_never();
        let mut state = self.state();
        state.again = false;
        state.busy.get_or_insert_with(|| deliveries.begin());
    }

    /// It only waits from now on, unless something may have come since the last look.
    pub(super) fn rests(&self) {
        let mut state = self.state();
        if !state.again {
            state.busy = None;
        }
    }

    /// Ends the work, unless something may have come since the last look.
    pub(super) fn ends(&self) -> bool {
        let mut state = self.state();
        state.at_work = state.again;
        if !state.at_work {
            state.busy = None;
        }
        !state.at_work
    }

    /// Its task has ended early: the next message sends another.
    pub(super) fn is_lost(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
