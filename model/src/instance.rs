//! One instance, and what it has of the object in memory.

use crate::log::{Record, RecordId};
use crate::setup::{Kind, Setup};
use crate::store::{Restored, Snapshot};
use crate::writes::Writes;

/// A running program. Processes that follow each other on one machine are one instance with several
/// lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Instance {
    pub(crate) life: u8,
    /// Records made so far.
    pub(crate) nonce: u8,
    pub(crate) is_frozen: bool,
    /// The request that a function is working on; it outlives lost slots.
    pub(crate) held: Option<u8>,
    /// Slots lost in a row.
    pub(crate) losses: u8,
    /// It has asked for the newest state so long ago, by its monotonic clock.
    pub(crate) asked: Option<u8>,
    pub(crate) memory: Option<Memory>,
    pub(crate) plan: Option<Plan>,
    /// A whole state whose file is in the store, and that no record names yet.
    pub(crate) upload: Option<Upload>,
}

/// The file of a whole state, and the time since it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Upload {
    pub(crate) file: u8,
    pub(crate) age: u8,
}

/// The object in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    /// The newest record that it knows to be in the log.
    pub(crate) head: Option<Record>,
    /// The state after `head`.
    pub(crate) writes: Writes,
    /// The head was certainly the head so long ago.
    pub(crate) proof: u8,
    /// It has known the head for so long, by its monotonic clock.
    pub(crate) watched: u8,
    /// It may answer by itself; the time since its lease began.
    pub(crate) lease: Option<u8>,
    /// A slot was lost, and what filled it has not been read yet.
    pub(crate) is_behind: bool,
    /// The snapshot that the next one would share files with.
    pub(crate) base: Option<Snapshot>,
    /// It was replaced by what the log had while a record was under way, and will lack what that
    /// holds. Only a mistake does so.
    pub(crate) lacks: Writes,
    /// Records under way: at most one.
    pub(crate) appends: Vec<Append>,
    /// Writes that wait for the next record.
    pub(crate) gathered: Writes,
    /// Responses behind the gate.
    pub(crate) waiting: Vec<Waiting>,
}

/// A record on its way into a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Append {
    pub(crate) record: Record,
    /// Time since before its first put was sent.
    pub(crate) sent: u8,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// A put is under way.
    Sent,
    /// The store has answered "created"; the instance has not heard it yet.
    Created,
    /// The store has answered "already exists"; the instance has not heard it yet.
    Exists,
    /// Nothing certain was heard: the slot must be read.
    Doubt,
}

/// A response that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) request: u8,
    /// How long the list is that it shows.
    pub(crate) shows: u8,
    pub(crate) behind: Gate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    /// The record under way.
    Record(RecordId),
    /// The record under way, which may have been in the log when the request came: it proves
    /// something while its lease holds.
    Late(RecordId),
    /// The record after that.
    Next,
}

/// A snapshot whose files are in the store and that nobody sees yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) snapshot: Snapshot,
    /// Time since it was planned.
    pub(crate) age: u8,
}

impl Memory {
    pub(crate) fn of(restored: Restored) -> Self {
        Self {
            head: restored.head,
            writes: restored.writes,
            proof: 0,
            watched: 0,
            lease: None,
            is_behind: false,
            base: restored.base,
            lacks: Writes::default(),
            appends: Vec::new(),
            gathered: Writes::default(),
            waiting: Vec::new(),
        }
    }

    pub(crate) fn sequence(&self) -> u8 {
        self.head.map_or(0, |record| record.sequence)
    }

    /// The state that handlers see: with everything that is under way.
    pub(crate) fn view(&self) -> Writes {
        let mut view = self.writes;
        self.appends.iter().for_each(|append| view.extend(append.record.writes));
        view.extend(self.gathered);
        view
    }

    /// What the memory that has replaced this one never had is not in it.
    pub(crate) fn forget_lacking(&mut self) {
        let lacks = std::mem::take(&mut self.lacks);
        if !lacks.is_empty() {
            let all = std::mem::take(&mut self.writes);
            all.iter()
                .filter(|request| !lacks.contains(*request))
                .for_each(|request| self.writes.push(request));
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.appends.is_empty() && self.gathered.is_empty() && self.waiting.is_empty()
    }

    /// A response must wait. The order does not matter, so it is always the same.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
        self.waiting.sort_unstable_by_key(|waiting| waiting.request);
    }

    /// Moves on to `record`, which somebody else wrote.
    pub(crate) fn follow(&mut self, record: Record) {
        self.head = Some(record);
        // Whoever takes a record that starts anew for one like any other finds no change in it.
        if record.anew.is_none() {
            self.writes.extend(record.writes);
        }
        self.lease = None;
        self.watched = 0;
    }

    fn tick(&mut self, setup: &Setup, kind: Kind, runs: &Running) {
        self.watched = (self.watched + runs.monotonic).min(setup.watched_max());
        self.proof = (self.proof + runs.own).min(setup.proof_age_max());
        for append in &mut self.appends {
            append.sent = (append.sent + runs.own).min(setup.sent_age_max(kind));
        }
        self.lease = self
            .lease
            .map(|age| (age + runs.own).min(setup.lease))
            .filter(|age| setup.keeps_lease(*age));
    }
}

/// How far the clocks of a machine move in a tick.
struct Running {
    monotonic: u8,
    /// Whichever clock says that more time has passed, by which own rights are measured.
    own: u8,
}

impl Instance {
    /// Time passes.
    pub(crate) fn tick(&mut self, setup: &Setup, kind: Kind) {
        let monotonic = u8::from(!self.is_frozen);
        let own = if setup.has(crate::Bug::OwnClockStandsStill) { monotonic } else { 1 };
        if let Some(memory) = &mut self.memory {
            memory.tick(setup, kind, &Running { monotonic, own });
        }
        self.asked = self.asked.map(|age| (age + monotonic).min(setup.watched_max()));
        if let Some(plan) = &mut self.plan {
            plan.age = (plan.age + 1).min(setup.snapshot_age_max());
        }
        self.plan = self.plan.filter(|plan| setup.may_publish(plan.age));
        if let Some(upload) = &mut self.upload {
            upload.age = (upload.age + 1).min(setup.plan + 1);
        }
    }

    /// The wall clock of a server jumps ahead: own rights end, others' don't.
    pub(crate) fn jump(&mut self, setup: &Setup) {
        let Some(memory) = &mut self.memory else { return };
        memory.lease = None;
        memory.proof = setup.proof_age_max();
        memory.appends.iter_mut().for_each(|append| append.sent = setup.sent_age_max(Kind::Leased));
        if setup.has(crate::Bug::TakeOverByWallClock) {
            memory.watched = setup.watched_max();
        }
    }
}
