//! Whether an object's relay runs, and whether it has something to do.

use std::sync::MutexGuard;

use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::activation::{Running, Tasks};
use crate::sync::Mutex;

/// The state of one object's relay.
#[derive(Default)]
pub(crate) struct RelayState {
    state: Mutex<State>,
    pub(super) woken: Notify,
}

#[derive(Default)]
struct State {
    at_work: bool,
    /// There may be new messages since the relay last read the outbox.
    again: bool,
    /// Counts the relay as busy; while it only waits, it is not counted.
    busy: Option<Running>,
}

impl RelayState {
    /// Asks the relay to read the outbox again. Returns `true` if a relay must be started.
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

    /// Notes that the relay reads the outbox now, which serves all requests so far.
    pub(super) fn looks(&self, deliveries: &Tasks) {
        let _ = self.woken.notified().now_or_never();
        let mut state = self.state();
        state.again = false;
        state.busy.get_or_insert_with(|| deliveries.begin());
    }

    /// Notes that the relay only waits from now on, unless new messages may have arrived.
    pub(super) fn rests(&self) {
        let mut state = self.state();
        if !state.again {
            state.busy = None;
        }
    }

    /// Ends the relay, unless new messages may have arrived. Returns whether it ended.
    pub(super) fn ends(&self) -> bool {
        let mut state = self.state();
        state.at_work = state.again;
        if !state.at_work {
            state.busy = None;
        }
        !state.at_work
    }

    /// Notes that the relay's task ended early; the next message starts another.
    pub(super) fn is_lost(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
