//! An object in memory, and whether what is there can be relied on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::activation::residents::Residency;
use crate::error::Result;
use crate::lease::Claim;
use crate::object::{AnyObject, App, Context, RequestState};
use crate::planted::{Bug, planted};
use crate::snapshot::{Plan, Tracker};

/// The object's memory, if it is in memory.
#[derive(Default)]
pub(crate) struct TurnState {
    pub(crate) resident: Option<Box<Resident>>,
    /// What the newest record claimed when this process last looked, and since when it has watched
    /// that record.
    pub(crate) claim: Option<Claim>,
}

/// What stands between an object's memory and the state that its pipeline knows.
///
/// It is set before each step, and back when the step is done. A panic or a cancellation leaves it
/// where it was, and whoever gets the turn next finds it there
/// ([`Activation::sound`](super::state::Activation::sound)): no destructor has to run in time,
/// and none can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing: they are the same.
    Consistent,
    /// An open transaction: to be rolled back.
    Running,
    /// Something may be committed in memory that the pipeline does not know: the memory is void.
    Ahead,
}

/// An object in memory.
pub(crate) struct Resident {
    /// The pipeline's generation that this memory belongs to; when that has moved on, this is void.
    pub(crate) generation: u64,
    pub(crate) value: Box<dyn AnyObject>,
    pub(crate) context: Context,
    pub(crate) tracker: Tracker,
    pub(crate) stage: Stage,
    /// When the running handler must end, in monotonic milliseconds; `u64::MAX` while none runs.
    pub(crate) deadline_ms: Arc<AtomicU64>,
    /// Its place among the objects in memory, and what it is charged.
    pub(crate) residency: Residency,
}

/// A plan of a snapshot that was not carried out, and the generation of the memory that it was made
/// of.
pub(crate) struct AbandonedPlan {
    pub(crate) plan: Plan,
    pub(crate) generation: u64,
}

impl Resident {
    /// Charges what the database holds now.
    pub(crate) fn weigh(&mut self) {
        self.residency.weighs(self.context.database.bytes());
    }

    /// Goes back to the last commit, after a handler failed or went away.
    ///
    /// # Errors
    ///
    /// `Internal` when the object's value can't be made.
    pub(crate) fn recover(&mut self, app: &App) -> Result<()> {
        self.context.database.rollback();
        self.context.request = RequestState::default();
        self.value = app.make(self.context.id().class())?;
        self.stage = Stage::Consistent;
        Ok(())
    }

    /// Why this can't be relied on, when the pipeline is at `generation`.
    pub(crate) fn fault(&self, generation: u64) -> Option<&'static str> {
        let is_current = self.generation == generation;
        match self.stage {
            Stage::Ahead if is_current && planted(Bug::MemoryAheadUsed) => None,
            Stage::Consistent if is_current && self.context.database.is_usable() => None,
            Stage::Consistent if is_current => Some("its database failed"),
            Stage::Consistent => Some("a record was lost"),
            Stage::Running | Stage::Ahead => {
                Some("a request ended after its commit in memory and before its record")
            }
        }
    }
}
