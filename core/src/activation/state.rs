//! One object's place in this process: its turn, its memory, its commit state.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::activation::after_commit::AfterCommitQueue;
use crate::activation::leased::{Gate, Pipeline, Quiet};
use crate::activation::maintenance::{Agenda, Due, NEVER, ROUND};
use crate::activation::per_request::Queue;
use crate::activation::resident::{AbandonedPlan, Resident, Stage, TurnState};
use crate::activation::residents::{Member, Residency, Residents};
use crate::activation::runtime::Runtime;
use crate::budget::Charge;
use crate::clock::Instant;
use crate::cluster::{Announced, LastWritten, OwnerCache};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Head, Log};
use crate::messages::Outbox;
use crate::millis;
use crate::planted::{Bug, planted};
use crate::sync::Mutex;

/// One object's place in this process. It stays while anyone holds it; its memory comes and goes.
///
/// What is done with it is in methods, each in the module that its subject has.
pub(crate) struct Activation {
    pub(crate) runtime: Arc<Runtime>,
    lists: Arc<Lists>,
    /// No other activation of this process has it.
    number: u64,
    pub(crate) log: Log,
    /// Whoever holds this runs on the object; others wait in order.
    pub(crate) turn: tokio::sync::Mutex<TurnState>,
    /// One snapshot of an object is written at a time.
    pub(crate) checkpoint: tokio::sync::Mutex<()>,
    /// Requests that wait, when this process writes per request.
    pub(crate) queue: Queue,
    pipeline: Mutex<Pipeline>,
    /// Monotonic milliseconds of the last use.
    used_ms: AtomicU64,
    due_ms: AtomicU64,
    /// How many memories of the object are there: 1, or 0.
    residents: AtomicUsize,
    /// Maintenance has counted the object's lease as one that this process holds.
    pub(crate) lease_counted: AtomicBool,
    pub(crate) checkpoint_asked: AtomicBool,
    /// The memory has been made small since the last use.
    pub(crate) relaxed: AtomicBool,
    pub(crate) hint: LastWritten,
    /// What this process last told the directory of the object.
    pub(crate) announced: Announced,
    /// The delivery of the object's messages.
    pub(crate) outbox: Outbox,
    /// Who owns the object, when that is another process.
    pub(crate) owner_cache: OwnerCache,
    /// Woken when the committer ends, for whoever has the turn and waits for that.
    committer_idle: Notify,
    /// Plans of snapshots whose tasks ended early: the next snapshot gives them back to the
    /// tracker.
    pub(crate) abandoned_plans: Mutex<Vec<AbandonedPlan>>,
    /// What handlers have left to be done after their records.
    pub(crate) after_commit_queue: AfterCommitQueue,
    /// When the object's history was last swept, counting from when it came to this process.
    pub(crate) swept: Mutex<Instant>,
    /// What the activation itself takes.
    _charge: Charge,
}

/// The lists that all activations of a process are in.
#[derive(Default)]
pub(crate) struct Lists {
    /// When which of them is looked at.
    pub(crate) agenda: Agenda<Activation>,
    /// Those whose objects are in memory.
    pub(crate) residents: Residents<Activation>,
    /// The number of the next one.
    next: AtomicU64,
}

impl Activation {
    pub(crate) fn new(runtime: Arc<Runtime>, lists: Arc<Lists>, log: Log, charge: Charge) -> Self {
        let pipeline = Mutex::new(Pipeline::new(log.clock.as_ref()));
        let swept = Mutex::new(Instant::now(log.clock.as_ref()));
        let number = lists.next.fetch_add(1, Ordering::Relaxed);
        Self {
            runtime,
            lists,
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
            hint: LastWritten::default(),
            announced: Announced::default(),
            outbox: Outbox::default(),
            owner_cache: OwnerCache::default(),
            committer_idle: Notify::new(),
            abandoned_plans: Mutex::default(),
            after_commit_queue: AfterCommitQueue::default(),
            swept,
            _charge: charge,
        }
    }

