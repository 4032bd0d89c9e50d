//! When a snapshot is due, and how one is taken without holding up the object.
//!
//! The object's turn is held only while the changed rows are read and encoded. The files go up
//! while requests run on; `snapshot.json` follows when the record that completes the state is in
//! the log. If that record is lost, the snapshot never existed.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{MutexGuard, SemaphorePermit, oneshot};

use crate::budget::Use;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::instance::pipeline::{Gate, Pipeline, Ticket};
use crate::instance::slot::{Residence, Slot, Stage, Warm};
use crate::instance::{Deps, retention};
use crate::limits::{
    PROOF_AGE_MAX, REQUEST_IN_FLIGHT_MAX, SLOW_SNAPSHOTS_MAX, SNAPSHOT_PATIENCE, SNAPSHOT_TIME_MAX,
};
use crate::log::Head;
use crate::planted::{Bug, Place, pass, planted};
use crate::settings::Checkpoint;
use crate::snapshot::{Kept, Plan, PlanContext, SinceSnapshot, Target, publish, upload};
use crate::store::Moment;
use crate::trace::{span, traced};

/// After a failed snapshot, the next try waits at least this long.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The base of a snapshot must be certain to stay for this long when the snapshot is begun: time to
/// upload, and for a late request.
const BASE_MARGIN: Duration =
    Duration::from_secs(PROOF_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs());

/// How many times the changes since its base a snapshot's files may take: the rows again, their
/// indexes, and some files written together.
const CHANGE_FACTOR: u64 = 4;

/// What its descriptions take besides, in bytes.
const CHANGE_BYTES: u64 = 256 << 10;

/// Starts a snapshot in the background if one is due.
pub(crate) fn start_if_due(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let due = is_due(&slot.pipeline(), &deps.settings.checkpoint, deps);
    if !due || slot.checkpoint_asked.swap(true, Ordering::AcqRel) {
        return;
    }
    let (task_deps, slot) = (deps.clone(), slot.clone());
    deps.background.spawn(async move { write_asked(&task_deps, &slot).await });
}

/// Says that a snapshot was asked for, until it is written or its task ends.
struct Asked<'a>(&'a Slot);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.checkpoint_asked.store(false, Ordering::Release);
    }
}

/// Writes the snapshot that was asked for.
async fn write_asked(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let asked = Asked(slot);
    let result = write_if_behind(deps, slot).await;
    drop(asked);
    if let Err(error) = result {
        slot.pipeline().snapshot_failed = Some(Instant::now(deps.clock.as_ref()));
        tracing::warn!(object = %slot.log.object, %error, "a snapshot was not written; the log has everything");
    }
}

/// Writes a snapshot now if one is due. What goes wrong is logged: the log has everything.
pub(crate) async fn write_if_due(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let due = is_due(&slot.pipeline(), &deps.settings.checkpoint, deps);
    if due && !slot.checkpoint_asked.swap(true, Ordering::AcqRel) {
        write_asked(deps, slot).await;
    }
}

/// Whether the settings ask for a snapshot now.
fn is_due(pipeline: &Pipeline, settings: &Checkpoint, deps: &Deps) -> bool {
    let clock = deps.clock.as_ref();
    let since = pipeline.since_snapshot;
    if since.records == 0
        || pipeline.snapshot_failed.is_some_and(|at| at.elapsed_at_most(clock) < RETRY_PAUSE)
    {
        return false;
    }
    let first = pipeline.snapshot.is_none() && since.rows > 0;
    let long = since.bytes >= settings.log_bytes || since.records >= settings.log_records;
    let timely = since.rows >= settings.min_changes
        && pipeline.snapshot_at.elapsed_at_most(clock) >= settings.interval;
    first || long || timely
}

/// How long until the time that has passed makes a snapshot due; `None` when it never does.
pub(crate) fn due_in(pipeline: &Pipeline, deps: &Deps) -> Option<Duration> {
    let (since, settings, clock) =
        (pipeline.since_snapshot, &deps.settings.checkpoint, deps.clock.as_ref());
    let waits = |begun: Instant, time: Duration| time.saturating_sub(begun.elapsed_at_most(clock));
    let failed = pipeline
        .snapshot_failed
        .map(|at| waits(at, RETRY_PAUSE))
        .filter(|left| !left.is_zero() && since.records > 0);
    failed.or_else(|| {
        (since.records > 0 && since.rows >= settings.min_changes)
            .then(|| waits(pipeline.snapshot_at, settings.interval))
    })
}

