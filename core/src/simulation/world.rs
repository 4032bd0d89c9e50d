//! A simulated world from its beginning to its end, and what is wrong with it.

mod people;
mod troubles;
mod verdict;

use self::verdict::{verdict, verdicts};
use crate::planted::arm;
use crate::simulation::chance::Chance;
use crate::simulation::clients::Client;
use crate::simulation::clock::Dial;
use crate::simulation::history::{Antics, Ask, History, Outcome, Request};
use crate::simulation::machine::{Machine, Report};
use crate::simulation::plan::{Faults, MINUTE, MS, NetworkPlan, Plan, SECOND, TWINS};
use crate::simulation::store::Store;
use crate::simulation::timeline::{Delivery, Event, Outside, Timeline};
use crate::simulation::trace::Trace;

/// A world with more events than this does not come to an end.
const EVENTS_MAX: u64 = 60_000;

/// When all faults have stopped, every request must be answered within this time, and every object
/// be read on every machine.
const PROGRESS_MAX_US: u64 = 5 * MINUTE;

/// What nobody waits for any more goes on for at most this long: a new state that waits for the
/// longest lease on a slow clock, then the longest commit deadline, and the last request.
const TRYING_MAX_US: u64 = 2 * MINUTE;

/// The world.
pub(super) struct World {
    timeline: Timeline,
    plan: Plan,
    machines: Vec<Machine>,
    clients: Vec<Client>,
    history: History,
    acts: u64,
    values: i64,
    events: u64,
    /// The nemesis has ended, and clients do nothing new.
    is_calm: bool,
}

/// What is left of a world.
pub(super) struct Outcomes {
    pub(super) hash: u64,
    pub(super) trace: Vec<String>,
    pub(super) operations: usize,
    pub(super) answered: usize,
    pub(super) events: u64,
    /// What was wrong.
    pub(super) problem: Option<String>,
}

/// Runs the world of a seed.
pub(super) fn run(seed: u64, trace: Trace) -> Outcomes {
    let mut world = World::new(seed, trace);
    let problem = world.live().err();
    let (operations, answered, events) =
        (world.history.len(), world.history.answered(), world.events);
    let state = world.timeline.lock();
    let (hash, trace) = (state.trace.hash(), state.trace.lines().to_vec());
    drop(state);
    Outcomes { hash, trace, operations, answered, events, problem }
}

