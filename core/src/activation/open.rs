//! Brings an object into memory, once no other instance may answer for it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::activation::catch_up::Caught;
use crate::activation::handler::is_over;
use crate::activation::leased::Quiet;
use crate::activation::owner_wait::OwnerWait;
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::restore::{Restored, restore};
use crate::activation::state::{Activation, ForeignClaim};
use crate::budget::{Charge, Use};
use crate::cluster::Origin;
use crate::error::Result;
use crate::executor::offload;
use crate::log::Proof;
use crate::messages::is_waiting;
use crate::object::Context;
use crate::planted::{Bug, planted};
use crate::snapshot::publish_named;
use crate::store::{Moment, Part};

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
        let mut wait = OwnerWait::new(self.runtime.settings.ownership);
        loop {
            let fresh = self.ensure_current(held, origin).await?;
            let Some(found) = self.foreign_claim(held) else {
                return Ok(fresh);
            };
            if self.is_forwarded(origin, found) {
                let error = found.busy();
                self.drop_memory(held);
                return Err(error);
            }
            let pause = wait.next_pause(found)?;
            self.runtime.clock.sleep(pause).await;
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
        Box::pin(self.bring_into_memory(held, origin)).await?;
        Ok(true)
    }

    async fn bring_into_memory(
        self: &Arc<Self>,
        held: &mut TurnState,
        origin: Origin,
    ) -> Result<()> {
        // What is on its way must be decided before the log is read: the state would lack it.
        let quiet = self.quiet().await;
        let _place = self.runtime.restores.acquire(self.log.object.tenant()).await;
        let asked = Proof::now(&self.log);
        let begun = Moment::now(Part::Files, self.log.bucket.as_ref(), self.runtime.clock.as_ref());
        let newest = self.look_for_newest(origin).await?;
        let mut room = self.runtime.budget.count(Use::Objects, &self.log.object, 0);
        let mut restored = restore(&self.runtime, &self.log, asked, newest, &mut room).await?;
        if let Some(document) = restored.unpublished.take() {
            // Sweepers rely on it that whoever has read the record has published its snapshot.
            publish_named(&self.target(), &self.log.prefix, &document, begun).await?;
        }
        if restored.leftovers {
            self.sweep_deleted_behind(restored.claim.as_ref());
        }
        self.install(held, NewMemory { quiet, restored, room })
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
        match Box::pin(self.catch_up(held)).await? {
            Caught::Current | Caught::Moved => Ok(true),
            Caught::Gone => self.ensure_resident(held, origin).await,
        }
    }

    /// The newest record's claim, if it is another instance's and holds.
    pub(crate) fn foreign_claim<'a>(&self, held: &'a mut TurnState) -> Option<ForeignClaim<'a>> {
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
        (!remaining.is_zero() && !planted(Bug::LeaseIgnored))
            .then_some(ForeignClaim { claim, remaining })
    }
}

/// A state that becomes an object's memory.
struct NewMemory {
    /// Taken before the log was read.
    quiet: Quiet,
    restored: Restored,
    /// The memory that it is charged for.
    room: Charge,
}

impl Activation {
    /// Makes the restored state the object's memory.
    fn install(
        self: &Arc<Self>,
        held: &mut TurnState,
        NewMemory { quiet, restored, room }: NewMemory,
    ) -> Result<()> {
        let value = self.runtime.app.make(self.log.object.class())?;
        let mut database = restored.database;
        let deadline_ms = Arc::new(AtomicU64::new(u64::MAX));
        let (clock, polled) = (self.runtime.clock.clone(), deadline_ms.clone());
        database.set_interrupt(Some(Box::new(move || is_over(clock.as_ref(), &polled))));
        let generation = self.pipeline().reset(quiet, restored.log)?;
        // A table that can't be read is reported by the relay.
        if is_waiting(&mut database).unwrap_or(true) {
            self.wake_relay();
        }
        self.time_alarm(&mut database);
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