/// Writes a snapshot of the object's present state, unless the newest one has everything already or
/// the object is not in memory.
///
/// It goes on when whoever waits for it goes away: the snapshot is of use to others too.
///
/// # Errors
///
/// What the store or the record that completes the state failed with; the log has everything
/// nevertheless.
pub(crate) async fn write_if_behind(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Result<()> {
    if planted(Bug::PlanLostWithClient) {
        return write(deps, slot).await;
    }
    let (sender, done) = oneshot::channel();
    let span = span!("snapshot", dotdo.class = slot.log.object.class());
    let (task_deps, slot) = (deps.clone(), slot.clone());
    deps.background.spawn(async move {
        let written = traced(span, write(&task_deps, &slot)).await;
        if let Err(error) = &written {
            metrics::counter!("dotdo_snapshots_failed_total", "code" => error.code()).increment(1);
        }
        // Nobody may be waiting any more.
        let _ = sender.send(written);
    });
    done.await.unwrap_or_else(|_| Err(Error::internal("the snapshot's task ended early")))
}

async fn write(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Result<()> {
    let _one_at_a_time = slot.checkpoint.lock().await;
    secure_base(deps, slot).await?;
    // Before the turn: nobody waits for memory with it.
    let mut room = deps
        .budget
        .admit(Use::Snapshots, &slot.log.object, bytes_expected(deps, slot).await)
        .await?;
    let (permit, residence) = admit(deps, slot).await?;
    let Some(taken) = take(deps, slot, residence)? else { return Ok(()) };
    let Taken { lent, gate, covered, head } = taken;
    room.set(lent.plan().bytes());
    let started = Instant::now(deps.clock.as_ref());
    carry(deps, permit, put(deps, slot, lent.plan(), gate, head)).await?;
    let mut residence = slot.turn.lock().await;
    let (plan, generation) = lent.keep();
    let Some(warm) = residence.warm.as_mut().filter(|warm| warm.generation == generation) else {
        return Ok(());
    };
    metrics::counter!("dotdo_snapshots_total").increment(1);
    metrics::counter!("dotdo_snapshot_bytes_total").increment(plan.bytes());
    metrics::histogram!("dotdo_snapshot_seconds")
        .record(started.elapsed_at_least(deps.clock.as_ref()).as_secs_f64());
    slot.pipeline().snapshot_done(plan.reference(), covered, started);
    retention::sweep_if_due(deps, slot, plan.reference());
    warm.tracker.complete(plan.completed());
    Ok(())
}

/// A bound of what the next snapshot's files take: what has changed since its base, or everything.
async fn bytes_expected(deps: &Deps, slot: &Slot) -> u64 {
    let whole =
        slot.turn.lock().await.warm.as_ref().map_or(0, |warm| warm.context.database.bytes());
    let pipeline = slot.pipeline();
    let changed = pipeline.snapshot.map(|_| {
        pipeline.since_snapshot.bytes.saturating_mul(CHANGE_FACTOR).saturating_add(CHANGE_BYTES)
    });
    changed.map_or(whole, |changed| changed.min(whole)).min(deps.budget.one_max(Use::Snapshots))
}

/// Waits for the object's turn and for one of the places of snapshots. A place is not held by an
/// object that is busy: its turn comes first, and whoever finds no place free gets one without the
/// turn, and then waits for the turn only a moment.
async fn admit<'a>(
    deps: &'a Deps,
    slot: &'a Slot,
) -> Result<(SemaphorePermit<'a>, MutexGuard<'a, Residence>)> {
    loop {
        let residence = slot.turn.lock().await;
        if let Ok(permit) = deps.checkpoints.try_acquire() {
            return Ok((permit, residence));
        }
        drop(residence);
        let permit = deps
            .checkpoints
            .acquire()
            .await
            .map_err(|_| Error::internal("no snapshots are written any more"))?;
        let timer = deps.clock.sleep(SNAPSHOT_PATIENCE).fuse();
        let turn = slot.turn.lock().fuse();
        futures_util::pin_mut!(timer, turn);
        futures_util::select_biased! {
            residence = turn => return Ok((permit, residence)),
            () = timer => {}
        }
    }
}

/// Carries an upload to its end. One that takes long gives its place to others and goes on beside
/// them: slow objects must not keep the others' responses waiting where each waits for its
/// snapshot.
async fn carry(
    deps: &Deps,
    permit: SemaphorePermit<'_>,
    upload: impl Future<Output = Result<()>>,
) -> Result<()> {
    let upload = upload.fuse();
    futures_util::pin_mut!(upload);
    {
        let patience = deps.clock.sleep(SNAPSHOT_PATIENCE).fuse();
        futures_util::pin_mut!(patience);
        futures_util::select_biased! {
            done = upload => return done,
            () = patience => {}
        }
    }
    let Ok(_place) = deps.slow_checkpoints.try_acquire() else {
        let text = format!(
            "the upload of a snapshot takes long, like {SLOW_SNAPSHOTS_MAX} others already; it is tried again later"
        );
        return Err(Error::new(ErrorKind::Unavailable, text));
    };
    drop(permit);
    let timer = deps.clock.sleep(SNAPSHOT_TIME_MAX).fuse();
    futures_util::pin_mut!(timer);
    futures_util::select_biased! {
        done = upload => done,
        () = timer => {
            let text = format!("the upload of a snapshot took more than {} s; it is tried again later", SNAPSHOT_TIME_MAX.as_secs());
            Err(Error::new(ErrorKind::Unavailable, text))
        }
    }
}

/// Makes sure that what the next snapshot shares with its base will be there when it is published;
/// otherwise it will share nothing. One listing request, after the base has not been looked at for
/// a while.
async fn secure_base(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Result<()> {
    let (bucket, clock) = (deps.bucket.as_ref(), deps.clock.as_ref());
    let in_doubt = |warm: &Warm| {
        let secured =
            warm.tracker.kept().is_some_and(|kept| kept.holds(BASE_MARGIN, bucket, clock));
        warm.tracker.base().filter(|_| !secured)
    };
    let base = slot
        .turn
        .lock()
        .await
        .warm
        .as_deref()
        .filter(|_| is_behind(&slot.pipeline()))
        .and_then(in_doubt);
    let Some(base) = base else { return Ok(()) };
    let kept = Kept::look(bucket, clock, &slot.log.prefix, base)
        .await?
        .filter(|kept| kept.holds(BASE_MARGIN, bucket, clock));
    if let Some(warm) = slot.turn.lock().await.warm.as_mut() {
        warm.tracker.found(base, kept);
    }
    Ok(())
}

/// Whether there is something that the newest snapshot does not have.
fn is_behind(pipeline: &Pipeline) -> bool {
    !pipeline.is_quiet()
        || pipeline.snapshot.map_or(0, |snapshot| snapshot.sequence) != pipeline.head.sequence
}

/// A plan that was not carried out, and the generation of the memory that it was made of.
pub(crate) struct Returned {
    plan: Plan,
    generation: u64,
}

/// A plan while it is carried out. It has taken the changed rows' keys out of the tracker: unless
/// it is kept, they go back there, whatever ends the task that carries it out.
struct Lent<'a> {
    slot: &'a Slot,
    generation: u64,
    plan: Option<Plan>,
}

impl Lent<'_> {
    fn plan(&self) -> &Plan {
        self.plan.as_ref().expect("it is there until it is kept")
    }

    /// The plan was carried out.
    fn keep(mut self) -> (Plan, u64) {
        (self.plan.take().expect("it is there until it is kept"), self.generation)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(plan) = self.plan.take().filter(|_| !planted(Bug::PlanLostWithClient)) else {
            return;
        };
        returned(self.slot).push(Returned { plan, generation: self.generation });
        // It holds its files: rather now than with the next snapshot.
        if let Ok(mut residence) = self.slot.turn.try_lock()
            && let Some(warm) = &mut residence.warm
        {
            take_back(self.slot, warm);
        }
    }
}

