//! Eviction: drops the memory of unused objects while memory is short, and while there are too many
//! of them. Nothing is lost: the log has everything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::activation::activations::Activations;
use crate::activation::maintenance::agenda::ROUND;
use crate::activation::resident::Stage;
use crate::activation::residents::Member;
use crate::activation::state::Activation;

/// An object that was not used for this long releases what memory it can while it stays.
const RELAX_AFTER: Duration = Duration::from_secs(5);

/// Evicts the least recently used objects while memory is short, and while there are too many.
pub(super) async fn make_room(activations: &Activations) {
    let (runtime, residents) = (&activations.runtime, &activations.lists.residents);
    let mut after = (0, 0);
    while runtime.budget.wanted() > 0 {
        let Some((order, activation)) = residents.oldest(after) else { break };
        after = order;
        // No snapshot before the eviction: it would take memory and time, and the log since the
        // last one is bounded.
        activation.evict();
    }
    if runtime.budget.wanted() > 0 {
        activations.forget_cold();
    }
    let mut after = (0, 0);
    while residents.len() > runtime.settings.objects_max {
        let Some((order, activation)) = residents.oldest(after) else { return };
        after = order;
        activation.evict_in_order().await;
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
        if self.pipeline().is_quiet() && held.resident.is_some() {
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
