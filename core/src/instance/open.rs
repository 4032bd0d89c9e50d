//! Bringing an object into memory, once nobody else may answer for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Instant;
use crate::error::Result;
use crate::instance::Deps;
use crate::instance::handler::is_over;
use crate::instance::slot::{Residence, Slot, Warm};
use crate::instance::turn::recover;
use crate::lease::Claim;
use crate::log::{Proof, fetch, list_newest};
use crate::object::Context;
use crate::restore::{Restored, restore};

/// A dead owner's lease is waited out behind a request at most this long.
const TAKE_OVER_WAIT_MAX: Duration = Duration::from_secs(15);

/// Makes sure that the object is in memory and sound. `true`: its state was read from the bucket just now.
///
/// # Errors
///
/// `Busy` when another server owns the object; what the restore fails with.
pub(crate) async fn ensure_warm(deps: &Arc<Deps>, slot: &Arc<Slot>, residence: &mut Residence) -> Result<bool> {
    let generation = slot.pipeline().generation;
    if let Some(warm) = residence.warm.as_mut().filter(|warm| warm.generation == generation) {
        if warm.running {
            recover(deps, slot, warm)?;
        }
        return Ok(false);
    }
    residence.warm = None;
    slot.bytes.store(0, Ordering::Relaxed);
    open(deps, slot, residence).await.map(|()| true)
}

/// Restores the object and waits, within limits, until no other server's lease stands in the way.
async fn open(deps: &Arc<Deps>, slot: &Arc<Slot>, residence: &mut Residence) -> Result<()> {
    let mut waited_for = None;
    loop {
        if residence.watched.is_some() {
            // Another server was seen to own the object: ask who does now before fetching everything.
            wait_for_owner(deps, slot, residence, &mut waited_for).await?;
        }
        let asked = Proof::now(&slot.log);
        let restored = restore(deps, &slot.log, asked).await?;
        let remaining = restored.claim.as_ref().map_or(Duration::ZERO, |claim| remaining(deps, residence, claim));
        if remaining.is_zero() {
            residence.watched = None;
            return settle(deps, slot, residence, restored);
        }
    }
}

/// Waits while the newest record's lease holds.
///
/// # Errors
///
/// `Busy` when the owner is alive (it wrote another record while we waited), or its lease is too long to wait for.
async fn wait_for_owner(deps: &Deps, slot: &Slot, residence: &mut Residence, waited_for: &mut Option<u64>) -> Result<()> {
    let listing = list_newest(&slot.log, u64::MAX).await?;
    let observed = Instant::now(deps.clock.as_ref());
    if listing.head == 0 {
        return Ok(());
    }
    let records = fetch(&slot.log, listing.head, listing.head, None).await?;
    let Some((record, _)) = records.first() else { return Ok(()) };
    let claim = Claim::of(record, listing.head_modified_ms, observed);
    let remaining = remaining(deps, residence, &claim);
    if remaining.is_zero() {
        return Ok(());
    }
    let alive = waited_for.is_some_and(|sequence| sequence != claim.sequence);
    if alive || remaining > TAKE_OVER_WAIT_MAX {
        return Err(claim.busy(remaining));
    }
    *waited_for = Some(claim.sequence);
    deps.clock.sleep(remaining).await;
    Ok(())
}

/// How long the claim must still be respected; remembers since when its record is the newest.
fn remaining(deps: &Deps, residence: &mut Residence, claim: &Claim) -> Duration {
    let observed = match residence.watched {
        Some((sequence, since)) if sequence == claim.sequence => since,
        _ => claim.observed,
    };
    residence.watched = Some((claim.sequence, observed));
    let claim = Claim { observed, ..claim.clone() };
    claim.remaining(deps.instance, deps.bucket.as_ref(), deps.clock.as_ref())
}

/// Makes the restored state the object's memory.
fn settle(deps: &Arc<Deps>, slot: &Arc<Slot>, residence: &mut Residence, restored: Restored) -> Result<()> {
    let value = deps.app.make(slot.log.object.class())?;
    let mut database = restored.database;
    let deadline_ms = Arc::new(AtomicU64::new(u64::MAX));
    let (clock, polled) = (deps.clock.clone(), deadline_ms.clone());
    database.set_interrupt(Some(Box::new(move || is_over(clock.as_ref(), &polled))));
    slot.bytes.store(database.bytes(), Ordering::Relaxed);
    let generation = slot.pipeline().reset(restored.head, restored.snapshot, restored.since_snapshot, restored.proof);
    let context = Context::new(slot.log.object.clone(), deps.engine.clone(), database);
    residence.warm = Some(Box::new(Warm { generation, value, context, tracker: restored.tracker, running: false, deadline_ms }));
    Ok(())
}
