//! Returns a snapshot's plan when its task ends early.

use crate::activation::resident::{AbandonedPlan, Resident};
use crate::activation::state::Activation;
use crate::planted::{Bug, planted};
use crate::snapshot::Plan;

/// A plan that is being carried out. It has taken the changed rows' keys out of the tracker. Unless
/// it is kept, they go back there, however its task ends.
pub(super) struct PlanGuard<'a> {
    activation: &'a Activation,
    generation: u64,
    plan: Option<Plan>,
}

impl<'a> PlanGuard<'a> {
    /// `plan` was made from the memory of this generation.
    pub(super) fn new(activation: &'a Activation, generation: u64, plan: Plan) -> Self {
        Self { activation, generation, plan: Some(plan) }
    }

    pub(super) fn plan(&self) -> &Plan {
        self.plan.as_ref().expect("it is there until it is kept")
    }

    /// The plan was carried out.
    pub(super) fn keep(mut self) -> (Plan, u64) {
        (self.plan.take().expect("it is there until it is kept"), self.generation)
    }
}

impl Drop for PlanGuard<'_> {
    fn drop(&mut self) {
        let Some(plan) = self.plan.take().filter(|_| !planted(Bug::PlanLostWithClient)) else {
            return;
        };
        self.activation
            .abandoned_plans
            .lock()
            .push(AbandonedPlan { plan, generation: self.generation });
        // The plan holds the snapshot's files, so free it now and not with the next snapshot.
        if let Ok(mut held) = self.activation.turn.try_lock()
            && let Some(resident) = &mut held.resident
        {
            self.activation.take_back(resident);
        }
    }
}

impl Activation {
    /// Returns plans that were not carried out to the tracker of the memory that they were made
    /// from. The caller has the turn.
    pub(super) fn take_back(&self, resident: &mut Resident) {
        for AbandonedPlan { plan, generation } in std::mem::take(&mut *self.abandoned_plans.lock())
        {
            if generation == resident.generation {
                resident.tracker.abandon(plan);
            }
        }
    }
}
