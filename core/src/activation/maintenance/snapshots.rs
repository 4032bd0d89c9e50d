//! Takes snapshots when they are due, without holding up the object.
//!
//! The object's turn is held only while the changed rows are read and encoded. The files are
//! uploaded while requests go on; `snapshot.json` follows when the record that completes the state
//! is in the log. If that record is lost, there is no snapshot.

mod asked;
mod due;
mod guard;
mod places;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{MutexGuard, oneshot};

use self::due::is_due;
pub(crate) use self::due::snapshot_due_in;
use self::guard::PlanGuard;
use self::places::carry;
use crate::activation::leased::{Gate, Pipeline, Ticket};
use crate::activation::resident::{Stage, TurnState};
use crate::activation::state::Activation;
use crate::budget::Use;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::limits::{PROOF_AGE_MAX, REQUEST_IN_FLIGHT_MAX};
use crate::log::Head;
use crate::planted::{Bug, Place, pass, planted};
use crate::snapshot::{Kept, Plan, PlanContext, SinceSnapshot, Target, publish, upload};
use crate::store::{Bucket as _, Moment, Part};
use crate::trace::{span, traced};

/// When a snapshot begins, its base must be certain to stay for this long: time for the upload, and
/// for a delayed request.
const BASE_MARGIN: Duration =
    Duration::from_secs(PROOF_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs());

/// Upper bound of the size of a snapshot's files, as a multiple of the changes since its base: the
/// rows, their indexes, and files that are merged.
const CHANGE_FACTOR: u64 = 4;

/// Size of a snapshot's metadata files, in bytes.
const CHANGE_BYTES: u64 = 256 << 10;

impl Activation {
    /// Starts a snapshot in the background if one is due.
    pub(crate) fn start_snapshot_if_due(self: &Arc<Self>) {
        let due = is_due(&self.pipeline(), &self.runtime);
        if !due || self.checkpoint_asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let activation = self.clone();
        self.runtime.background.spawn(async move { activation.write_asked_snapshot().await });
    }
}

/// Marks a snapshot as requested until it is written or its task ends.
struct Asked<'a>(&'a Activation);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.checkpoint_asked.store(false, Ordering::Release);
    }
}

impl Activation {
    /// Writes the requested snapshot.
    async fn write_asked_snapshot(self: &Arc<Self>) {
        let asked = Asked(self);
        let result = self.write_snapshot_if_behind().await;
        drop(asked);
        if let Err(error) = result {
            self.pipeline().snapshot_failed = Some(Instant::now(self.runtime.clock.as_ref()));
            tracing::warn!(object = %self.log.object, %error, "cannot write a snapshot; the log has all data");
        }
    }

    /// Writes a snapshot now if one is due. Errors are only logged, because the log has everything.
    pub(crate) async fn write_snapshot_if_due(self: &Arc<Self>) {
        let due = is_due(&self.pipeline(), &self.runtime);
        if due && !self.checkpoint_asked.swap(true, Ordering::AcqRel) {
            self.write_asked_snapshot().await;
        }
    }
}

impl Activation {
    /// Writes a snapshot of the object's current state, unless the newest one covers it already or
    /// the object is not in memory.
    ///
    /// It continues when the caller is cancelled, because others may wait for it too.
    ///
    /// # Errors
    ///
    /// The error of the store or of the record that completes the state. The log has everything
    /// nevertheless.
    pub(crate) async fn write_snapshot_if_behind(self: &Arc<Self>) -> Result<()> {
        if planted(Bug::PlanLostWithClient) {
            return self.write_snapshot().await;
        }
        let (sender, done) = oneshot::channel();
        let span = span!("snapshot", dotdo.class = self.log.object.class());
        let activation = self.clone();
        self.runtime.background.spawn(async move {
            let written = traced(span, activation.write_snapshot()).await;
            if let Err(error) = &written {
                metrics::counter!("dotdo_snapshots_failed_total", "code" => error.code())
                    .increment(1);
            }
            // The receiver may be gone.
            let _ = sender.send(written);
        });
        done.await.unwrap_or_else(|_| Err(Error::internal("the task of the snapshot ended early")))
    }