fn returned(slot: &Slot) -> std::sync::MutexGuard<'_, Vec<Returned>> {
    slot.returned.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives plans that were not carried out back to the tracker of the memory that they were made of.
/// The caller has the turn.
fn take_back(slot: &Slot, warm: &mut Warm) {
    for Returned { plan, generation } in std::mem::take(&mut *returned(slot)) {
        if generation == warm.generation {
            warm.tracker.abandon(plan);
        }
    }
}

/// A state that was read from memory and is on its way into a snapshot.
struct Taken<'a> {
    lent: Lent<'a>,
    /// The record that completes the state, if it is not in the log yet.
    gate: Option<Ticket>,
    covered: SinceSnapshot,
    /// The newest record in the log when there is no `gate`.
    head: Head,
}

/// Reads and encodes what has changed, while holding the object's turn. `None`: there is nothing to
/// do.
fn take<'a>(
    deps: &Arc<Deps>,
    slot: &'a Arc<Slot>,
    mut residence: MutexGuard<'_, Residence>,
) -> Result<Option<Taken<'a>>> {
    let Some(warm) = residence.sound(deps, slot)? else { return Ok(None) };
    take_back(slot, warm);
    let (sequence, gate, covered, head) = {
        let mut pipeline = slot.pipeline();
        let newest = pipeline.snapshot.map_or(0, |snapshot| snapshot.sequence);
        let (sequence, gate) = pipeline.seal();
        if warm.generation != pipeline.generation || sequence == newest {
            return Ok(None);
        }
        (sequence, gate, pipeline.since_snapshot, pipeline.head)
    };
    let context = PlanContext {
        object: &slot.log.object,
        prefix: &slot.log.prefix,
        location: deps.bucket.location(),
        sequence,
        now_ms: deps.clock.wall_ms(),
        uuid: deps.uuid(),
        retention: deps.settings.retention,
    };
    // Should it panic half way, nobody knows what the tracker lacks.
    warm.stage = Stage::Ahead;
    let plan = offload(deps.executor.as_ref(), || {
        pass(Place::Planning);
        warm.tracker.plan(&warm.context.database, &context)
    });
    warm.stage = Stage::Settled;
    let lent = Lent { slot, generation: warm.generation, plan: Some(plan?) };
    Ok(Some(Taken { lent, gate, covered, head }))
}

