//! The rounds of maintenance: snapshots that are due, and eviction.
//!
//! A round looks at the activations that the agenda says are due, and, when memory is short or
//! there are too many objects, at the least recently used ones. Idle objects cost nothing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;

use crate::activation::activations::Activations;
use crate::activation::maintenance::agenda::ROUND;
use crate::activation::maintenance::eviction::make_room;
use crate::activation::maintenance::snapshots::snapshot_due_in;
use crate::activation::state::Activation;
use crate::activation::tasks::restart_on_panic;
use crate::budget::{Budget, Use};
use crate::clock::Clock;

/// Pause before another look at an activation that can't be dropped yet, when no time is known.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Starts the rounds; they end with the engine.
pub(crate) fn start_maintenance(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    tokio::spawn(restart_on_panic("maintenance", clock.clone(), move || {
        run(activations.clone(), clock.clone())
    }));
}

async fn run(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    let mut held = 0;
    while let Some(activations) = activations.upgrade() {
        round(&activations, &mut held).await;
        let budget = activations.runtime.budget.clone();
        drop(activations);
        rest(clock.as_ref(), &budget).await;
    }
}

/// Waits for the next round, or until memory is short.
async fn rest(clock: &dyn Clock, budget: &Budget) {
    let (timer, short) = (clock.sleep(ROUND).fuse(), budget.short().fuse());
    futures_util::pin_mut!(timer, short);
    futures_util::select_biased! {
        () = short => {}
        () = timer => {}
    }
}

async fn round(activations: &Activations, held: &mut u32) {
    make_room(activations).await;
    end_closed(activations);
    for activation in activations.lists.agenda.due(activations.runtime.now_ms()) {
        activation.note_lease(held);
        let again = activation.look_after();
        let object = activation.log.object.clone();
        if let Some(after) = again {
            activation.check_after(after);
            continue;
        }
        if activation.is_resident() {
            continue;
        }
        drop(activation);
        if let Some(activation) = activations.forget(&object) {
            activation.check_after(LOOK_AGAIN);
        }
    }
    publish(activations, *held);
}

/// Has a look at the activations of tenants that are known to be closed since the last round.
fn end_closed(activations: &Activations) {
    let closed = activations.runtime.tenants.newly_closed();
    if closed.is_empty() {
        return;
    }
    for activation in activations.all() {
        if closed.contains(activation.log.object.tenant()) {
            activation.check_after(Duration::ZERO);
        }
    }
}

impl Activation {
    /// Does what is due, and returns after how long to look again.
    fn look_after(self: &Arc<Self>) -> Option<Duration> {
        if self.log.bucket.is_closed() {
            self.evict();
            return self.is_resident().then_some(ROUND);
        }
        self.start_snapshot_if_due();
        let relaxed = self.relax();
        let kept = if self.is_resident() { None } else { self.kept_for() };
        let clock = self.runtime.clock.as_ref();
        let pipeline = self.pipeline();
        let busy = (!pipeline.is_quiet() || self.checkpoint_asked.load(Ordering::Acquire))
            .then_some(ROUND);
        let lease = pipeline.lease.filter(|lease| lease.holds(clock));
        let lease =
            lease.map(|lease| lease.duration.saturating_sub(lease.granted.elapsed_at_most(clock)));
        let snapshot = snapshot_due_in(&pipeline, &self.runtime).filter(|_| self.is_resident());
        [busy, lease, snapshot, relaxed, kept].into_iter().flatten().min()
    }
}

impl Activation {
    /// Counts the leases that this process holds, and those that have expired.
    fn note_lease(&self, held: &mut u32) {
        let clock = self.runtime.clock.as_ref();
        let mut pipeline = self.pipeline();
        let holds = pipeline.lease.is_some_and(|lease| lease.holds(clock));
        if pipeline.lapses(clock) {
            metrics::counter!("dotdo_lease_changes_total", "change" => "lapsed").increment(1);
        }
        match (self.lease_counted.swap(holds, Ordering::Relaxed), holds) {
            (false, true) => *held += 1,
            (true, false) => *held = held.saturating_sub(1),
            _ => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
fn publish(activations: &Activations, held: u32) {
    let budget = &activations.runtime.budget;
    metrics::gauge!("dotdo_leases_held").set(f64::from(held));
    metrics::gauge!("dotdo_objects_in_memory").set(activations.lists.residents.len() as f64);
    metrics::gauge!("dotdo_objects_bytes").set(budget.used(Use::Objects) as f64);
    metrics::gauge!("dotdo_memory_waiting").set(budget.waiting() as f64);
    for what in Use::ALL {
        metrics::gauge!("dotdo_memory_bytes", "use" => what.name()).set(budget.used(what) as f64);
    }
}
