//! One object's place in this process: its turn, its memory, its commit state.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::budget::Charge;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::afterwards::Afterwards;
use crate::instance::agenda::NEVER;
use crate::instance::checkpoint::Returned;
use crate::instance::janitor;
use crate::instance::outbox::Outbox;
use crate::instance::pipeline::{Gate, Pipeline, Quiet};
use crate::instance::queue::Queue;
use crate::instance::residents::Resident;
use crate::instance::turn::recover;
use crate::instance::whereabouts::Whereabouts;
use crate::instance::{Deps, checkpoint, committer, hearsay, hint};
use crate::lease::Claim;
use crate::log::{Head, Log};
use crate::object::{AnyObject, Context};
use crate::planted::{Bug, planted};
use crate::snapshot::Tracker;

/// One object's place in this process. It stays while anyone holds it; its memory comes and goes.
pub(crate) struct Slot {
    /// No other slot of this process has it.
    pub(crate) number: u64,
    pub(crate) log: Log,
    /// Whoever holds this runs on the object; others wait in order.
    pub(crate) turn: tokio::sync::Mutex<Residence>,
    /// One snapshot of an object is written at a time.
    pub(crate) checkpoint: tokio::sync::Mutex<()>,
    /// Requests that wait, when this process writes per request.
    pub(crate) queue: Queue,
    pipeline: Mutex<Pipeline>,
    /// Monotonic milliseconds of the last use.
    used_ms: AtomicU64,
    /// When the janitor looks at it next, in monotonic milliseconds; the agenda's alone to set.
    pub(crate) due_ms: AtomicU64,
    /// How many memories of the object are there: 1, or 0.
    pub(crate) residents: AtomicUsize,
    /// The janitor has counted the object's lease as one that this process holds.
    pub(crate) lease_counted: AtomicBool,
    pub(crate) checkpoint_asked: AtomicBool,
    /// The memory has been made small since the last use.
    pub(crate) relaxed: AtomicBool,
    pub(crate) hint: Mutex<hint::LastWritten>,
    /// What this process last told the directory of the object.
    pub(crate) told: Mutex<Option<hearsay::Told>>,
    /// The delivery of the object's messages.
    pub(crate) outbox: Outbox,
    /// Who owns the object, when that is another process.
    pub(crate) whereabouts: Whereabouts,
    /// Woken when the committer ends, for whoever has the turn and waits for that.
    calm: Notify,
    /// Plans of snapshots whose tasks ended early: the next snapshot gives them back to the
    /// tracker.
    pub(crate) returned: Mutex<Vec<Returned>>,
    /// What handlers have left to be done after their records.
    pub(crate) afterwards: Afterwards,
    /// When the object's history was last swept, counting from when it came to this process.
    pub(crate) swept: Mutex<Instant>,
    /// What the slot itself takes.
    _charge: Charge,
}

/// The object's memory, if it is in memory.
#[derive(Default)]
pub(crate) struct Residence {
    pub(crate) warm: Option<Box<Warm>>,
    /// What the newest record claimed when this process last looked, and since when it has watched
    /// that record.
    pub(crate) claim: Option<Claim>,
}

impl Residence {
    /// The object's memory, if it is there and a state that the pipeline knows. What a handler left
    /// behind that failed, panicked or went away is rolled back; memory that can't be relied on is
    /// dropped. The caller has the turn.
    ///
    /// # Errors
    ///
    /// `Internal` when the object's value can't be made.
    pub(crate) fn sound(&mut self, deps: &Deps, slot: &Slot) -> Result<Option<&mut Warm>> {
        let generation = slot.pipeline().generation;
        if let Some(warm) = self.warm.as_mut().filter(|warm| warm.stage == Stage::Running) {
            recover(deps, slot, warm)?;
        }
        let fault = self.warm.as_ref().and_then(|warm| match warm.stage {
            Stage::Ahead if warm.generation == generation && planted(Bug::MemoryAheadUsed) => None,
            Stage::Settled
                if warm.generation == generation && warm.context.database.is_usable() =>
            {
                None
            }
            Stage::Settled if warm.generation == generation => Some("its database failed"),
            Stage::Settled => Some("a record was lost"),
            Stage::Running | Stage::Ahead => {
                Some("a request ended between its commit in memory and its record")
            }
        });
        if let Some(reason) = fault {
            tracing::warn!(object = %slot.log.object, reason, "the object's memory is void; the log has everything");
            self.drop_memory(slot);
        }
        Ok(self.warm.as_deref_mut())
    }

    /// Lets go of the object's memory. What is on its way goes on; [`Pipeline::reset`] takes a new
    /// memory only when that is decided.
    pub(crate) fn drop_memory(&mut self, slot: &Slot) {
        self.warm = None;
        slot.returned.lock().unwrap_or_else(PoisonError::into_inner).clear();
        slot.relaxed.store(false, Ordering::Relaxed);
    }

    /// Lets go of the object's memory if the object does not exist: nobody has written it, and
    /// nothing is on its way. Asking for it leaves nothing behind.
    pub(crate) fn drop_what_does_not_exist(&mut self, slot: &Slot) {
        let pipeline = slot.pipeline();
        if pipeline.head == Head::NONE && pipeline.is_quiet() {
            drop(pipeline);
            self.drop_memory(slot);
        }
    }
}