    /// The commit state. The lock is held for moments only, never across an await.
    pub(crate) fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock()
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
            self.committer_idle.notified().await;
        }
    }

    /// Says that the committer has ended.
    pub(crate) fn committer_ended(&self) {
        self.committer_idle.notify_one();
    }

    /// Notes that the object is in use.
    pub(crate) fn touch(self: &Arc<Self>) {
        self.used_ms.store(self.runtime.now_ms(), Ordering::Relaxed);
        self.relaxed.store(false, Ordering::Relaxed);
        self.check_after(ROUND);
    }

    /// Schedules maintenance for when `after` has passed, or earlier.
    pub(crate) fn check_after(self: &Arc<Self>, after: Duration) {
        let after_ms = millis::of(after);
        self.lists.agenda.put(self, self.runtime.now_ms().saturating_add(after_ms));
    }

    /// Whether the object is in memory.
    pub(crate) fn is_resident(&self) -> bool {
        self.residents.load(Ordering::Acquire) > 0
    }

    /// The object is in memory, which was paid by `charge`.
    pub(crate) fn enter_memory(self: &Arc<Self>, charge: Charge) -> Residency {
        self.lists.residents.add(self, charge)
    }

    /// How long what is known of a cold object is worth keeping; `None`: nothing is known.
    ///
    /// A claim is kept until its time is over: whoever forgets it earlier waits longer for its end,
    /// because it counts from when it sees the record again.
    pub(crate) fn kept_for(&self) -> Option<Duration> {
        let clock = self.runtime.clock.as_ref();
        if self.owner_cache.is_known(clock) {
            return Some(ROUND);
        }
        let Ok(held) = self.turn.try_lock() else { return Some(ROUND) };
        let claim = held.claim.as_ref()?;
        let left = claim.duration.saturating_sub(claim.observed.elapsed_at_least(clock));
        (!left.is_zero()).then_some(left)
    }

    /// Waits for what a response depends on. Returns the record, when it waited for one.
    pub(crate) async fn pass(&self, gate: Gate) -> Result<Option<Head>> {
        match gate {
            Gate::Open => Ok(None),
            Gate::Record(_) if planted(Bug::GateOpen) => Ok(None),
            Gate::Record(ticket) => ticket.await.unwrap_or_else(|_| Err(stopped())).map(Some),
        }
    }

    /// The object's memory, if it is there and a state that the pipeline knows. What a handler left
    /// behind that failed, panicked or went away is rolled back; memory that can't be relied on is
    /// dropped. The caller has the turn.
    ///
    /// # Errors
    ///
    /// `Internal` when the object's value can't be made.
    pub(crate) fn sound<'a>(&self, held: &'a mut TurnState) -> Result<Option<&'a mut Resident>> {
        let generation = self.pipeline().generation;
        if let Some(resident) =
            held.resident.as_mut().filter(|resident| resident.stage == Stage::Running)
        {
            resident.recover(&self.runtime.app)?;
        }
        let fault = held.resident.as_ref().and_then(|resident| resident.fault(generation));
        if let Some(reason) = fault {
            tracing::warn!(object = %self.log.object, reason, "dropping the object from memory; the log has all data");
            self.drop_memory(held);
        }
        Ok(held.resident.as_deref_mut())
    }

    /// Lets go of the object's memory. What is on its way goes on; [`Pipeline::reset`] takes a new
    /// memory only when that is decided.
    pub(crate) fn drop_memory(&self, held: &mut TurnState) {
        held.resident = None;
        self.abandoned_plans.lock().clear();
        self.relaxed.store(false, Ordering::Relaxed);
    }

    /// Lets go of the object's memory if the object does not exist: nobody has written it, and
    /// nothing is on its way. Asking for it leaves nothing behind.
    pub(crate) fn drop_what_does_not_exist(&self, held: &mut TurnState) {
        let pipeline = self.pipeline();
        if pipeline.head == Head::NONE && pipeline.is_quiet() {
            drop(pipeline);
            self.drop_memory(held);
        }
    }
}

impl Due for Activation {
    fn number(&self) -> u64 {
        self.number
    }

    fn due_ms(&self) -> &AtomicU64 {
        &self.due_ms
    }
}

impl Member for Activation {
    fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    fn enter(&self) {
        self.residents.fetch_add(1, Ordering::AcqRel);
    }

    fn leave(self: Arc<Self>) {
        self.residents.fetch_sub(1, Ordering::AcqRel);
        self.lists.agenda.put(&self, 0);
    }
}

fn stopped() -> Error {
    Error::new(
        ErrorKind::Unknown,
        "the server stopped before the outcome of the record was certain",
    )
}
