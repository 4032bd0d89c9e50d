//! What happens to machines, to the network and to clocks.

use crate::simulation::plan::{HOUR, MINUTE, MS, Plan, SECOND};
use crate::simulation::timeline::State;

/// Something bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A machine stands still for so long.
    Freeze(usize, u64),
    /// All machines do.
    FreezeAll(u64),
    /// A process is killed; another starts after so long.
    Crash(usize, u64),
    /// A process is asked to end.
    Stop(usize),
    /// Nothing passes between a machine and the store.
    Cut(usize, u64),
    /// Nothing passes between two machines.
    Part(usize, usize, u64),
    /// The store answers nobody.
    Outage(u64),
    /// A wall clock is set.
    Jump(usize, i64),
}

impl Act {
    pub(super) fn draw(state: &mut State, plan: &Plan) -> Self {
        let machines = plan.machines.len();
        let chance = &mut state.chance;
        let machine = chance.index(machines);
        if plan.clocks_only {
            return Self::Jump(
                machine,
                i64::try_from(chance.within(10 * SECOND..=MINUTE)).expect("a minute"),
            );
        }
        if plan.crashes_only {
            return Self::Crash(machine, chance.spread(SECOND..=MINUTE));
        }
        if plan.network.forwards && chance.in_thousand(150) {
            return Self::Part(
                machine,
                chance.index(machines),
                chance.spread(100 * MS..=40 * SECOND),
            );
        }
        match chance.below(if plan.hours { 130 } else { 100 }) {
            0..30 if plan.hours && chance.in_thousand(400) => {
                Self::Freeze(machine, chance.within(HOUR..=3 * HOUR))
            }
            0..30 => Self::Freeze(machine, chance.spread(100 * MS..=MINUTE)),
            30..45 => Self::Crash(machine, chance.spread(MS..=20 * SECOND)),
            45..60 => Self::Stop(machine),
            60..78 => Self::Cut(machine, chance.spread(100 * MS..=40 * SECOND)),
            78..88 => Self::Outage(chance.spread(100 * MS..=20 * SECOND)),
            88..100 => {
                let most_us = if chance.in_thousand(500) { MINUTE } else { 5 * HOUR };
                let by_us = i64::try_from(chance.spread(SECOND..=most_us)).expect("some hours");
                Self::Jump(machine, if chance.in_thousand(500) { by_us } else { -by_us })
            }
            _ => Self::FreezeAll(chance.within(HOUR..=HOUR + 20 * MINUTE)),
        }
    }
}
