//! One object's place in this process: its turn, its memory, its commit state.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::instance::outbox::Outbox;
use crate::instance::pipeline::{Gate, Head, Pipeline};
use crate::instance::queue::Queue;
use crate::instance::whereabouts::Whereabouts;
use crate::instance::{Deps, checkpoint, commit, hearsay, hint};
use crate::lease::Claim;
use crate::log::Log;
use crate::object::{AnyObject, Context};
use crate::planted::{Bug, planted};
use crate::snapshot::Tracker;

/// One object's place in this process. It stays while anyone holds it; its memory comes and goes.
pub(crate) struct Slot {
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
    /// What the object's memory weighs.
    pub(crate) bytes: AtomicU64,
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
    /// When the object's history was last swept, counting from when it came to this process.
    pub(crate) swept: Mutex<Instant>,
}

/// The object's memory, if it is in memory.
#[derive(Default)]
pub(crate) struct Residence {
    pub(crate) warm: Option<Box<Warm>>,
    /// What the newest record claimed when this process last looked, and since when it has watched that record.
    pub(crate) claim: Option<Claim>,
}

impl Residence {
    /// Lets go of the object's memory.
    pub(crate) fn drop_memory(&mut self, slot: &Slot) {
        self.warm = None;
        slot.bytes.store(0, Ordering::Relaxed);
    }
}

/// An object in memory.
pub(crate) struct Warm {
    /// The pipeline's generation that this memory belongs to; when that has moved on, this is void.
    pub(crate) generation: u64,
    pub(crate) value: Box<dyn AnyObject>,
    pub(crate) context: Context,
    pub(crate) tracker: Tracker,
    /// A handler is running, or its future was dropped while it was.
    pub(crate) running: bool,
    /// When the running handler must end, in monotonic milliseconds; `u64::MAX` while none runs.
    pub(crate) deadline_ms: Arc<AtomicU64>,
}

impl Slot {
    pub(crate) fn new(log: Log) -> Self {
        let pipeline = Mutex::new(Pipeline::new(log.clock.as_ref()));
        let swept = Mutex::new(Instant::now(log.clock.as_ref()));
        Self {
            log,
            turn: tokio::sync::Mutex::default(),
            checkpoint: tokio::sync::Mutex::default(),
            queue: Queue::default(),
            pipeline,
            used_ms: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            checkpoint_asked: AtomicBool::new(false),
            relaxed: AtomicBool::new(false),
            hint: Mutex::default(),
            told: Mutex::default(),
            outbox: Outbox::default(),
            whereabouts: Whereabouts::default(),
            swept,
        }
    }

    /// The commit state. The lock is held for moments only, never across an await.
    pub(crate) fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the object is in use.
    pub(crate) fn touch(&self, clock: &dyn Clock) {
        let now_ms = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.used_ms.store(now_ms, Ordering::Relaxed);
        self.relaxed.store(false, Ordering::Relaxed);
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
            commit::start(deps, self);
        }
    }

    /// What follows a record behind the responses: the hints for other servers, and the object's first snapshot.
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
