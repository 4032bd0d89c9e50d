//! What happens without a request: due snapshots, eviction of idle objects, deletion of what retention has released.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::WeakEngine;
use crate::instance::slot::{Slot, Stage};
use crate::instance::{Deps, Slots, checkpoint};

/// How often the janitor looks at every slot.
const ROUND: Duration = Duration::from_millis(500);

/// An object that was not used for this long gives back what it can without leaving memory.
const RELAX_AFTER: Duration = Duration::from_secs(5);

/// Begins; ends when the engine is gone.
pub(crate) fn start(engine: WeakEngine, clock: Arc<dyn Clock>) {
    tokio::spawn(run(engine, clock));
}

async fn run(engine: WeakEngine, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(ROUND).await;
        let Some(engine) = engine.upgrade() else { return };
        let slots = engine.slots().all();
        for slot in &slots {
            checkpoint::start_if_due(engine.deps(), slot);
            relax(slot, clock.as_ref());
        }
        evict(engine.deps(), slots).await;
        engine.slots().forget_cold(clock.as_ref());
        publish(engine.slots(), clock.as_ref());
    }
}

/// Makes the memory of an object small that nobody has used for a while.
fn relax(slot: &Slot, clock: &dyn Clock) {
    let idle_ms = clock.monotonic().as_millis().saturating_sub(u128::from(slot.used_ms()));
    if idle_ms < RELAX_AFTER.as_millis() || slot.relaxed.load(Ordering::Relaxed) {
        return;
    }
    let Ok(mut residence) = slot.turn.try_lock() else { return };
    slot.relaxed.store(true, Ordering::Relaxed);
    if let Some(warm) = residence.warm.as_mut().filter(|warm| warm.stage == Stage::Settled) {
        warm.context.database.relax();
    }
}

/// Evicts the least recently used objects while there are too many, or they weigh too much.
async fn evict(deps: &Arc<Deps>, mut slots: Vec<Arc<Slot>>) {
    let mut count = 0;
    let mut bytes = 0;
    slots.retain(|slot| {
        let weight = slot.bytes.load(Ordering::Relaxed);
        bytes += weight;
        count += usize::from(weight > 0);
        weight > 0
    });
    let over = |count: usize, bytes: u64| count > deps.settings.objects_max || bytes > deps.settings.memory_bytes_max;
    if !over(count, bytes) {
        return;
    }
    slots.sort_by_key(|slot| slot.used_ms());
    for slot in slots {
        if !over(count, bytes) {
            return;
        }
        let weight = slot.bytes.load(Ordering::Relaxed);
        if evict_one(deps, &slot).await {
            metrics::counter!("dotdo_evictions_total").increment(1);
            count -= 1;
            bytes = bytes.saturating_sub(weight);
        }
    }
}

/// Drops an object's memory, if nobody is using it. A snapshot first, so that the next cold start is short.
async fn evict_one(deps: &Arc<Deps>, slot: &Arc<Slot>) -> bool {
    if slot.turn.try_lock().is_err() || !slot.pipeline().is_quiet() {
        return false;
    }
    if let Err(error) = checkpoint::write_if_behind(deps, slot).await {
        tracing::warn!(object = %slot.log.object, %error, "no snapshot before eviction; the log has everything");
    }
    let Ok(mut residence) = slot.turn.try_lock() else { return false };
    if !slot.pipeline().is_quiet() {
        return false;
    }
    residence.drop_memory(slot);
    true
}

fn publish(slots: &Slots, clock: &dyn Clock) {
    let all = slots.all();
    let (mut count, mut bytes, mut held, mut lapsed) = (0_u32, 0_u64, 0_u32, 0_u64);
    for slot in &all {
        let weight = slot.bytes.load(Ordering::Relaxed);
        count += u32::from(weight > 0);
        bytes += weight;
        let mut pipeline = slot.pipeline();
        held += u32::from(pipeline.lease.is_some_and(|lease| lease.holds(clock)));
        lapsed += u64::from(pipeline.lapses(clock));
    }
    metrics::gauge!("dotdo_leases_held").set(f64::from(held));
    metrics::counter!("dotdo_lease_changes_total", "change" => "lapsed").increment(lapsed);
    metrics::gauge!("dotdo_objects_in_memory").set(f64::from(count));
    #[expect(clippy::cast_precision_loss, reason = "a gauge of bytes needs no more than 53 bits")]
    metrics::gauge!("dotdo_objects_bytes").set(bytes as f64);
}
