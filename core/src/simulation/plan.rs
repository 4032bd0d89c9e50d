//! What kind of world a seed makes: how many machines, which faults, how often.

use std::time::Duration;

use crate::limits::RETENTION_MIN;
use crate::planted::{Bug, PLACES, Place, planted};
use crate::settings::{Checkpoint, CheckpointMode, Ownership, Settings};
use crate::simulation::chance::Chance;
use crate::simulation::network::address;
use crate::simulation::schemas;

pub(super) const MS: u64 = 1000;
pub(super) const SECOND: u64 = 1000 * MS;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// What tells the chance of two stores from others of a seed.
const SPLIT: u64 = 0x5917_0000_0000_0000;

/// How many objects a second tenant has. They have the lowest numbers, and the class and id of the
/// first ones of the first tenant.
pub(super) const TWINS: usize = 2;

/// A world before it begins.
pub(super) struct Plan {
    pub(super) machines: Vec<MachinePlan>,
    /// How many objects the first tenant has.
    pub(super) objects: usize,
    pub(super) clients: usize,
    /// How many operations each client does.
    pub(super) operations: usize,
    /// How many things happen to machines, the network and clocks.
    pub(super) acts: u64,
    /// At most this much time between two of them.
    pub(super) act_pause_us: u64,
    /// Nothing happens but that wall clocks are set forward, often, while servers wait for each
    /// other's leases.
    pub(super) clocks_only: bool,
    /// Nothing happens but that processes are killed, and others do not follow soon.
    pub(super) crashes_only: bool,
    /// Hours pass, snapshots are frequent, and old things are deleted.
    pub(super) hours: bool,
    /// The store knows which processes have ended, as a folder does.
    pub(super) knows_the_dead: bool,
    /// At most this long from a machine to the store, and back.
    pub(super) latency_us: u64,
    /// At most this long between two operations of a client.
    pub(super) think_us: u64,
    /// Clients send again, with an idempotency key, what they were not told of.
    pub(super) keyed: bool,
    pub(super) faults: Faults,
    pub(super) network: NetworkPlan,
    /// What requests do to tables beside the list; nothing, if there is none.
    pub(super) codes: Vec<i64>,
    /// How often a handler panics, or is told of what left it, in a thousand.
    pub(super) antics: u64,
    /// How often a read is one of a former state, in a thousand.
    pub(super) former: u64,
    /// Some requests replace the whole state.
    pub(super) replaces: bool,
    /// What is sent is sent by alarms.
    pub(super) rings: bool,
    /// Some appends leave their turn.
    pub(super) leaves: bool,
    /// Some requests are messages on WebSockets.
    pub(super) sockets: bool,
    /// Some requests delete the object; nothing is handed on then.
    pub(super) ends: bool,
    /// The store has many clocks.
    pub(super) many_clocks: bool,
    /// The log is in one store, which coordinates, and files are in another that only stores.
    pub(super) is_split: bool,
    /// A panic of our own, at this place, when it is passed so many times.
    pub(super) mishap: Option<(Place, u64)>,
}

/// What servers are to each other, and how often that goes wrong, in a thousand.
#[derive(Clone, Copy, Default)]
pub(super) struct NetworkPlan {
    /// They send each other requests.
    pub(super) forwards: bool,
    /// They tell each other what they own.
    pub(super) tells: bool,
    pub(super) request_lost: u64,
    pub(super) answer_lost: u64,
    pub(super) late: u64,
}

/// One machine and what runs on it.
#[derive(Clone)]
pub(super) struct MachinePlan {
    pub(super) settings: Settings,
    pub(super) clock: ClockPlan,
}

/// How a machine's clocks are wrong.
#[derive(Clone, Copy)]
pub(super) struct ClockPlan {
    /// So much faster than true time.
    pub(super) rate_ppm: i64,
    /// The wall clock begins so far from true time.
    pub(super) offset_us: i64,
    /// The monotonic clock stands still while the machine is frozen. Then its wall clock is never
    /// set back: a machine whose clocks both lie in the same way can't know that time has passed.
    pub(super) stands_still: bool,
}