    async fn write_snapshot(self: &Arc<Self>) -> Result<()> {
        let _one_at_a_time = self.checkpoint.lock().await;
        if !self.secure_base().await? {
            return Ok(());
        }
        // Before the turn: no task waits for memory while it holds the turn.
        let mut room = self
            .runtime
            .budget
            .admit(Use::Snapshots, &self.log.object, self.snapshot_bytes_expected().await)
            .await?;
        let (permit, held) = self.admit_snapshot().await;
        let Some(captured) = self.take_snapshot(held)? else { return Ok(()) };
        let Captured { guard, gate, covered, head } = captured;
        room.set(guard.plan().bytes());
        let started = Instant::now(self.runtime.clock.as_ref());
        carry(&self.runtime, permit, self.put_snapshot(guard.plan(), gate, head)).await?;
        let mut held = self.turn.lock().await;
        let (plan, generation) = guard.keep();
        let Some(resident) =
            held.resident.as_mut().filter(|resident| resident.generation == generation)
        else {
            return Ok(());
        };
        metrics::counter!("dotdo_snapshots_total").increment(1);
        metrics::counter!("dotdo_snapshot_bytes_total").increment(plan.bytes());
        metrics::histogram!("dotdo_snapshot_seconds")
            .record(started.elapsed_at_least(self.runtime.clock.as_ref()).as_secs_f64());
        self.pipeline().snapshot_done(plan.reference(), covered, started);
        self.sweep_if_due(plan.reference());
        resident.tracker.complete(plan.completed());
        Ok(())
    }

    /// An upper bound of the size of the next snapshot's files, which hold what has changed since
    /// its base, or everything.
    async fn snapshot_bytes_expected(&self) -> u64 {
        let whole = self
            .turn
            .lock()
            .await
            .resident
            .as_ref()
            .map_or(0, |resident| resident.context.database.bytes());
        let pipeline = self.pipeline();
        let changed = pipeline.snapshot.map(|_| {
            pipeline.since_snapshot.bytes.saturating_mul(CHANGE_FACTOR).saturating_add(CHANGE_BYTES)
        });
        changed
            .map_or(whole, |changed| changed.min(whole))
            .min(self.runtime.budget.one_max(Use::Snapshots))
    }

    /// Makes sure that the files that the next snapshot shares with its base will exist when it is
    /// published; otherwise it shares none. It takes one listing request, if the base was not
    /// checked recently.
    ///
    /// `false` when there is nothing to write: the object is not in memory, or its newest snapshot
    /// covers it. That is final, because what is written later would be based on a snapshot that
    /// nobody has looked for.
    async fn secure_base(self: &Arc<Self>) -> Result<bool> {
        let (bucket, clock) = (self.log.bucket.as_ref(), self.runtime.clock.as_ref());
        let base = {
            let held = self.turn.lock().await;
            let Some(resident) = held.resident.as_deref().filter(|_| is_behind(&self.pipeline()))
            else {
                return Ok(false);
            };
            let kept = resident.tracker.kept();
            let is_secured = kept.is_some_and(|kept| kept.holds(BASE_MARGIN, bucket, clock));
            resident.tracker.base().filter(|_| !is_secured)
        };
        let Some(base) = base else { return Ok(true) };
        let kept = Kept::look(bucket, clock, &self.log.prefix, base)
            .await?
            .filter(|kept| kept.holds(BASE_MARGIN, bucket, clock));
        if let Some(resident) = self.turn.lock().await.resident.as_mut() {
            resident.tracker.found(base, kept);
        }
        Ok(true)
    }
}

/// Whether something was written since the newest snapshot. What was deleted needs none.
fn is_behind(pipeline: &Pipeline) -> bool {
    let covered = pipeline.snapshot.map_or(0, |snapshot| snapshot.sequence);
    !pipeline.is_quiet() || (pipeline.head.exists() && covered != pipeline.head.sequence)
}

/// A state that was read from memory for a snapshot.
struct Captured<'a> {
    guard: PlanGuard<'a>,
    /// The record that completes the state, if it is not in the log yet.
    gate: Option<Ticket>,
    covered: SinceSnapshot,
    /// The newest record in the log; used when there is no `gate`.
    head: Head,
}

