//! Requests, and what an instance does so that it may answer them.

use crate::bug::Bug;
use crate::instance::{Gate, Memory, Waiting};
use crate::setup::Setup;
use crate::world::World;
use crate::writes::Writes;

/// What asking for the slot after the head shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The head is still the head.
    Current,
    /// There is a record after it.
    Behind,
    /// The log went on and the next record was deleted.
    Gone,
}

impl World {
    /// Reads the object from the bucket into memory.
    pub(crate) fn open(&mut self, setup: &Setup, at: u8) {
        let restored = self.store.restore();
        let instance = self.instance_mut(at);
        let asked = instance.asked.take().filter(|_| setup.has(Bug::WatchFromQuestion));
        instance.memory =
            restored.map(|restored| Memory { watched: asked.unwrap_or(0), ..Memory::of(restored) });
        if let Some(base) = restored.and_then(|restored| restored.base) {
            // What only a record names is published before anything is answered.
            self.store.publish(base);
        }
        if setup.has(Bug::TakeOverWithoutRecord)
            && restored.is_some()
            && Self::is_leased(setup, at)
            && self.may_append(setup, at)
        {
            self.memory_mut(at).lease = Some(0);
        }
    }

    /// Whether no other writer's lease can be live.
    pub(crate) fn may_append(&self, setup: &Setup, at: u8) -> bool {
        let instance = self.instance(at);
        let Some(memory) = &instance.memory else { return false };
        let Some(head) = memory.head else { return true };
        if head.lease == 0
            || (head.id.instance, head.life) == (at, instance.life)
            || setup.has(Bug::AppendUnderLease)
        {
            return true;
        }
        let by_age = setup.store_has_dates
            && self.store.slot(head.sequence).is_none_or(|stored| stored.age >= head.lease);
        let by_watching = !setup.store_has_dates && memory.watched >= head.lease;
        (by_age || by_watching) && !setup.has(Bug::NeverTakeOver)
    }

    /// Asks for the next slot; where its emptiness proves nothing, for the newest key.
    pub(crate) fn ask(&self, setup: &Setup, memory: &Memory) -> Asked {
        if self.store.slot(memory.sequence() + 1).is_some() {
            return Asked::Behind;
        }
        let is_proof = setup.is_fresh(memory.proof) || setup.has(Bug::EmptyTrustedOnOldProof);
        if is_proof || self.store.head() == memory.sequence() {
            Asked::Current
        } else {
            Asked::Gone
        }
    }

    pub(crate) fn can_catch_up(&self, setup: &Setup, at: u8) -> bool {
        let Some(memory) = &self.instance(at).memory else { return false };
        memory.is_quiet() && (memory.is_behind || self.ask(setup, memory) != Asked::Current)
    }

    /// Reads the next slot and applies the record that is there.
    pub(crate) fn catch_up(&mut self, setup: &Setup, at: u8) {
        let memory = self.instance(at).memory.as_ref().expect("only an object in memory is behind");
        let asked = self.ask(setup, memory);
        let wanted =
            if setup.has(Bug::CatchUpSkips) { self.store.head() } else { memory.sequence() + 1 };
        let found = self.store.slot(wanted).map(|stored| stored.record);
        let follows = setup.has(Bug::CatchUpSkips)
            || found.is_some_and(|found| found.previous == memory.head.map(|head| head.id));
        match (asked, found) {
            (Asked::Behind, Some(record))
                if follows && (record.anew.is_none() || setup.has(Bug::ReplayedAcross)) =>
            {
                self.memory_mut(at).follow(record)
            }
            (Asked::Current, _) => {
                let memory = self.memory_mut(at);
                (memory.is_behind, memory.proof) = (false, 0);
            }
            // It is restored anew; a request that a function holds runs again then.
            _ => drop(self.forget(at)),
        }
    }

    /// Whether the answer to a keyed request is known already.
    fn is_replay(&self, setup: &Setup, request: u8, view: Writes) -> bool {
        let is_noted = if setup.has(Bug::IdempotencyOutside) {
            self.store.entries >> request & 1 == 1
        } else {
            true
        };
        setup.is_keyed(request) && is_noted && view.contains(request)
    }

    pub(crate) fn can_start(&self, setup: &Setup, at: u8, request: u8) -> bool {
        let instance = self.instance(at);
        let Some(memory) = instance
            .memory
            .as_ref()
            .filter(|memory| self.may_arrive(setup, request) && !memory.is_behind)
        else {
            return false;
        };
        let writes = !setup.is_read(request) && !self.is_replay(setup, request, memory.view());
        let is_current =
            || setup.has(Bug::ReadWithoutProof) || self.ask(setup, memory) == Asked::Current;
        if writes {
            let is_free =
                Self::is_leased(setup, at) || (instance.held.is_none() && memory.is_quiet());
            let may_upload = !setup.replaces(request)
                || (self.store.snapshots_made < setup.snapshots && instance.upload.is_none());
            is_free && may_upload && self.may_append(setup, at) && Self::has_room(setup, memory)
        } else if Self::is_leased(setup, at) {
            !memory.is_quiet() || memory.lease.is_some() || is_current()
        } else {
            instance.held.is_none() && memory.is_quiet() && is_current()
        }
    }