/// Puts the snapshot into the bucket: its files beside the record, then `snapshot.json`, then the
/// hint.
async fn put(
    deps: &Arc<Deps>,
    slot: &Arc<Slot>,
    plan: &Plan,
    gate: Option<Ticket>,
    head: Head,
) -> Result<()> {
    let target = Target { bucket: deps.bucket.as_ref(), clock: deps.clock.as_ref() };
    let begun = Moment::now(target.bucket, target.clock);
    let record = async {
        match gate {
            Some(ticket) => {
                slot.pass(Gate::Record(ticket)).await.map(|head_then| head_then.unwrap_or(head))
            }
            None => Ok(head),
        }
    };
    pass(Place::Uploading);
    let ((), head) = futures_util::try_join!(upload(deps.bucket.as_ref(), plan), record)?;
    if head.sequence != plan.reference().sequence {
        return Err(Error::internal(format!(
            "a snapshot of record {} ended with record {}",
            plan.reference().sequence,
            head.sequence
        )));
    }
    publish(&target, plan, head.hash.0, begun).await
}

/// Waits until a snapshot covers the record `sequence`; for the mode in which every response waits
/// for one.
///
/// # Errors
///
/// `Unknown` when the snapshot could not be written: the record may be in the log all the same.
pub(crate) async fn cover(deps: &Arc<Deps>, slot: &Arc<Slot>, sequence: u64) -> Result<()> {
    let generation = slot.pipeline().generation;
    while slot.pipeline().snapshot.is_none_or(|snapshot| snapshot.sequence < sequence) {
        write_if_behind(deps, slot).await.map_err(|cause| uncovered().with_source(cause))?;
        // A later record was lost, or the object was evicted: what would be written belongs to
        // another memory now, or to none.
        if slot.pipeline().generation != generation || slot.turn.lock().await.warm.is_none() {
            return Err(uncovered());
        }
    }
    Ok(())
}

fn uncovered() -> Error {
    let text = "no snapshot has what this request changed; its changes may be in the log. Read before sending it again";
    Error::new(ErrorKind::Unknown, text).with_code("SNAPSHOT_NOT_WRITTEN")
}