/// What stands between an object's memory and the state that its pipeline knows.
///
/// It is set before each step, and back when the step is done. A panic or a cancellation leaves it
/// where it was, and whoever gets the turn next finds it there ([`Residence::sound`]): no
/// destructor has to run in time, and none can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing: they are the same.
    Settled,
    /// An open transaction: to be rolled back.
    Running,
    /// Something may be committed in memory that the pipeline does not know: the memory is void.
    Ahead,
}

/// An object in memory.
pub(crate) struct Warm {
    /// The pipeline's generation that this memory belongs to; when that has moved on, this is void.
    pub(crate) generation: u64,
    pub(crate) value: Box<dyn AnyObject>,
    pub(crate) context: Context,
    pub(crate) tracker: Tracker,
    pub(crate) stage: Stage,
    /// When the running handler must end, in monotonic milliseconds; `u64::MAX` while none runs.
    pub(crate) deadline_ms: Arc<AtomicU64>,
    /// Its place among the objects in memory, and what it is charged.
    pub(crate) resident: Resident,
}

impl Warm {
    /// Charges what the database holds now.
    pub(crate) fn weigh(&mut self) {
        self.resident.weighs(self.context.database.bytes());
    }
}

impl Slot {
    pub(crate) fn new(number: u64, log: Log, charge: Charge) -> Self {
        let pipeline = Mutex::new(Pipeline::new(log.clock.as_ref()));
        let swept = Mutex::new(Instant::now(log.clock.as_ref()));
        Self {
            number,
            log,
            turn: tokio::sync::Mutex::default(),
            checkpoint: tokio::sync::Mutex::default(),
            queue: Queue::default(),
            pipeline,
            used_ms: AtomicU64::new(0),
            due_ms: AtomicU64::new(NEVER),
            residents: AtomicUsize::new(0),
            lease_counted: AtomicBool::new(false),
            checkpoint_asked: AtomicBool::new(false),
            relaxed: AtomicBool::new(false),
            hint: Mutex::default(),
            told: Mutex::default(),
            outbox: Outbox::default(),
            whereabouts: Whereabouts::default(),
            calm: Notify::new(),
            returned: Mutex::default(),
            afterwards: Afterwards::default(),
            swept,
            _charge: charge,
        }
    }

    /// The commit state. The lock is held for moments only, never across an await.
    pub(crate) fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is on its way. The caller has the turn, so nothing new sets out; what is
    /// under way ends with its deadline.
    pub(crate) async fn quiet(&self) -> Quiet {
        loop {
            if planted(Bug::ClaimComesBack) {
                return self.pipeline().presumed_quiet();
            }
            if let Some(quiet) = self.pipeline().quiet() {
                return quiet;
            }
            self.calm.notified().await;
        }
    }

    /// Says that the committer has ended.
    pub(crate) fn calms(&self) {
        self.calm.notify_one();
    }

    /// Notes that the object is in use.
    pub(crate) fn touch(self: &Arc<Self>, deps: &Deps) {
        self.used_ms.store(deps.now_ms(), Ordering::Relaxed);
        self.relaxed.store(false, Ordering::Relaxed);
        deps.look_in(self, janitor::ROUND);
    }

    /// Whether the object is in memory.
    pub(crate) fn is_resident(&self) -> bool {
        self.residents.load(Ordering::Acquire) > 0
    }

    /// How long what a cold slot knows is worth keeping; `None`: it knows nothing.
    ///
    /// A claim is kept until its time is over: whoever forgets it earlier waits longer for its end,
    /// because it counts from when it sees the record again.
    pub(crate) fn kept_for(&self, deps: &Deps) -> Option<Duration> {
        let clock = deps.clock.as_ref();
        if self.whereabouts.is_known(clock) {
            return Some(janitor::ROUND);
        }
        let Ok(residence) = self.turn.try_lock() else { return Some(janitor::ROUND) };
        let claim = residence.claim.as_ref()?;
        let left = claim.duration.saturating_sub(claim.observed.elapsed_at_least(clock));
        (!left.is_zero()).then_some(left)
    }

    /// When the object was last used, in monotonic milliseconds.
    pub(crate) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    /// Waits for what a response depends on. Returns the record, when it waited for one.
    pub(crate) async fn pass(&self, gate: Gate) -> Result<Option<Head>> {
        match gate {
            Gate::Open => Ok(None),
            Gate::Record(_) if planted(Bug::GateOpen) => Ok(None),
            Gate::Record(ticket) => ticket.await.unwrap_or_else(|_| Err(stopped())).map(Some),
        }
    }

    /// Starts the committer, if the pipeline asked for it.
    pub(crate) fn commit_if(self: &Arc<Self>, start: bool, deps: &Arc<Deps>) {
        if start {
            committer::start(deps, self);
        }
    }

    /// What follows a record behind the responses: the hints for other servers, and the object's
    /// first snapshot.
    pub(crate) fn after_record(self: &Arc<Self>, deps: &Arc<Deps>, head: Head) {
        hint::write_behind(deps, self, head);
        self.tell(deps, head);
        checkpoint::start_if_due(deps, self);
    }

    /// Tells the directory of `head`, a record of this process under leases.
    pub(crate) fn tell(&self, deps: &Deps, head: Head) {
        let lease = if head.leases { deps.settings.lease_duration } else { Duration::ZERO };
        hearsay::tell(deps, self, head, lease);
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Unknown, "the server stopped before the record was certain")
}