    /// A request arrives and its handler runs.
    pub(crate) fn start(&mut self, setup: &Setup, at: u8, request: u8) {
        self.begin(request);
        if setup.has(Bug::ClaimComesBack) {
            self.find_claim_again(at);
        }
        let view = self.memory_mut(at).view();
        let shows = if setup.is_read(request) {
            view.len()
        } else {
            view.position(request).map_or(view.len(), |at| at + 1)
        };
        match (
            setup.is_read(request) || self.is_replay(setup, request, view),
            Self::is_leased(setup, at),
        ) {
            (true, true) => {
                self.read_at_server(setup, at, Waiting { request, shows, behind: Gate::Next })
            }
            (true, false) => {
                self.answer_from_memory(setup, at, Waiting { request, shows, behind: Gate::Next })
            }
            (false, true) => self.write_at_server(setup, at, request),
            (false, false) => {
                self.instance_mut(at).held = Some(request);
                if setup.replaces(request) {
                    return self.upload(setup, at);
                }
                self.send(setup, at, Writes::of(request), 0);
            }
        }
    }

    /// Answers with the state in memory, which was proven or is under a lease.
    fn answer_from_memory(&mut self, setup: &Setup, at: u8, waiting: Waiting) {
        let memory = self.memory_mut(at);
        if memory.lease.is_none() {
            memory.proof = 0;
        }
        let shown = memory.view().prefix(waiting.shows);
        self.answer(setup, waiting.request, shown);
    }

    fn read_at_server(&mut self, setup: &Setup, at: u8, waiting: Waiting) {
        let memory = self.memory_mut(at);
        if memory.is_quiet() || setup.has(Bug::ReadSkipsGate) {
            return self.answer_from_memory(setup, at, waiting);
        }
        let under_way = memory
            .appends
            .last()
            .filter(|_| memory.gathered.is_empty())
            .map(|append| append.record.id);
        let behind = under_way.map_or(Gate::Next, Gate::Late);
        memory.wait(Waiting { behind, ..waiting });
    }

    /// While a record of its own is under way on top of another's, a mistaken owner reads the
    /// object from the log again.
    fn find_claim_again(&mut self, at: u8) {
        let memory = self.memory_mut(at);
        if let (Some(append), Some(head)) = (memory.appends.first(), memory.head)
            && head.id.instance != at
        {
            memory.lacks = append.record.writes;
        }
    }

    fn write_at_server(&mut self, setup: &Setup, at: u8, request: u8) {
        let memory = self.memory_mut(at);
        memory.gathered.push(request);
        let shows = memory.view().len();
        if setup.has(Bug::AcknowledgeBeforeRecord) {
            let shown = memory.view();
            self.answer(setup, request, shown);
        } else {
            memory.wait(Waiting { request, shows, behind: Gate::Next });
        }
        let at_once = if setup.has(Bug::TwoAppendsInFlight) { 2 } else { 1 };
        if self.memory_mut(at).appends.len() < at_once {
            self.send_gathered(setup, at);
        }
    }

    pub(crate) fn can_retry(&self, setup: &Setup, at: u8) -> bool {
        let instance = self.instance(at);
        let (Some(request), Some(memory)) = (instance.held, &instance.memory) else { return false };
        if !memory.is_quiet() || memory.is_behind || setup.replaces(request) {
            return false;
        }
        let is_replay = self.is_replay(setup, request, memory.writes);
        let may_write = self.may_append(setup, at) && Self::has_room(setup, memory);
        if is_replay { self.ask(setup, memory) == Asked::Current } else { may_write }
    }

    /// A function runs the request that it holds again. After losses, it takes a short lease first.
    pub(crate) fn retry(&mut self, setup: &Setup, at: u8) {
        let request = self.instance(at).held.expect("a retry has a request");
        let writes = self.memory_mut(at).writes;
        if self.is_replay(setup, request, writes) {
            self.instance_mut(at).held = None;
            let shows = writes.position(request).map_or(0, |at| at + 1);
            self.answer_from_memory(setup, at, Waiting { request, shows, behind: Gate::Next });
        } else if setup.losses_max > 0 && self.instance(at).losses >= setup.losses_max {
            self.send(setup, at, Writes::default(), 1);
        } else {
            self.send(setup, at, Writes::of(request), 0);
        }
    }

    pub(crate) fn can_release(&self, setup: &Setup, at: u8) -> bool {
        let holds = |memory: &Memory| {
            memory.is_quiet() && memory.lease.is_some() && Self::has_room(setup, memory)
        };
        self.releases_left > 0 && self.instance(at).memory.as_ref().is_some_and(holds)
    }

    /// A server gives its lease back.
    pub(crate) fn release(&mut self, setup: &Setup, at: u8) {
        self.releases_left -= 1;
        self.send(setup, at, Writes::default(), 0);
    }
}
