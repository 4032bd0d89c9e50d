//! One object's state in this process: its turn, its memory, its commit state.

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
use crate::budget::{Charge, Use};
use crate::change::Changes;
use crate::clock::Instant;
use crate::cluster::{Announced, LastWritten, OwnerCache};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::lease::Claim;
use crate::limits::CHANGES_FACTOR;
use crate::log::{Head, Log};
use crate::messages::Outbox;
use crate::millis;
use crate::planted::{Bug, planted};
use crate::sync::Mutex;

/// One object's state in this process. It lives while anyone holds it; its memory comes and goes.
///
/// Its methods are in the modules of their subjects.
pub(crate) struct Activation {
    pub(crate) runtime: Arc<Runtime>,
    lists: Arc<Lists>,
    /// A number that is unique in this process.
    number: u64,
    pub(crate) log: Log,
    /// Held by the request that runs on the object; others wait in order.
    pub(crate) turn: tokio::sync::Mutex<TurnState>,
    /// Held while a snapshot of the object is written.
    pub(crate) checkpoint: tokio::sync::Mutex<()>,
    /// Waiting requests, when this process writes per request.
    pub(crate) queue: Queue,
    pipeline: Mutex<Pipeline>,
    /// Monotonic milliseconds of the last use.
    used_ms: AtomicU64,
    due_ms: AtomicU64,
    /// Number of the object's memories: 1 or 0.
    residents: AtomicUsize,
    /// Whether maintenance has counted the object's lease among those that this process holds.
    pub(crate) lease_counted: AtomicBool,
    pub(crate) checkpoint_asked: AtomicBool,
    /// Whether the memory has been shrunk since the last use.
    pub(crate) relaxed: AtomicBool,
    pub(crate) hint: LastWritten,
    /// What this process last announced about the object.
    pub(crate) announced: Announced,
    /// The delivery of the object's messages.
    pub(crate) outbox: Outbox,
    /// The object's owner, when that is another process.
    pub(crate) owner_cache: OwnerCache,
    /// Notified when the committer ends.
    committer_idle: Notify,
    /// Plans of snapshots whose tasks ended early: the next snapshot gives them back to the
    /// tracker.
    pub(crate) abandoned_plans: Mutex<Vec<AbandonedPlan>>,
    /// Work of handlers that waits for their records.
    pub(crate) after_commit_queue: AfterCommitQueue,
    /// When the object's history was last swept; at first, when this activation was created.
    pub(crate) swept: Mutex<Instant>,
    /// The memory of the activation itself.
    _charge: Charge,
}

/// The live claim of another instance on an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignClaim<'a> {
    pub(crate) claim: &'a Claim,
    /// How long it must still be respected.
    pub(crate) remaining: Duration,
}

impl ForeignClaim<'_> {
    /// The error for a request that does not wait for its end.
    pub(crate) fn busy(&self) -> Error {
        self.claim.busy(self.remaining)
    }
}

/// The lists that all activations of a process are in.
#[derive(Default)]
pub(crate) struct Lists {
    /// When maintenance looks at which of them.
    pub(crate) agenda: Agenda<Activation>,
    /// Those whose objects are in memory.
    pub(crate) residents: Residents<Activation>,
    /// The number of the next activation.
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

    /// Locks the commit state. The lock is held for moments only, never across an await.
    pub(crate) fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock()
    }

    /// Waits until no record is in flight. The caller has the turn, so no new one starts, and those
    /// in flight end by their deadline.
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

    /// Notifies the holder of the turn that the committer has ended.
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

    /// Lists the object as one in memory, whose memory `charge` pays for.
    pub(crate) fn enter_memory(self: &Arc<Self>, charge: Charge) -> Residency {
        self.lists.residents.add(self, charge)
    }

    /// How long the knowledge about a cold object is worth keeping; `None` when there is none.
    ///
    /// A claim is kept until its lease is over. If it were dropped earlier, the wait would start
    /// again when the record is seen again.
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

    /// Waits until everything that a response depends on is in the bucket. Returns the record, if
    /// it waited for one.
    pub(crate) async fn pass(&self, gate: Gate) -> Result<Option<Head>> {
        match gate {
            Gate::Open => Ok(None),
            Gate::Record(_) if planted(Bug::GateOpen) => Ok(None),
            Gate::Record(ticket) => ticket.await.unwrap_or_else(|_| Err(stopped())).map(Some),
        }
    }

    /// Charges `changes` until their record is in the bucket. They exist already, so nobody is asked
    /// whether there is room.
    pub(crate) fn charge_changes(&self, changes: &Changes) -> Charge {
        let bytes = (changes.bytes() as u64).saturating_mul(CHANGES_FACTOR);
        self.runtime.budget.count(Use::Requests, &self.log.object, bytes)
    }

    /// The object's memory, if it exists and is a state that the pipeline knows. The rest of a
    /// handler that failed, panicked or was cancelled is rolled back; memory that can't be relied
    /// on is dropped. The caller has the turn.
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

    /// Drops the object's memory. Records in flight continue; [`Pipeline::reset`] accepts a new
    /// memory only when their outcome is known.
    pub(crate) fn drop_memory(&self, held: &mut TurnState) {
        held.resident = None;
        self.abandoned_plans.lock().clear();
        self.relaxed.store(false, Ordering::Relaxed);
    }

    /// Drops the object's memory if the object does not exist: it has no records, or was deleted, and
    /// no record is in flight. So a request for an id that does not exist leaves nothing behind, unless
    /// it stays or lingers ([`Context::linger`](crate::Context::linger)).
    pub(crate) fn drop_what_does_not_exist(&self, held: &mut TurnState) {
        if held
            .resident
            .as_ref()
            .is_some_and(|resident| resident.context.stays.keep_what_does_not_exist())
        {
            return;
        }
        let pipeline = self.pipeline();
        if !pipeline.head.exists() && pipeline.is_quiet() {
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

    fn tenant(&self) -> &Tenant {
        self.log.object.tenant()
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
