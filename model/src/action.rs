//! What can happen next.

use crate::instance::Stage;
use crate::log::{Record, RecordId};
use crate::setup::{Kind, Mishap, Setup};
use crate::snapshots::Files;
use crate::world::World;

/// One step of somebody, or of the world around them. Instances, requests and records are named by
/// their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Time passes.
    Tick,
    /// An instance asks for the newest state.
    Ask(u8),
    /// An instance restores the object from the bucket.
    Open(u8),
    /// It reads the next slot and applies what is there.
    CatchUp(u8),
    /// A request arrives at an instance, and its handler runs.
    Start {
        /// Where.
        at: u8,
        /// Which.
        request: u8,
    },
    /// A function runs its request again.
    Retry(u8),
    /// A function sends the record of a new state.
    Replace(u8),
    /// A server gives its lease back.
    Release(u8),
    /// A put reaches the store.
    Land(Put),
    /// The writer hears what the store answered.
    Hear(u8),
    /// The writer reads the slot to find out.
    Look(u8),
    /// An instance uploads the files of a snapshot.
    Plan(u8, Files),
    /// It publishes the snapshot.
    Publish(u8),
    /// Somebody deletes what the retention has released.
    Sweep,
    /// A frozen machine runs on.
    Thaw(u8),
    /// Something goes wrong with a put.
    PutFails(Mishap, Put),
    /// Something goes wrong with an instance.
    InstanceFails(Mishap, u8),
}

/// A put under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Whose.
    pub instance: u8,
    /// Which of its records.
    pub nonce: u8,
}

impl Put {
    fn of(record: &Record) -> Self {
        Self { instance: record.id.instance, nonce: record.id.nonce }
    }

    fn id(self) -> RecordId {
        RecordId { instance: self.instance, nonce: self.nonce }
    }
}

const PUT_MISHAPS: [Mishap; 5] =
    [Mishap::AnswerLost, Mishap::PutLost, Mishap::Delay, Mishap::Duplicate, Mishap::Conflict];

impl World {
    /// What can happen in this state.
    pub(crate) fn actions(&self, setup: &Setup, actions: &mut Vec<Action>) {
        if self.has_work() {
            (0..setup.instances.len()).for_each(|at| {
                self.actions_of(setup, u8::try_from(at).expect("few instances"), actions)
            });
        }
        actions.extend(self.store.flying.iter().map(|put| Action::Land(Put::of(&put.record))));
        if self.store.has_expired(setup) {
            actions.push(Action::Sweep);
        }
        let time_may_pass = setup.steps.is_none() || actions.is_empty();
        if self.has_work() && time_may_pass && setup.has_time() && self.changes_with_time(setup) {
            actions.push(Action::Tick);
        }
        if self.mishaps_left > 0 && self.has_work() {
            self.mishaps(setup, actions);
        }
    }

    fn changes_with_time(&self, setup: &Setup) -> bool {
        let mut later = self.clone();
        later.tick(setup);
        later != *self
    }

    fn actions_of(&self, setup: &Setup, at: u8, actions: &mut Vec<Action>) {
        let instance = self.instance(at);
        if instance.is_frozen {
            return actions.push(Action::Thaw(at));
        }
        if instance.plan.is_some() {
            actions.push(Action::Publish(at));
        }
        let Some(memory) = &instance.memory else {
            let open = if setup.reads_take_time && instance.asked.is_none() {
                Action::Ask(at)
            } else {
                Action::Open(at)
            };
            return actions.extend(self.may_open(setup, at).then_some(open));
        };
        match memory.appends.first().map(|append| append.stage) {
            Some(Stage::Created | Stage::Exists) => actions.push(Action::Hear(at)),
            Some(Stage::Doubt) => actions.push(Action::Look(at)),
            Some(Stage::Sent) | None => {}
        }
        let requests =
            (0..setup.requests.len()).map(|request| u8::try_from(request).expect("few requests"));
        actions.extend(
            requests
                .filter(|request| self.can_start(setup, at, *request))
                .map(|request| Action::Start { at, request }),
        );
        let mut when = |can: bool, action: Action| actions.extend(can.then_some(action));
        when(self.can_catch_up(setup, at), Action::CatchUp(at));
        when(self.can_retry(setup, at), Action::Retry(at));
        when(self.can_replace(setup, at), Action::Replace(at));
        when(self.can_release(setup, at), Action::Release(at));
        [Files::Own, Files::Shared]
            .into_iter()
            .for_each(|files| when(self.can_plan(setup, at, files), Action::Plan(at, files)));
    }