/// How often a request to the store goes wrong, in a thousand.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) request_lost: u64,
    pub(super) answer_lost: u64,
    pub(super) twice: u64,
    pub(super) late: u64,
    pub(super) conflict: u64,
    pub(super) error_before: u64,
    pub(super) error_after: u64,
    pub(super) refused: u64,
    /// The machine freezes when it is about to send.
    pub(super) frozen_before: u64,
}

impl Plan {
    /// The world of a seed.
    pub(super) fn of(seed: u64, chance: &mut Chance) -> Self {
        // By chances of their own, so that all other worlds are what they would be without them.
        let mut plan = if Chance::new(!seed).in_thousand(60) {
            Self::of_rebuilds(chance)
        } else {
            Self::draw(chance)
        };
        let needed = planted(Bug::ReplayedAcross) || planted(Bug::NamedBeforeUploaded);
        if needed || Chance::new(seed.rotate_left(32)).in_thousand(150) {
            // A state that is replaced again after an unknown outcome would have its value twice.
            (plan.replaces, plan.keyed) = (true, false);
        }
        if Chance::new(seed ^ SPLIT).in_thousand(110) {
            (plan.is_split, plan.knows_the_dead) = (true, false);
        }
        plan.leaves =
            planted(Bug::ContinuedBeforeRecord) || planted(Bug::ContinuedTwice) || seed % 10 == 4;
        plan.rings = planted(Bug::AlarmTakenTwice) || seed % 4 == 2;
        plan.sockets = planted(Bug::FrameBeforeRecord) || seed % 16 == 11;
        plan.ends = planted(Bug::EndUnfollowed) || seed % 32 == 12;
        if plan.ends {
            // What an object was before its end is told by nobody after it.
            (plan.replaces, plan.leaves, plan.rings, plan.sockets) = (false, false, false, false);
            (plan.keyed, plan.codes) = (false, Vec::new());
        }
        if !plan.rings {
            // Nobody searches for alarms, so that these worlds are what they would be without them.
            plan.machines.iter_mut().for_each(|of| of.settings.alarm_scan = Duration::ZERO);
        }
        plan
    }

    fn draw(chance: &mut Chance) -> Self {
        let hours = chance.in_thousand(250);
        let machines = chance.within(if hours { 2..=3 } else { 1..=3 });
        let objects = chance.pick(&[1, 1, 1, 2, 2, 3]);
        let every_request = chance.in_thousand(20);
        let crowded = objects > 1 && chance.in_thousand(200);
        // Servers only, functions only, or both on one bucket.
        let functions = chance.pick(&[0, 0, 0, 500, 500, 500, 1000, 1000]);
        let machines = (0..machines).map(|_| {
            let mut machine = MachinePlan::draw(chance, hours, every_request, crowded);
            if chance.in_thousand(functions) {
                machine.settings.ownership = Ownership::PerRequest;
            }
            machine
        });
        let machines: Vec<MachinePlan> = machines.collect();
        let clocks_only = !hours && machines.len() > 1 && chance.in_thousand(100);
        if clocks_only {
            return Self::of_clocks(machines, chance);
        }
        if !hours && machines.len() > 1 && chance.in_thousand(60) {
            return Self::of_take_overs(machines, chance);
        }
        let network = NetworkPlan::draw(chance, machines.len());
        let mut machines = machines;
        for (number, machine) in machines
            .iter_mut()
            .enumerate()
            .filter(|(_, machine)| machine.settings.ownership == Ownership::Leased)
        {
            machine.settings.address = network.forwards.then(|| address(number));
        }
        Self {
            machines,
            objects,
            clients: chance.pick(&[2, 2, 3, 3, 4]),
            operations: chance.pick(&[3, 4, 5, 6, 8]),
            acts: if hours { chance.within(3..=8) } else { chance.within(0..=5) },
            act_pause_us: chance.pick(&[300 * MS, 3 * SECOND, 20 * SECOND]),
            clocks_only,
            crashes_only: false,
            hours,
            knows_the_dead: chance.in_thousand(100),
            latency_us: chance.pick(&[MS, 10 * MS, 60 * MS]),
            think_us: chance.pick(&[
                5 * MS,
                200 * MS,
                3 * SECOND,
                if hours { 5 * MINUTE } else { 15 * SECOND },
            ]),
            keyed: chance.in_thousand(600) && !planted(Bug::SafeMethodBelieved),
            faults: Faults::draw(chance, hours),
            network,
            codes: draw_codes(chance),
            antics: chance.pick(&[0, 0, 50, 200]),
            former: chance.pick(&[0, 0, 100, 400]),
            replaces: false,
            rings: false,
            leaves: false,
            sockets: false,
            ends: false,
            many_clocks: chance.in_thousand(300),
            is_split: false,
            mishap: draw_mishap(chance),
        }
    }

