//! A machine's clocks: a wrong rate, a wall clock that jumps, and a monotonic clock that may stand
//! still while the machine is frozen.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::simulation::plan::ClockPlan;
use crate::simulation::timeline::{Delivery, Event, Process, State, Timeline};

/// Where true time begins, by a wall clock that is right.
pub(super) const START_US: i64 = 1_700_000_000_000_000;

/// The housekeeping of an engine sleeps this long between two rounds. Sleeps of this length may
/// last longer while there are faults, as on a slow machine, so that hours are cheap.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// The clocks of one machine as functions of true time.
pub(super) struct Dial {
    plan: ClockPlan,
    /// The monotonic clock has stood still for so long.
    stood_us: u64,
    frozen_at_us: u64,
    jumped_us: i64,
}

impl Dial {
    pub(super) fn new(plan: ClockPlan) -> Self {
        Self { plan, stood_us: 0, frozen_at_us: 0, jumped_us: 0 }
    }

    /// So much has passed for a clock with this one's rate.
    fn scaled(&self, true_us: u64) -> u64 {
        let rate = u128::from(1_000_000_u64.saturating_add_signed(self.plan.rate_ppm));
        u64::try_from(u128::from(true_us) * rate / 1_000_000).expect("some days")
    }

    pub(super) fn monotonic_us(&self, now_us: u64) -> u64 {
        self.scaled(now_us) - self.stood_us
    }

    fn wall_us(&self, now_us: u64) -> i64 {
        START_US
            + self.plan.offset_us
            + self.jumped_us
            + i64::try_from(self.scaled(now_us)).expect("some days")
    }

    /// How much true time passes until the monotonic clock shows `due_us`.
    pub(super) fn until(&self, now_us: u64, due_us: u64) -> u64 {
        let left = due_us.saturating_sub(self.monotonic_us(now_us));
        let rate = u128::from(1_000_000_u64.saturating_add_signed(self.plan.rate_ppm));
        if left == 0 {
            0
        } else {
            u64::try_from(u128::from(left) * 1_000_000 / rate).expect("some days") + 2
        }
    }

    pub(super) fn freeze(&mut self, now_us: u64) {
        self.frozen_at_us = now_us;
    }

    pub(super) fn thaw(&mut self, now_us: u64) {
        if self.plan.stands_still {
            self.stood_us += self.scaled(now_us) - self.scaled(self.frozen_at_us);
        }
    }

    /// Sets the wall clock by up to some hours, where it may be set: see
    /// [`ClockPlan::stands_still`].
    pub(super) fn jump(&mut self, by_us: i64) {
        self.jumped_us += if self.plan.stands_still { by_us.abs() } else { by_us };
    }
}

/// The clock that a process is given.
pub(super) struct SimClock {
    pub(super) timeline: Timeline,
    pub(super) process: Process,
}

impl SimClock {
    fn dial<T>(&self, read: impl FnOnce(&State, &Dial) -> T) -> T {
        let state = self.timeline.lock();
        read(&state, &state.machines[self.process.machine].clock)
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.dial(|state, dial| dial.monotonic_us(state.now_us)))
    }

    fn wall_ms(&self) -> i64 {
        self.dial(|state, dial| dial.wall_us(state.now_us)) / 1000
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let (sender, fired) = oneshot::channel();
        let mut state = self.timeline.lock();
        let over_us = if duration == HOUSEKEEPING && state.oversleep_us > 0 {
            let most_us = state.oversleep_us;
            state.chance.below(most_us)
        } else {
            0
        };
        let now_us = state.now_us;
        let dial = &state.machines[self.process.machine].clock;
        let due_us = dial.monotonic_us(now_us)
            + u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
            + over_us;
        let after_us = dial.until(now_us, due_us);
        state.schedule(after_us, Event::Deliver(self.process, Delivery::Timer(sender, due_us)));
        drop(state);
        Box::pin(async move {
            // The sender is dropped with the process only.
            if fired.await.is_err() {
                pending::<()>().await;
            }
        })
    }
}