    fn mishaps(&self, setup: &Setup, actions: &mut Vec<Action>) {
        for put in &self.store.flying {
            let waits = self.stage_of(put.record.id) == Some(Stage::Sent);
            let possible = |mishap: &&Mishap| {
                setup.mishaps.contains(mishap) && (waits || **mishap == Mishap::Duplicate)
            };
            actions.extend(
                PUT_MISHAPS
                    .iter()
                    .filter(possible)
                    .map(|mishap| Action::PutFails(*mishap, Put::of(&put.record))),
            );
        }
        for (at, instance) in (0..).zip(&self.instances) {
            let in_doubt =
                instance.memory.as_ref().is_some_and(|memory| !memory.appends.is_empty());
            let possible = |mishap: &&Mishap| match mishap {
                Mishap::GiveUp => in_doubt,
                Mishap::Crash => instance.memory.is_some(),
                Mishap::Freeze => instance.memory.is_some() && !instance.is_frozen,
                Mishap::ClockJump => instance.memory.is_some() && setup.kind(at) == Kind::Leased,
                _ => false,
            };
            actions.extend(
                setup
                    .mishaps
                    .iter()
                    .filter(possible)
                    .map(|mishap| Action::InstanceFails(*mishap, at)),
            );
        }
        if setup.mishaps.contains(&Mishap::Slowness) && self.changes_with_time(setup) {
            actions.push(Action::InstanceFails(Mishap::Slowness, 0));
        }
    }

    fn stage_of(&self, id: RecordId) -> Option<Stage> {
        let memory = self.instance(id.instance).memory.as_ref()?;
        memory.appends.iter().find(|append| append.record.id == id).map(|append| append.stage)
    }

    /// Does `action`, which is possible.
    pub(crate) fn act(&mut self, setup: &Setup, action: Action) {
        match action {
            Action::Tick => self.tick(setup),
            Action::Ask(at) => self.instance_mut(at).asked = Some(0),
            Action::Open(at) => self.open(setup, at),
            Action::CatchUp(at) => self.catch_up(setup, at),
            Action::Start { at, request } => self.start(setup, at, request),
            Action::Retry(at) => self.retry(setup, at),
            Action::Replace(at) => self.replace(setup, at),
            Action::Release(at) => self.release(setup, at),
            Action::Land(put) => {
                let record = self.take(put);
                self.land(setup, record);
            }
            Action::Hear(at) => self.hear(setup, at),
            Action::Look(at) => self.look(setup, at),
            Action::Plan(at, files) => self.plan(setup, at, files),
            Action::Publish(at) => self.publish(setup, at),
            Action::Sweep => self.sweep(setup),
            Action::Thaw(at) => self.instance_mut(at).is_frozen = false,
            Action::PutFails(mishap, put) => self.fail_put(setup, mishap, put),
            Action::InstanceFails(mishap, at) => self.fail_instance(setup, mishap, at),
        }
        self.steps += u8::from(setup.steps.is_some());
    }

    /// Takes a put out of the network.
    fn take(&mut self, put: Put) -> Record {
        let at = self
            .store
            .flying
            .iter()
            .position(|flying| flying.record.id == put.id())
            .expect("only what is under way arrives");
        self.store.flying.remove(at).record
    }

    fn fail_put(&mut self, setup: &Setup, mishap: Mishap, put: Put) {
        self.mishaps_left -= 1;
        match mishap {
            Mishap::Delay => self.set_stage(put.id(), Stage::Doubt),
            Mishap::Duplicate => {
                let record = self
                    .store
                    .flying
                    .iter()
                    .find(|flying| flying.record.id == put.id())
                    .expect("it is under way")
                    .record;
                self.fill(setup, record);
            }
            Mishap::AnswerLost => {
                self.set_stage(put.id(), Stage::Doubt);
                let record = self.take(put);
                self.land(setup, record);
            }
            _ => {
                self.set_stage(put.id(), Stage::Doubt);
                self.take(put);
            }
        }
    }

    fn fail_instance(&mut self, setup: &Setup, mishap: Mishap, at: u8) {
        self.mishaps_left -= 1;
        match mishap {
            Mishap::GiveUp => self.lose_track(setup, at),
            Mishap::Crash => self.crash(setup, at),
            Mishap::Freeze => self.instance_mut(at).is_frozen = true,
            Mishap::ClockJump => self.instance_mut(at).jump(setup),
            _ => self.tick(setup),
        }
    }
}