    /// Servers with long leases, busy clients, and wall clocks that are set forward all the time.
    fn of_clocks(mut machines: Vec<MachinePlan>, chance: &mut Chance) -> Self {
        for machine in &mut machines {
            machine.settings.ownership = Ownership::Leased;
            machine.settings.lease_duration =
                Duration::from_micros(chance.within(5 * SECOND..=15 * SECOND));
            machine.settings.turn_wait_max = Duration::from_micros(20 * SECOND);
        }
        Self {
            machines,
            objects: 1,
            clients: 4,
            operations: chance.pick(&[6, 8, 10]),
            acts: chance.within(6..=14),
            act_pause_us: chance.pick(&[300 * MS, SECOND]),
            clocks_only: true,
            crashes_only: false,
            hours: false,
            knows_the_dead: false,
            latency_us: chance.pick(&[MS, 10 * MS]),
            think_us: chance.pick(&[200 * MS, SECOND]),
            keyed: false,
            faults: Faults::default(),
            network: NetworkPlan::default(),
            codes: Vec::new(),
            antics: 0,
            former: 0,
            replaces: false,
            rings: false,
            leaves: false,
            sockets: false,
            ends: false,
            many_clocks: false,
            is_split: false,
            mishap: None,
        }
    }
}

impl Plan {
    /// Servers that send each other requests and die, and a store of many clocks; their requests
    /// wait for the leases of the dead.
    fn of_take_overs(machines: Vec<MachinePlan>, chance: &mut Chance) -> Self {
        let mut plan = Self::of_clocks(machines, chance);
        for (number, machine) in plan.machines.iter_mut().enumerate() {
            machine.settings.address = Some(address(number));
            machine.settings.lease_duration =
                Duration::from_micros(chance.within(SECOND..=7 * SECOND));
            machine.clock = ClockPlan { stands_still: false, ..machine.clock };
        }
        plan.network = NetworkPlan { forwards: true, ..NetworkPlan::default() };
        plan.latency_us = chance.pick(&[20 * MS, 200 * MS]);
        (plan.clocks_only, plan.crashes_only) = (false, true);
        (plan.many_clocks, plan.act_pause_us, plan.think_us) =
            (true, 10 * SECOND, chance.pick(&[SECOND, 4 * SECOND]));
        plan
    }
}

impl Plan {
    /// Servers that are killed, and a table that is rebuilt in several requests, between snapshots
    /// that come every few of them.
    fn of_rebuilds(chance: &mut Chance) -> Self {
        let machines = (0..2).map(|_| MachinePlan::draw(chance, false, false, false)).collect();
        let mut plan = Self::of_clocks(machines, chance);
        for machine in &mut plan.machines {
            machine.settings.lease_duration =
                Duration::from_micros(chance.within(SECOND..=4 * SECOND));
            machine.settings.checkpoint = Checkpoint {
                interval: Duration::from_micros(chance.pick(&[SECOND, 3 * SECOND])),
                min_changes: chance.within(1..=3),
                ..Checkpoint::default()
            };
            machine.clock = ClockPlan { stands_still: false, ..machine.clock };
        }
        (plan.clocks_only, plan.crashes_only) = (false, true);
        (plan.acts, plan.act_pause_us) = (chance.within(1..=4), 4 * SECOND);
        plan.think_us = chance.pick(&[200 * MS, SECOND]);
        plan.codes = schemas::rebuilds();
        plan
    }
}

