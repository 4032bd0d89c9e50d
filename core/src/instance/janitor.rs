//! What happens without a request: due snapshots, eviction of idle objects, deletion of what
//! retention has released.
//!
//! It looks at the slots that are due by the agenda, and at the objects that were not used for the
//! longest time when there is too little memory or there are too many of them. What is idle costs
//! it nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;

use crate::budget::Use;
use crate::clock::Clock;
use crate::engine::{Engine, WeakEngine};
use crate::instance::slot::{Slot, Stage};
use crate::instance::{Deps, background, checkpoint};

/// How often the janitor looks at what is due.
pub(super) const ROUND: Duration = Duration::from_millis(500);

/// An object that was not used for this long gives back what it can without leaving memory.
const RELAX_AFTER: Duration = Duration::from_secs(5);

/// A slot that can't be let go yet, for a reason that has no time, is looked at again after this
/// long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Begins; ends when the engine is gone.
pub(crate) fn start(engine: WeakEngine, clock: Arc<dyn Clock>) {
    tokio::spawn(background::again_and_again("janitor", clock.clone(), move || {
        run(engine.clone(), clock.clone())
    }));
}

async fn run(engine: WeakEngine, clock: Arc<dyn Clock>) {
    let mut held = 0;
    while let Some(engine) = engine.upgrade() {
        round(&engine, &mut held).await;
        let budget = engine.deps().budget.clone();
        drop(engine);
        rest(clock.as_ref(), &budget).await;
    }
}

/// Waits for the next round, or until memory is short.
async fn rest(clock: &dyn Clock, budget: &crate::budget::Budget) {
    let (timer, short) = (clock.sleep(ROUND).fuse(), budget.short().fuse());
    futures_util::pin_mut!(timer, short);
    futures_util::select_biased! {
        () = short => {}
        () = timer => {}
    }
}

async fn round(engine: &Engine, held: &mut u32) {
    let deps = engine.deps();
    make_room(engine).await;
    for slot in deps.agenda.due(deps.now_ms()) {
        note_lease(deps, &slot, held);
        let again = look(deps, &slot);
        let object = slot.log.object.clone();
        if let Some(after) = again {
            deps.look_in(&slot, after);
            continue;
        }
        if slot.is_resident() {
            continue;
        }
        drop(slot);
        if let Some(slot) = engine.slots().forget(&object) {
            deps.look_in(&slot, LOOK_AGAIN);
        }
    }
    publish(deps, *held);
}

/// Does what is due at `slot`; after how long it must be looked at again.
fn look(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Option<Duration> {
    checkpoint::start_if_due(deps, slot);
    let relaxed = relax(deps, slot);
    let kept = if slot.is_resident() { None } else { slot.kept_for(deps) };
    let clock = deps.clock.as_ref();
    let pipeline = slot.pipeline();
    let busy =
        (!pipeline.is_quiet() || slot.checkpoint_asked.load(Ordering::Acquire)).then_some(ROUND);
    let lease = pipeline.lease.filter(|lease| lease.holds(clock));
    let lease =
        lease.map(|lease| lease.duration.saturating_sub(lease.granted.elapsed_at_most(clock)));
    let snapshot = checkpoint::due_in(&pipeline, deps).filter(|_| slot.is_resident());
    [busy, lease, snapshot, relaxed, kept].into_iter().flatten().min()
}

/// Makes the memory of an object small that nobody has used for a while. When to come again, if it
/// is too early.
fn relax(deps: &Deps, slot: &Slot) -> Option<Duration> {
    if !slot.is_resident() || slot.relaxed.load(Ordering::Relaxed) {
        return None;
    }
    let idle = Duration::from_millis(deps.now_ms().saturating_sub(slot.used_ms()));
    if idle < RELAX_AFTER {
        return Some(RELAX_AFTER - idle);
    }
    let Ok(mut residence) = slot.turn.try_lock() else { return Some(ROUND) };
    slot.relaxed.store(true, Ordering::Relaxed);
    if let Some(warm) = residence.warm.as_mut().filter(|warm| warm.stage == Stage::Settled) {
        warm.context.database.relax();
        warm.weigh();
    }
    None
}

/// Lets go of the objects that were not used for the longest time: while memory is short, and while
/// there are too many.
async fn make_room(engine: &Engine) {
    let deps = engine.deps();
    let mut after = (0, 0);
    while deps.budget.wanted() > 0 {
        let Some((order, slot)) = deps.residents.oldest(after) else { break };
        after = order;
        // No snapshot first: that would take memory and time. What the log holds since the last one
        // is bounded.
        evict(&slot);
    }
    if deps.budget.wanted() > 0 {
        engine.slots().forget_cold();
    }
    let mut after = (0, 0);
    while deps.residents.len() > deps.settings.objects_max {
        let Some((order, slot)) = deps.residents.oldest(after) else { return };
        after = order;
        evict_in_order(deps, &slot).await;
    }
}

/// Drops an object's memory, if nobody is using it. A snapshot first, so that the next cold start
/// is short.
async fn evict_in_order(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    if slot.turn.try_lock().is_err() || !slot.pipeline().is_quiet() {
        return;
    }
    if let Err(error) = checkpoint::write_if_behind(deps, slot).await {
        tracing::warn!(object = %slot.log.object, %error, "no snapshot before eviction; the log has everything");
    }
    evict(slot);
}

/// Drops an object's memory, if nobody is using it.
fn evict(slot: &Slot) {
    let Ok(mut residence) = slot.turn.try_lock() else { return };
    if slot.pipeline().is_quiet() && residence.warm.is_some() {
        residence.drop_memory(slot);
        metrics::counter!("dotdo_evictions_total").increment(1);
    }
}

/// Counts the leases that this process holds, and those that have come to their end by themselves.
fn note_lease(deps: &Deps, slot: &Slot, held: &mut u32) {
    let clock = deps.clock.as_ref();
    let mut pipeline = slot.pipeline();
    let holds = pipeline.lease.is_some_and(|lease| lease.holds(clock));
    if pipeline.lapses(clock) {
        metrics::counter!("dotdo_lease_changes_total", "change" => "lapsed").increment(1);
    }
    match (slot.lease_counted.swap(holds, Ordering::Relaxed), holds) {
        (false, true) => *held += 1,
        (true, false) => *held = held.saturating_sub(1),
        _ => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
fn publish(deps: &Deps, held: u32) {
    metrics::gauge!("dotdo_leases_held").set(f64::from(held));
    metrics::gauge!("dotdo_objects_in_memory").set(deps.residents.len() as f64);
    metrics::gauge!("dotdo_objects_bytes").set(deps.budget.used(Use::Objects) as f64);
    metrics::gauge!("dotdo_memory_waiting").set(deps.budget.waiting() as f64);
    for what in Use::ALL {
        metrics::gauge!("dotdo_memory_bytes", "use" => what.name())
            .set(deps.budget.used(what) as f64);
    }
}
