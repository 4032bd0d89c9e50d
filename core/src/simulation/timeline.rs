//! What all of a simulated world shares: true time, the queue of what will happen, the store, every
//! machine's clocks, and the trace.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::sync::{Arc, MutexGuard};

use tokio::sync::oneshot;

use crate::cluster::{Holding, OwnershipChange};
use crate::id::ObjectId;
use crate::simulation::chance::Chance;
use crate::simulation::directory::Entry;
use crate::simulation::history::Request;
use crate::simulation::network::{Letter, Reply};
use crate::simulation::plan::{Faults, NetworkPlan};
use crate::simulation::store::{Dated, Message, Store};
use crate::simulation::trace::Trace;
use crate::sync::Mutex;

/// A process: which machine it runs on, and how many have run there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) machine: usize,
    pub(super) life: u32,
}

/// Something that will happen.
pub(super) enum Event {
    /// A request reaches the store.
    Arrive(Box<Message>),
    /// Something reaches a process.
    Deliver(Process, Delivery),
    /// A client goes on; the number is out of date when something else has woken it.
    Client(usize, u64),
    /// The nemesis does something.
    Act,
    /// A frozen machine goes on; the number is out of date when it has been frozen anew.
    Thaw(usize, u64),
    /// A process starts where none is.
    Start(usize),
}

/// What reaches a process.
pub(super) enum Delivery {
    /// The store's answer.
    Answer(oneshot::Sender<Dated>, Dated),
    /// A timer, due at this monotonic time.
    Timer(oneshot::Sender<()>, u64),
    /// A client's request.
    Request(Request),
    /// What another server sends.
    Letter(Box<Letter>),
    /// What another server answers.
    Reply(oneshot::Sender<Reply>, Reply),
    /// What another server has told of an object.
    OwnershipChange(ObjectId, Holding, OwnershipChange),
}

/// An event in the queue.
struct Due {
    at_us: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_us, self.order).cmp(&(other.at_us, other.order))
    }
}

/// What is known of a machine outside of its process.
pub(super) struct Outside {
    pub(super) life: u32,
    pub(super) frozen: bool,
    /// Counts how often it was frozen.
    pub(super) freezes: u64,
    /// No request of it reaches the store, and no answer it, until then.
    pub(super) cut_until_us: u64,
    pub(super) clock: crate::simulation::clock::Dial,
}

/// Everything that is shared.
pub(super) struct State {
    pub(super) now_us: u64,
    order: u64,
    queue: BinaryHeap<Reverse<Due>>,
    pub(super) chance: Chance,
    pub(super) trace: Trace,
    pub(super) machines: Vec<Outside>,
    pub(super) store: Store,
    /// The store of files, where the other one only coordinates and holds the log.
    pub(super) files: Option<Store>,
    pub(super) faults: Faults,
    /// What goes wrong between servers.
    pub(super) network: NetworkPlan,
    /// Two machines that can't reach each other until then.
    pub(super) parted: (usize, usize, u64),
    /// What servers have told of what they own.
    pub(super) directory: BTreeMap<ObjectId, Entry>,
    pub(super) latency_us: u64,
    /// How long a process's housekeeping may oversleep.
    pub(super) oversleep_us: u64,
    /// How long a machine that freezes while it is about to send stays frozen, at most.
    pub(super) freeze_us: u64,
    /// What must never happen, and did.
    pub(super) broken: Option<String>,
}

/// The shared state, behind a lock that nobody ever waits for: a world has one thread.
#[derive(Clone)]
pub(super) struct Timeline(Arc<Mutex<State>>);

impl Timeline {
    pub(super) fn new(chance: Chance, trace: Trace, store: Store) -> Self {
        Self(Arc::new(Mutex::new(State {
            now_us: 0,
            order: 0,
            queue: BinaryHeap::new(),
            chance,
            trace,
            machines: Vec::new(),
            store,
            files: None,
            faults: Faults::default(),
            network: NetworkPlan::default(),
            parted: (0, 0, 0),
            directory: BTreeMap::new(),
            latency_us: 1,
            oversleep_us: 0,
            freeze_us: 0,
            broken: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    /// A number that is larger than all before it: the order of what happens.
    pub(super) fn tick(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// Puts `event` into the queue, `after_us` from now.
    pub(super) fn schedule(&mut self, after_us: u64, event: Event) {
        let (at_us, order) = (self.now_us + after_us, self.tick());
        self.queue.push(Reverse(Due { at_us, order, event }));
    }

    /// The next event; time moves on to it.
    pub(super) fn next(&mut self) -> Option<Event> {
        let Reverse(due) = self.queue.pop()?;
        self.now_us = self.now_us.max(due.at_us);
        self.tick();
        Some(due.event)
    }

    /// Brings what would reach the store much later to within a moment from now, in the same order.
    pub(super) fn hurry_arrivals(&mut self) {
        let mut waiting = std::mem::take(&mut self.queue).into_vec();
        waiting.sort();
        waiting.reverse();
        let latest_us = self.now_us + self.latency_us;
        for Reverse(mut due) in waiting {
            if matches!(due.event, Event::Arrive(_)) {
                due.at_us = due.at_us.min(latest_us);
            }
            self.queue.push(Reverse(due));
        }
    }

    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        self.trace.note(self.now_us, what);
    }

    /// Something happened that must never happen.
    pub(super) fn break_world(&mut self, what: String) {
        self.note(format_args!("BROKEN: {what}"));
        self.broken.get_or_insert(what);
    }

    pub(super) fn is_alive(&self, process: Process) -> bool {
        self.machines[process.machine].life == process.life
    }

    /// Whether nothing passes between the machine and the store now.
    pub(super) fn is_cut(&self, machine: usize) -> bool {
        self.now_us < self.machines[machine].cut_until_us
    }

    /// Freezes a machine for `length_us`.
    pub(super) fn freeze(&mut self, machine: usize, length_us: u64) {
        self.note(format_args!("m{machine} freezes for {length_us} us"));
        let now_us = self.now_us;
        let outside = &mut self.machines[machine];
        if !outside.frozen {
            outside.frozen = true;
            outside.clock.freeze(now_us);
        }
        outside.freezes += 1;
        let freezes = outside.freezes;
        self.schedule(length_us, Event::Thaw(machine, freezes));
    }
}
