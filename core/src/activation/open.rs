//! Bringing an object into memory, once nobody else may answer for it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::activation::catch_up::Caught;
use crate::activation::handler::is_over;
use crate::activation::leased::Quiet;
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::restore::{Restored, restore};
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::budget::{Charge, Use};
use crate::cluster::Origin;
use crate::error::Result;
use crate::executor::offload;
use crate::lease::Claim;
use crate::log::Proof;
use crate::messages::is_waiting;
use crate::object::Context;
use crate::planted::{Bug, planted};

/// A dead owner's lease is waited out behind a request at most this long.
pub(crate) const TAKE_OVER_WAIT_MAX: Duration = Duration::from_secs(15);

/// Whoever waits for an owner looks at the log this often: it may have released the object, or have
/// written another record.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Activation {
    /// Makes sure that the object is in memory and sound, and that no other process may answer for
    /// it. `true`: its state was the newest at a moment within this call.
    ///
    /// # Errors
    ///
    /// `Busy` when another server owns the object; what the restore fails with.
    pub(crate) async fn ensure_owned(
        self: &Arc<Self>,
        held: &mut TurnState,
        origin: Origin,
    ) -> Result<bool> {
        let mut waited_for = None;
        loop {
            let fresh = self.ensure_current(held, origin).await?;
            let Some((claim, remaining)) = self.foreign_claim(held) else {
                return Ok(fresh);
            };
            if self.is_forwarded(origin, (claim, remaining)) {
                let error = claim.busy(remaining);
                self.drop_memory(held);
                return Err(error);
            }
            wait_for_owner(&self.runtime, claim, remaining, &mut waited_for).await?;
        }
    }

    /// Makes sure that the object is in memory and sound; whether it is the newest state is found
    /// out later. `true`: it was restored just now.
    ///
    /// # Errors
    ///
    /// What the restore fails with; `Busy` when another server owns the object and can be asked.
    pub(crate) async fn ensure_resident(
        self: &Arc<Self>,
        held: &mut TurnState,
        origin: Origin,
    ) -> Result<bool> {
        if self.sound(held)?.is_some() {
            return Ok(false);
        }
        // What is on its way must be decided before the log is read: the state would lack it.
        let quiet = self.quiet().await;
        let asked = Proof::now(&self.log);
        let newest = self.look_for_newest(origin).await?;
        let mut room = self.runtime.budget.count(Use::Objects, &self.log.object, 0);
        let restored = restore(&self.runtime, &self.log, asked, newest, &mut room).await?;
        self.install(held, (quiet, restored, room))?;
        Ok(true)
    }

    /// Makes sure that the memory is the newest state, or that a lease keeps others from changing
    /// it, or that a record on its way will tell.
    async fn ensure_current(
        self: &Arc<Self>,
        held: &mut TurnState,
        origin: Origin,
    ) -> Result<bool> {
        if self.ensure_resident(held, origin).await? {
            return Ok(true);
        }
        if !self.pipeline().is_idle(self.runtime.clock.as_ref()) {
            return Ok(false);
        }
        match self.catch_up(held).await? {
            Caught::Current | Caught::Moved => Ok(true),
            Caught::Gone => self.ensure_resident(held, origin).await,
        }
    }

    /// The newest record's claim and how long it must still be respected, if it is another's and
    /// live.
    pub(crate) fn foreign_claim<'a>(
        &self,
        held: &'a mut TurnState,
    ) -> Option<(&'a Claim, Duration)> {
        let sequence = self.pipeline().head.sequence;
        let claim = held.claim.as_mut().filter(|claim| claim.sequence == sequence)?;
        // Where the bucket is a folder, this may look at a lock of the file system.
        let remaining = offload(self.runtime.executor.as_ref(), || {
            claim.remaining(
                self.runtime.instance,
                self.log.bucket.as_ref(),
                self.runtime.clock.as_ref(),
            )
        });
        (!remaining.is_zero() && !planted(Bug::LeaseIgnored)).then_some((claim, remaining))
    }
}

/// Waits while the newest record's lease holds.
///
/// # Errors
///
/// `Busy` when the owner is alive (it wrote another record while we waited), or its lease is too
/// long to wait for.
pub(crate) async fn wait_for_owner(
    runtime: &Runtime,
    claim: &Claim,
    remaining: Duration,
    waited_for: &mut Option<u64>,
) -> Result<()> {
    let alive = waited_for.is_some_and(|sequence| sequence != claim.sequence);
    if alive || remaining > TAKE_OVER_WAIT_MAX {
        return Err(claim.busy(remaining));
    }
    *waited_for = Some(claim.sequence);
    runtime.clock.sleep(remaining.min(LOOK_AGAIN)).await;
    Ok(())
}

impl Activation {
    /// Makes the restored state the object's memory.
    fn install(
        self: &Arc<Self>,
        held: &mut TurnState,
        (quiet, restored, room): (Quiet, Restored, Charge),
    ) -> Result<()> {
        let value = self.runtime.app.make(self.log.object.class())?;
        let mut database = restored.database;
        let deadline_ms = Arc::new(AtomicU64::new(u64::MAX));
        let (clock, polled) = (self.runtime.clock.clone(), deadline_ms.clone());
        database.set_interrupt(Some(Box::new(move || is_over(clock.as_ref(), &polled))));
        let state = (restored.head, restored.snapshot, restored.since_snapshot);
        let generation = self.pipeline().reset(quiet, state, restored.proof)?;
        // A table that can't be read is reported by the relay.
        if is_waiting(&mut database).unwrap_or(true) {
            self.wake_relay();
        }
        let context = Context::new(self.log.object.clone(), self.runtime.host.clone(), database);
        // A record that is still the newest has been watched since it was first seen.
        let known = held.claim.take().filter(|known| {
            Some(known.sequence) == restored.claim.as_ref().map(|claim| claim.sequence)
        });
        held.claim = known.or(restored.claim);
        let residency = self.enter_memory(room);
        let stage = Stage::Consistent;
        let mut resident = Resident {
            generation,
            value,
            context,
            tracker: restored.tracker,
            stage,
            deadline_ms,
            residency,
        };
        resident.weigh();
        held.resident = Some(Box::new(resident));
        Ok(())
    }
}
