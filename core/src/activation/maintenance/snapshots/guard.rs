//! What becomes of a snapshot's plan when its task ends early.

use crate::activation::resident::{AbandonedPlan, Resident};
use crate::activation::state::Activation;
use crate::planted::{Bug, planted};
use crate::snapshot::Plan;

/// A plan while it is carried out. It has taken the changed rows' keys out of the tracker: unless
/// it is kept, they go back there, whatever ends the task that carries it out.
pub(super) struct PlanGuard<'a> {
    activation: &'a Activation,
    generation: u64,
    plan: Option<Plan>,
}

impl<'a> PlanGuard<'a> {
    /// `plan` was made of the memory of this generation.
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
        // It holds its files: rather now than with the next snapshot.
        if let Ok(mut held) = self.activation.turn.try_lock()
            && let Some(resident) = &mut held.resident
        {
            self.activation.take_back(resident);
        }
    }
}

impl Activation {
    /// Gives plans that were not carried out back to the tracker of the memory that they were made
    /// of. The caller has the turn.
    pub(super) fn take_back(&self, resident: &mut Resident) {
        for AbandonedPlan { plan, generation } in std::mem::take(&mut *self.abandoned_plans.lock())
        {
            if generation == resident.generation {
                resident.tracker.abandon(plan);
            }
        }
    }
}