impl World {
    fn new(seed: u64, trace: Trace) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::of(seed, &mut chance);
        let mut store = Store::new(&mut chance, plan.knows_the_dead);
        let mut files = plan.is_split.then(|| Store::of_files(&mut chance));
        let [of_log, of_files] = verdicts();
        let (key, bytes) = if files.is_some() { of_log } else { verdict() };
        store.prepare(key.clone(), bytes.clone());
        if let Some(files) = &mut files {
            files.prepare(of_files.0.clone(), of_files.1.clone());
        }
        store.many_clocks = plan.many_clocks;
        let clients = (0..plan.clients).map(|_| Client::draw(&mut chance, &plan)).collect();
        let timeline = Timeline::new(chance, trace, store);
        let machines = (0..)
            .zip(&plan.machines)
            .map(|(machine, of)| Machine::new(timeline.clone(), machine, of.clone(), plan.network))
            .collect();
        {
            let mut state = timeline.lock();
            let outside = |plan: &super::plan::MachinePlan| Outside {
                life: 0,
                frozen: false,
                freezes: 0,
                cut_until_us: 0,
                clock: Dial::new(plan.clock),
            };
            state.machines = plan.machines.iter().map(outside).collect();
            state.files = files;
            state.faults = plan.faults;
            state.network = plan.network;
            state.latency_us = plan.latency_us;
            state.oversleep_us = if plan.hours { 2 * MINUTE } else { SECOND };
            state.freeze_us = if plan.hours { 180 * MINUTE } else { MINUTE };
        }
        Self {
            timeline,
            plan,
            machines,
            clients,
            history: History::default(),
            acts: 0,
            values: 0,
            events: 0,
            is_calm: false,
        }
    }

    /// The whole life of the world.
    fn live(&mut self) -> Result<(), String> {
        arm(self.plan.mishap);
        self.begin();
        self.run_until("the clients have done their work", u64::MAX, |world| {
            world.acts == 0
                && world.clients.iter().all(|client| client.left == 0 && client.waits_for.is_none())
        })?;
        self.calm_down();
        self.wait_until_idle()?;
        self.deliver_messages()?;
        let mut finals: Option<Vec<Vec<i64>>> = None;
        for machine in 0..self.machines.len() {
            let lists = self.read_everything(machine)?;
            if finals.as_ref().is_some_and(|finals| *finals != lists) {
                return Err(format!(
                    "machine {machine} reads {lists:?}, and before it another read {finals:?}"
                ));
            }
            finals = Some(lists);
        }
        let finals = finals.unwrap_or_default();
        if self.plan.ends {
            self.history.check_lives(&finals)?;
        } else {
            self.history.check(&finals)?;
        }
        self.restart_everything()?;
        let restored = self.read_everything(0)?;
        if restored != finals {
            return Err(format!("a cold process reads {restored:?}, and before it was {finals:?}"));
        }
        if self.plan.ends { Ok(()) } else { self.history.sightings.check(&finals) }
    }

    fn begin(&mut self) {
        let mut state = self.timeline.lock();
        for machine in 0..self.machines.len() {
            state.schedule(machine as u64, Event::Start(machine));
        }
        for client in 0..self.clients.len() {
            let after_us = state.chance.within(10 * MS..=SECOND);
            state.schedule(after_us, Event::Client(client, 0));
        }
        self.acts = self.plan.acts;
        if self.acts > 0 {
            state.schedule(self.plan.act_pause_us, Event::Act);
        }
    }

    /// All faults stop.
    fn calm_down(&mut self) {
        self.is_calm = true;
        arm(None);
        let mut state = self.timeline.lock();
        state.note(format_args!("all faults stop"));
        state.faults = Faults::default();
        state.network = NetworkPlan {
            forwards: state.network.forwards,
            tells: state.network.tells,
            ..NetworkPlan::default()
        };
        state.parted.2 = 0;
        state.store.outage_until_us = 0;
        state.files.iter_mut().for_each(|files| files.outage_until_us = 0);
        state.oversleep_us = 0;
        state.hurry_arrivals();
        for machine in 0..self.machines.len() {
            state.machines[machine].cut_until_us = 0;
            if state.machines[machine].frozen {
                state.machines[machine].freezes += 1;
                let freezes = state.machines[machine].freezes;
                state.schedule(1, Event::Thaw(machine, freezes));
            }
        }
    }

    /// Waits until every request has its answer and nobody is still trying to write.
    fn wait_until_idle(&mut self) -> Result<(), String> {
        self.run_until("every request is answered", PROGRESS_MAX_US, |world| {
            world.machines.iter().all(Machine::is_idle)
        })?;
        let tried_us = self.timeline.lock().now_us + TRYING_MAX_US;
        self.run_until("nobody tries to write", PROGRESS_MAX_US, |world| {
            world.timeline.lock().now_us > tried_us
        })?;
        self.run_until("all machines run again", PROGRESS_MAX_US, |world| {
            world.machines.iter().all(Machine::is_idle)
        })
    }

    /// Waits until every message has arrived.
    fn deliver_messages(&mut self) -> Result<(), String> {
        let start_us = self.timeline.lock().now_us;
        loop {
            let lists = self.read_everything(0)?;
            if !self.history.is_under_way(&lists) {
                return Ok(());
            }
            let now_us = self.timeline.lock().now_us;
            if now_us > start_us + PROGRESS_MAX_US {
                return Err(format!("no progress: a message does not arrive: {lists:?}"));
            }
            self.run_until("a message might have arrived", PROGRESS_MAX_US, |world| {
                world.timeline.lock().now_us > now_us + 20 * SECOND
            })?;
        }
    }

    /// Goes on until `done`, for at most so long.
    fn run_until(
        &mut self,
        what: &str,
        within_us: u64,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let until_us = self.timeline.lock().now_us.saturating_add(within_us);
        while !done(self) {
            let event = self.timeline.lock().next().ok_or("nothing will ever happen again")?;
            self.events += 1;
            self.handle(event);
            let broken = self.timeline.lock().broken.take();
            if let Some(broken) = broken.or_else(super::panics::take) {
                return Err(broken);
            }
            if self.events > EVENTS_MAX || self.timeline.lock().now_us > until_us {
                return Err(format!("no progress: waited in vain until {what}"));
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive(message) => self.timeline.lock().arrive(*message),
            Event::Deliver(process, delivery) => {
                let is_alive = self.timeline.lock().is_alive(process);
                match delivery {
                    delivery if is_alive => self.deliver(process.machine, delivery),
                    Delivery::Letter(letter) => {
                        letter.return_to_sender(process.machine, &mut self.timeline.lock())
                    }
                    _ => {}
                }
            }
            Event::Client(client, wakes) if self.clients[client].wakes == wakes => {
                self.go_on(client)
            }
            Event::Client(..) => {}
            Event::Act => self.act(),
            Event::Thaw(machine, freezes) => self.thaw(machine, freezes),
            Event::Start(machine) => {
                if !self.machines[machine].is_running() {
                    self.timeline.lock().note(format_args!("m{machine} starts"));
                    self.machines[machine].start();
                    self.step(machine);
                }
            }
        }
    }

    fn deliver(&mut self, machine: usize, delivery: Delivery) {
        if self.timeline.lock().machines[machine].frozen {
            return self.machines[machine].hold(delivery);
        }
        match delivery {
            Delivery::Answer(reply, dated) => {
                if reply.send(dated).is_err() {
                    return;
                }
            }
            Delivery::Timer(timer, _) if timer.is_closed() => return,
            Delivery::Timer(timer, due_us) => {
                let mut state = self.timeline.lock();
                let left_us = state.machines[machine].clock.until(state.now_us, due_us);
                if left_us > 0 {
                    // The clock stood still meanwhile.
                    let process = self.machines[machine].process;
                    return state.schedule(
                        left_us,
                        Event::Deliver(process, Delivery::Timer(timer, due_us)),
                    );
                }
                // Whoever slept is there: the timer is not closed.
                let _ = timer.send(());
            }
            Delivery::Request(request) => {
                self.timeline
                    .lock()
                    .note(format_args!("m{machine} gets operation {}", request.number));
                self.machines[machine].accept(request);
            }
            Delivery::Letter(letter) => self.machines[machine].open(*letter),
            // Whoever asked may not wait any more.
            Delivery::Reply(reply, answer) => drop(reply.send(answer)),
            Delivery::OwnershipChange(object, holding, news) => {
                self.machines[machine].receive_announcement(&object, &holding, news)
            }
        }
        self.step(machine);
    }

    /// Lets a process run until it waits, and hears what it says.
    fn step(&mut self, machine: usize) {
        for report in self.machines[machine].step() {
            match report {
                Report::Started(Ok(_)) => {
                    self.timeline.lock().note(format_args!("m{machine} is up"))
                }
                Report::Started(Err(error)) => {
                    self.timeline
                        .lock()
                        .note(format_args!("m{machine} does not start: {}", error.code()));
                    self.end_process(machine, SECOND);
                }
                Report::Answered(number, answer) => self.answered(number, answer),
                Report::Left(number, text) => self.left(number, &text),
                Report::Stopped => {
                    self.timeline.lock().note(format_args!("m{machine} has ended"));
                    self.end_process(machine, 50 * MS);
                }
            }
        }
    }

    /// Reads all objects on a machine, as often as it takes.
    fn read_everything(&mut self, machine: usize) -> Result<Vec<Vec<i64>>, String> {
        let mut lists = Vec::new();
        let start_us = self.timeline.lock().now_us;
        while lists.len() < TWINS + self.plan.objects {
            let number = self.history.len();
            let request = {
                let mut state = self.timeline.lock();
                let now = state.tick();
                let (object, antics) = (lists.len(), Antics::default());
                let request = Request { number: 0, object, ask: Ask::Read, keyed: false, antics };
                let request = self.history.begin(request, now);
                let process = self.machines[machine].process;
                state.schedule(SECOND, Event::Deliver(process, Delivery::Request(request)));
                request
            };
            self.run_until("a read was answered", PROGRESS_MAX_US, |world| {
                world.history.outcome(number).is_some()
            })?;
            match self.history.outcome(request.number) {
                Some(Outcome::List(list)) => lists.push(list.clone()),
                outcome => {
                    if self.timeline.lock().now_us > start_us + PROGRESS_MAX_US {
                        return Err(format!(
                            "no progress: object {} can't be read on machine {machine}: {outcome:?}",
                            lists.len()
                        ));
                    }
                }
            }
        }
        Ok(lists)
    }

    /// Ends every process and starts them all again.
    fn restart_everything(&mut self) -> Result<(), String> {
        for machine in 0..self.machines.len() {
            self.end_process(machine, SECOND);
        }
        self.run_until("all machines run again", PROGRESS_MAX_US, |world| {
            world.machines.iter().all(Machine::is_up)
        })
    }
}
