//! The rule of proof: filling a slot, and knowing whether it worked. Follows
//! `core/src/log/append.rs`.

use crate::bug::Bug;
use crate::instance::{Append, Gate, Memory, Stage};
use crate::log::{Anew, Record, RecordId};
use crate::setup::Setup;
use crate::world::World;
use crate::writes::Writes;

impl World {
    /// Whether a record after what is in memory and under way fits into the bounds.
    pub(crate) fn has_room(setup: &Setup, memory: &Memory) -> bool {
        usize::from(memory.sequence()) + memory.appends.len() < usize::from(setup.slots)
    }

    /// Sends what has gathered, as the next record.
    pub(crate) fn send_gathered(&mut self, setup: &Setup, at: u8) {
        let memory = self.memory_mut(at);
        if !Self::has_room(setup, memory) {
            return;
        }
        let writes = std::mem::take(&mut memory.gathered);
        let Some(id) = self.send(setup, at, writes, setup.lease) else { return };
        let next =
            self.memory_mut(at).waiting.iter_mut().filter(|waiting| waiting.behind == Gate::Next);
        next.for_each(|waiting| waiting.behind = Gate::Record(id));
    }

    /// Sends a record with `writes` that grants `lease`. `None`: the slot before is not the head
    /// any more.
    pub(crate) fn send(
        &mut self,
        setup: &Setup,
        at: u8,
        writes: Writes,
        lease: u8,
    ) -> Option<RecordId> {
        if !self.prove(setup, at) {
            self.lose(setup, at);
            return None;
        }
        Some(self.send_record(at, (writes, lease), None))
    }

    /// Sends a record on top of what is known and under way, which may start the state anew.
    pub(crate) fn send_record(
        &mut self,
        at: u8,
        (writes, lease): (Writes, u8),
        anew: Option<Anew>,
    ) -> RecordId {
        let instance = self.instance_mut(at);
        let (id, life) = (RecordId { instance: at, nonce: instance.nonce }, instance.life);
        instance.nonce += 1;
        let memory = self.memory_mut(at);
        let before = memory.appends.last().map(|append| append.record).or(memory.head);
        let sequence = before.map_or(1, |before| before.sequence + 1);
        let previous = before.map(|before| before.id);
        let record = Record { id, life, sequence, previous, writes, lease, anew };
        memory.appends.push(Append { record, sent: 0, stage: Stage::Sent });
        self.store.send(record);
        id
    }

    /// Makes sure that the proof of the head is fresh; `false` when the head is another.
    pub(crate) fn prove(&mut self, setup: &Setup, at: u8) -> bool {
        let newest = self.store.head();
        let memory = self.memory_mut(at);
        if setup.is_fresh(memory.proof) || setup.has(Bug::NoProofAge) {
            return true;
        }
        let is_head = newest == memory.sequence();
        if is_head {
            memory.proof = 0;
        }
        is_head
    }

    /// The put of `record` reaches the store; the answer is not heard yet.
    pub(crate) fn land(&mut self, setup: &Setup, record: Record) {
        let created = self.fill(setup, record);
        self.set_stage(record.id, if created { Stage::Created } else { Stage::Exists });
    }

    /// What the put does in the store.
    pub(crate) fn fill(&mut self, setup: &Setup, record: Record) -> bool {
        let created = self.store.create(setup, record);
        if created {
            self.history.filled(&record);
        }
        created
    }

    /// What the writer of a put knows of it, if it still waits.
    pub(crate) fn set_stage(&mut self, id: RecordId, stage: Stage) {
        let memory = self.instance_mut(id.instance).memory.as_mut();
        let appends = memory.into_iter().flat_map(|memory| &mut memory.appends);
        appends
            .filter(|append| append.record.id == id && append.stage == Stage::Sent)
            .for_each(|append| append.stage = stage);
    }

    /// The instance hears the store's answer.
    pub(crate) fn hear(&mut self, setup: &Setup, at: u8) {
        let memory = self.memory_mut(at);
        let is_proven = setup.is_fresh(memory.proof) || setup.has(Bug::NoProofAge);
        let append = memory.appends.first_mut().expect("an answer belongs to a record");
        match append.stage {
            Stage::Created if is_proven => self.win(setup, at),
            Stage::Exists if setup.has(Bug::TrustAlreadyExists) => self.lose(setup, at),
            _ => append.stage = Stage::Doubt,
        }
    }