impl Activation {
    /// Reads and encodes what has changed, while it holds the object's turn. `None` when there is
    /// nothing to do.
    fn take_snapshot<'a>(
        self: &'a Arc<Self>,
        mut held: MutexGuard<'_, TurnState>,
    ) -> Result<Option<Captured<'a>>> {
        let Some(resident) = self.sound(&mut held)? else { return Ok(None) };
        self.take_back(resident);
        let (sequence, gate, covered, head) = {
            let mut pipeline = self.pipeline();
            let newest = pipeline.snapshot.map_or(0, |snapshot| snapshot.sequence);
            let (sequence, gate) = pipeline.seal();
            let deleted = gate.is_none() && pipeline.head.deleted;
            if resident.generation != pipeline.generation || sequence == newest || deleted {
                return Ok(None);
            }
            (sequence, gate, pipeline.since_snapshot, pipeline.head)
        };
        let now_ms = self.runtime.clock.wall_ms();
        let context = PlanContext {
            object: &self.log.object,
            prefix: &self.log.prefix,
            location: self.log.bucket.location(),
            sequence,
            now_ms,
            // What is not in the log yet is acknowledged later than now.
            changed_ms: match (&gate, covered.changed_ms) {
                (None, changed_ms @ 1..) => changed_ms,
                _ => now_ms,
            },
            uuid: self.runtime.uuid(),
            retention: self.runtime.settings.retention,
        };
        // After a panic half way, it is unknown what the tracker lacks.
        resident.stage = Stage::Ahead;
        let plan = offload(self.runtime.executor.as_ref(), || {
            pass(Place::Planning);
            resident.tracker.plan(&resident.context.database, &context)
        });
        resident.stage = Stage::Consistent;
        let guard = PlanGuard::new(self, resident.generation, plan?);
        Ok(Some(Captured { guard, gate, covered, head }))
    }

    /// Writes the snapshot to the bucket: its files while the record is written, then
    /// `snapshot.json`, then the hint.
    async fn put_snapshot(
        self: &Arc<Self>,
        plan: &Plan,
        gate: Option<Ticket>,
        head: Head,
    ) -> Result<()> {
        let target = self.target();
        let begun = Moment::now(Part::Files, target.bucket, target.clock);
        let record = async {
            match gate {
                Some(ticket) => {
                    self.pass(Gate::Record(ticket)).await.map(|head_then| head_then.unwrap_or(head))
                }
                None => Ok(head),
            }
        };
        pass(Place::Uploading);
        let ((), head) = futures_util::try_join!(upload(self.log.bucket.as_ref(), plan), record)?;
        if head.sequence != plan.reference().sequence {
            return Err(Error::internal(format!(
                "expected a snapshot up to record {}, got one up to record {}",
                plan.reference().sequence,
                head.sequence
            )));
        }
        publish(&target, plan, head.hash.0, begun).await
    }

    /// Where the object's snapshots are written.
    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            bucket: self.log.bucket.as_ref(),
            clock: self.runtime.clock.as_ref(),
            executor: self.runtime.executor.as_ref(),
        }
    }

    /// Waits until a snapshot covers the record `sequence`; for the mode in which every response
    /// waits for one.
    ///
    /// # Errors
    ///
    /// `Unknown` when the snapshot could not be written: the record may be in the log nevertheless.
    pub(crate) async fn cover(self: &Arc<Self>, sequence: u64) -> Result<()> {
        let generation = self.pipeline().generation;
        while self.pipeline().snapshot.is_none_or(|snapshot| snapshot.sequence < sequence) {
            self.write_snapshot_if_behind()
                .await
                .map_err(|cause| uncovered().with_source(cause))?;
            // A later record was lost, or the object was evicted: a snapshot now would be of
            // another memory.
            if self.pipeline().generation != generation || self.turn.lock().await.resident.is_none()
            {
                return Err(uncovered());
            }
        }
        Ok(())
    }
}

fn uncovered() -> Error {
    let text = "the snapshot with the changes of this request was not written, and the changes may be in the log; read the object before retrying";
    Error::new(ErrorKind::Unknown, text).with_code("SNAPSHOT_NOT_WRITTEN")
}