impl MachinePlan {
    fn draw(chance: &mut Chance, hours: bool, every_request: bool, crowded: bool) -> Self {
        let mut settings = Settings { retention: RETENTION_MIN, ..Settings::default() };
        settings.lease_duration = Duration::from_micros(chance.spread(500 * MS..=30 * SECOND));
        settings.commit_deadline = Duration::from_micros(chance.spread(500 * MS..=15 * SECOND));
        settings.handler_time_max = Duration::from_micros(chance.spread(2 * SECOND..=30 * SECOND));
        settings.turn_wait_max = Duration::from_micros(chance.spread(SECOND..=30 * SECOND));
        settings.idempotency_keep = Duration::from_secs(30 * 24 * 3600);
        settings.objects_max = if crowded { 1 } else { 100 };
        let often = hours || chance.in_thousand(100);
        if often {
            let interval = Duration::from_micros(chance.pick(&[0, 50 * MS, SECOND]));
            settings.checkpoint =
                Checkpoint { interval, min_changes: chance.within(1..=3), ..Checkpoint::default() };
        }
        if every_request {
            settings.checkpoint.mode = CheckpointMode::EveryRequest;
        }
        let clock = ClockPlan {
            rate_ppm: i64::try_from(chance.below(401)).expect("small") - 200,
            offset_us: i64::try_from(chance.below(2 * HOUR)).expect("some hours")
                - i64::try_from(HOUR).expect("an hour"),
            stands_still: chance.in_thousand(400),
        };
        Self { settings, clock }
    }
}

impl NetworkPlan {
    fn draw(chance: &mut Chance, machines: usize) -> Self {
        let loses = planted(Bug::SafeMethodBelieved);
        if machines == 1 || (chance.in_thousand(500) && !loses) {
            return Self::default();
        }
        let most = if loses { 300 } else { chance.pick(&[0, 20, 100]) };
        let mut some = || chance.below(most + 1);
        let (request_lost, answer_lost, late) = (some(), some(), some());
        Self { forwards: true, tells: chance.in_thousand(400), request_lost, answer_lost, late }
    }
}

/// A panic of our own; for a bug that only a panic shows, there is one in every world.
fn draw_mishap(chance: &mut Chance) -> Option<(Place, u64)> {
    let place = match chance.pick(&PLACES) {
        _ if planted(Bug::MemoryAheadUsed) => Place::Committed,
        _ if planted(Bug::CommitterLost) => Place::Appended,
        _ if !chance.in_thousand(200) => return None,
        place => place,
    };
    Some((place, chance.spread(1..=8)))
}

/// A few things that requests of one world do to tables, so that they meet each other.
fn draw_codes(chance: &mut Chance) -> Vec<i64> {
    let known: Vec<i64> = schemas::codes().collect();
    let count = chance.pick(&[0, 0, 3, 6, known.len()]);
    let tables = chance.within(1..=3);
    // Whoever is about the same table is three numbers apart.
    let near = known
        .into_iter()
        .filter(|code| u64::try_from((code - 1) % 3).is_ok_and(|table| table < tables));
    let mut near: Vec<i64> = near.collect();
    chance.shuffle(&mut near);
    near.truncate(count);
    near
}

impl Faults {
    fn draw(chance: &mut Chance, hours: bool) -> Self {
        let most = chance.pick(&[0, 0, 20, 60, 150]);
        let mut some = |share: u64| if most == 0 { 0 } else { chance.below(most / share + 1) };
        let (request_lost, answer_lost, twice, late) = (some(2), some(1), some(2), some(2));
        let (conflict, error_before, error_after, refused) = (some(1), some(2), some(1), some(4));
        let frozen_before = if hours { some(4) + 5 } else { some(10) };
        Self {
            request_lost,
            answer_lost,
            twice,
            late,
            conflict,
            error_before,
            error_after,
            refused,
            frozen_before,
        }
    }
}
