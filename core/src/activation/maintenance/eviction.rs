//! Eviction: drops the memory of unused objects while memory is short, and while there are too many
//! of them. Nothing is lost: the log has everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::activation::activations::Activations;
use crate::activation::maintenance::agenda::ROUND;
use crate::activation::resident::Stage;
use crate::activation::residents::{Member, Order};
use crate::activation::state::Activation;
use crate::id::Tenant;
use crate::millis;

/// An object that was not used for this long releases what memory it can while it stays.
const RELAX_AFTER: Duration = Duration::from_secs(5);

/// An object that was not used for this long is let go before any other, whoever has how much.
const IDLE_AFTER: Duration = Duration::from_secs(300);

/// Lets go of objects: while memory is short, and while there are too many. First of those that
/// nobody has used for long; then of the tenant that has the most, whose own objects make room for
/// each other. Within both, the longest unused first.
pub(super) async fn make_room(activations: &Activations) {
    let (runtime, residents) = (&activations.runtime, &activations.lists.residents);
    let is_short = || runtime.budget.wanted() > 0;
    // No snapshot first: that would take memory and time. What the log holds since the last one is
    // bounded.
    let mut victims = Victims::default();
    while is_short()
        && let Some(activation) = victims.next(activations, |spent| runtime.budget.largest(spent))
    {
        activation.evict();
    }
    if is_short() {
        activations.forget_cold();
    }
    let mut victims = Victims::default();
    while residents.len() > runtime.settings.objects_max
        && let Some(activation) = victims.next(activations, |spent| residents.largest(spent))
    {
        activation.evict_in_order().await;
    }
}

/// Finds one object after the other that may be let go; each is found once.
#[derive(Default)]
struct Victims {
    /// Where to go on among all, while there are idle ones.
    idle: Option<Order>,
    busy: bool,
    /// Where to go on among a tenant's.
    tenants: BTreeMap<Tenant, Order>,
    /// Tenants all of whose objects were found.
    spent: BTreeSet<Tenant>,
}

impl Victims {
    fn next(
        &mut self,
        activations: &Activations,
        largest: impl Fn(&BTreeSet<Tenant>) -> Option<Tenant>,
    ) -> Option<Arc<Activation>> {
        let residents = &activations.lists.residents;
        let idle_ms = activations.runtime.now_ms().saturating_sub(millis::of(IDLE_AFTER));
        if !self.busy {
            match residents.oldest(self.idle) {
                Some((order, activation)) if order.0 < idle_ms => {
                    self.idle = Some(order);
                    return Some(activation);
                }
                _ => self.busy = true,
            }
        }
        loop {
            let tenant = largest(&self.spent)?;
            let after = self.tenants.get(&tenant).copied().or(self.idle);
            let Some((order, activation)) = residents.oldest_of(&tenant, after) else {
                self.spent.insert(tenant);
                continue;
            };
            self.tenants.insert(tenant, order);
            return Some(activation);
        }
    }
}

impl Activation {
    /// Drops an object's memory, if nobody is using it, after writing a snapshot so that the next
    /// cold start is short.
    async fn evict_in_order(self: &Arc<Self>) {
        if self.turn.try_lock().is_err() || !self.pipeline().is_quiet() {
            return;
        }
        if let Err(error) = self.write_snapshot_if_behind().await {
            tracing::warn!(object = %self.log.object, %error, "cannot write a snapshot before eviction; the log has all data");
        }
        self.evict();
    }

    /// Drops an object's memory, if nobody is using it.
    pub(super) fn evict(&self) {
        let Ok(mut held) = self.turn.try_lock() else { return };
        let may_go = held.resident.as_ref().is_some_and(|it| !it.context.stays.are_any());
        if may_go && self.pipeline().is_quiet() {
            self.drop_memory(&mut held);
            metrics::counter!("dotdo_evictions_total").increment(1);
        }
    }

    /// Shrinks the memory of an object that nobody has used for a while. Returns when to try again,
    /// if it is too early.
    pub(super) fn relax(&self) -> Option<Duration> {
        if !self.is_resident() || self.relaxed.load(Ordering::Relaxed) {
            return None;
        }
        let idle = Duration::from_millis(self.runtime.now_ms().saturating_sub(self.used_ms()));
        if idle < RELAX_AFTER {
            return Some(RELAX_AFTER - idle);
        }
        let Ok(mut held) = self.turn.try_lock() else { return Some(ROUND) };
        self.relaxed.store(true, Ordering::Relaxed);
        if let Some(resident) =
            held.resident.as_mut().filter(|resident| resident.stage == Stage::Consistent)
        {
            resident.context.database.relax();
            resident.weigh();
        }
        None
    }
}
