//! Clients: each asks one thing at a time, waits for the answer as long as it has patience, thinks,
//! and asks the next.

use crate::router::At;
use crate::simulation::chance::Chance;
use crate::simulation::clock::START_US;
use crate::simulation::history::{Antics, Ask, Moment};
use crate::simulation::plan::{HOUR, MS, Plan, SECOND, TWINS};
use crate::simulation::schemas::CODES;

/// One client.
pub(super) struct Client {
    /// How many operations are left.
    pub(super) left: usize,
    /// The machine that it usually asks, and the object.
    machine: usize,
    object: usize,
    /// The request that it waits for.
    pub(super) waits_for: Option<usize>,
    /// What it wants to have done although it was not told so.
    pub(super) again: Option<(usize, Ask)>,
    /// Counts what it has waited for, so that it is not woken twice.
    pub(super) wakes: u64,
}

/// What a client does next.
pub(super) struct Intention {
    pub(super) machine: usize,
    pub(super) object: usize,
    pub(super) ask: Ask,
    pub(super) antics: Antics,
    pub(super) patience_us: u64,
}

impl Client {
    pub(super) fn draw(chance: &mut Chance, plan: &Plan) -> Self {
        let (machine, object) =
            (chance.index(plan.machines.len()), TWINS + chance.index(plan.objects));
        Self { left: plan.operations, machine, object, waits_for: None, again: None, wakes: 0 }
    }

    /// The next operation, which writes `value` if it writes.
    pub(super) fn next(&mut self, chance: &mut Chance, plan: &Plan, value: i64) -> Intention {
        self.left -= 1;
        if chance.in_thousand(250) {
            self.machine = chance.index(plan.machines.len());
        }
        if chance.in_thousand(200) {
            self.object = TWINS + chance.index(plan.objects);
        }
        let other = TWINS + (self.object + 1 - TWINS) % plan.objects;
        let number = value;
        let value =
            value * CODES + if plan.codes.is_empty() { 0 } else { chance.pick(&plan.codes) };
        let ask = match chance.below(100) {
            0..50 => Ask::Append(value),
            50..58 if other != self.object => Ask::Give(value, other),
            58..68 if other != self.object => Ask::Send(value, other),
            _ if chance.in_thousand(plan.former) => Ask::Past(former(chance)),
            _ => Ask::Read,
        };
        let ask = match ask {
            Ask::Give(value, _) | Ask::Send(value, _) if plan.ends => Ask::Append(value),
            ask => ask,
        };
        let patience_us = if chance.in_thousand(100) {
            chance.spread(MS..=SECOND)
        } else {
            chance.spread(SECOND..=60 * SECOND)
        };
        let (object, ask) =
            self.again.take().unwrap_or_else(|| of_a_tenant(number, self.object, ask));
        let antics = Antics {
            // A key counts where a method says that something is written.
            by_get: !plan.keyed && chance.in_thousand(300),
            panics: chance.in_thousand(plan.antics).then(|| chance.pick(&Moment::ALL)),
            replaces: plan.replaces && number % 3 == 1,
            rings: plan.rings,
            leaves: plan.leaves,
            by_socket: plan.sockets && !plan.keyed && number % 3 > 0,
            ends: plan.ends && number % 4 == 2,
        };
        Intention { machine: self.machine, object, ask, antics, patience_us }
    }
}

/// Makes every sixth operation one on an object of the second tenant. By no chance, so that
/// everything else in a world is what it would be without that tenant.
fn of_a_tenant(number: i64, object: usize, ask: Ask) -> (usize, Ask) {
    let number = usize::try_from(number).unwrap_or_default();
    if number % 6 > 0 {
        return (object, ask);
    }
    let (twin, other) = (number / 6 % TWINS, (number / 6 + 1) % TWINS);
    let ask = match ask {
        Ask::Give(value, _) => Ask::Give(value, other),
        Ask::Send(value, _) => Ask::Send(value, other),
        ask => ask,
    };
    (twin, ask)
}

/// A former state that may be there.
fn former(chance: &mut Chance) -> At {
    if chance.in_thousand(700) {
        return At::Sequence(chance.spread(1..=20));
    }
    At::TimeMs(START_US / 1000 + i64::try_from(chance.within(0..=3 * HOUR) / 1000).expect("hours"))
}