    /// The instance reads the slot, compares, and decides.
    pub(crate) fn look(&mut self, setup: &Setup, at: u8) {
        let memory =
            self.instance(at).memory.as_ref().expect("a record under way belongs to a memory");
        let (record, is_proven) = (memory.appends[0].record, setup.is_fresh(memory.proof));
        let is_ours = |found: &Record| match setup.bug {
            Some(Bug::NoNonceCheck) => {
                (found.id.instance, found.life) == (record.id.instance, record.life)
            }
            _ => found.id == record.id,
        };
        match self.store.slot(record.sequence).map(|stored| is_ours(&stored.record)) {
            Some(true) if is_proven || self.store.head() == record.sequence => self.win(setup, at),
            Some(true) => self.look_after(setup, at, &record),
            Some(false) => self.lose(setup, at),
            None if setup.has(Bug::EmptyMeansNothingHappened) => self.lose(setup, at),
            None if self.prove(setup, at) => {
                self.memory_mut(at).appends[0].stage = Stage::Sent;
                self.store.send(record);
            }
            None => self.lose_track(setup, at),
        }
    }

    /// Our record is in the slot, others are after it, and much time has passed: the slot may have
    /// been filled by another, folded into a snapshot, deleted, and filled again by us. Which of
    /// them was built upon shows in the next slot.
    fn look_after(&mut self, setup: &Setup, at: u8, record: &Record) {
        let next = self
            .store
            .slot(record.sequence + 1)
            .map(|stored| stored.record.previous == Some(record.id));
        match next {
            _ if setup.has(Bug::HistoryMeansLost) => self.lose(setup, at),
            Some(true) => self.win(setup, at),
            Some(false) => self.lose(setup, at),
            None => self.lose_track(setup, at),
        }
    }

    /// The record is in the log.
    fn win(&mut self, setup: &Setup, at: u8) {
        let is_leased = Self::is_leased(setup, at);
        let memory = self.memory_mut(at);
        let append = memory.appends.remove(0);
        let Append { record, sent, .. } = append;
        memory.head = Some(record);
        memory.writes.extend(record.writes);
        memory.proof = sent.min(setup.proof_age_max());
        memory.watched = 0;
        let since = if setup.has(Bug::LeaseFromAnswer) { 0 } else { sent };
        if record.lease > 0 && is_leased {
            memory.lease = Some(since).filter(|age| setup.keeps_lease(*age));
        } else if !setup.has(Bug::ServeAfterRelease) {
            memory.lease = None;
        }
        self.history.told_won(&record);
        // Read only where the entries are wrongly kept there.
        if setup.has(Bug::IdempotencyOutside) {
            record.writes.iter().for_each(|request| self.store.entries |= 1 << request);
        }
        self.instance_mut(at).losses = 0;
        self.honour(setup, at, record);
        self.name_new_state(at, record);
    }

    /// Answers what waited for `record`; sends the next one if something waits for that.
    fn honour(&mut self, setup: &Setup, at: u8, record: Record) {
        let memory = self.memory_mut(at);
        let (writes, holds) =
            (memory.writes, memory.lease.is_some() || setup.has(Bug::LateReadTrusted));
        let waiting = std::mem::take(&mut memory.waiting);
        let (done, mut rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|waiting| match waiting.behind {
                Gate::Record(id) => id == record.id,
                Gate::Late(id) => id == record.id && holds,
                Gate::Next => false,
            });
        let late = rest.iter_mut().filter(|waiting| waiting.behind == Gate::Late(record.id));
        late.for_each(|waiting| waiting.behind = Gate::Next);
        let more =
            rest.iter().any(|waiting| waiting.behind == Gate::Next) && memory.appends.is_empty();
        memory.waiting = rest;
        memory.forget_lacking();
        done.into_iter()
            .for_each(|waiting| self.answer(setup, waiting.request, writes.prefix(waiting.shows)));
        if let Some(request) =
            self.instance(at).held.filter(|request| record.writes.contains(*request))
        {
            self.instance_mut(at).held = None;
            self.answer(setup, request, writes);
        }
        if more {
            self.send_gathered(setup, at);
        }
    }

    /// Another record is in the slot: what was built on ours is void, and none of it ever happened.
    pub(crate) fn lose(&mut self, setup: &Setup, at: u8) {
        if Self::is_leased(setup, at) {
            self.forget(at).into_iter().for_each(|request| self.refuse(setup, request));
            return;
        }
        let instance = self.instance_mut(at);
        instance.losses = (instance.losses + 1).min(setup.losses_max);
        let memory = self.memory_mut(at);
        memory.appends.clear();
        memory.is_behind = !setup.has(Bug::NoCatchUp);
    }
}
