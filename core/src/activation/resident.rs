//! An object in memory, and whether its memory can be relied on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::activation::residents::Residency;
use crate::error::Result;
use crate::lease::Claim;
use crate::object::{AnyObject, App, Context, RequestState};
use crate::planted::{Bug, planted};
use crate::snapshot::{Plan, Tracker};

/// The state that the holder of an object's turn may use.
#[derive(Default)]
pub(crate) struct TurnState {
    pub(crate) resident: Option<Box<Resident>>,
    /// The claim of the newest record when this process last read the log, and since when that
    /// record has been watched.
    pub(crate) claim: Option<Claim>,
}

/// How an object's memory differs from the state that its pipeline knows.
///
/// It is set before each step and reset after it. After a panic or a cancellation it stays set, and
/// the next request finds it ([`Activation::sound`](super::state::Activation::sound)): this needs
/// no destructor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// They are the same.
    Consistent,
    /// A transaction is open and must be rolled back.
    Running,
    /// Something may be committed in memory that the pipeline does not know: the memory is void.
    Ahead,
}

/// An object in memory.
pub(crate) struct Resident {
    /// The pipeline's generation that this memory belongs to. When the pipeline has a later one,
    /// this memory is void.
    pub(crate) generation: u64,
    pub(crate) value: Box<dyn AnyObject>,
    pub(crate) context: Context,
    pub(crate) tracker: Tracker,
    pub(crate) stage: Stage,
    /// When the running handler must end, in monotonic milliseconds; `u64::MAX` while none runs.
    pub(crate) deadline_ms: Arc<AtomicU64>,
    /// Its entry in the list of objects in memory, and the charge for its memory.
    pub(crate) residency: Residency,
}

/// A plan of a snapshot that was not carried out, with the generation of the memory that it was
/// made from.
pub(crate) struct AbandonedPlan {
    pub(crate) plan: Plan,
    pub(crate) generation: u64,
}

impl Resident {
    /// Updates the charge to the size of the database.
    pub(crate) fn weigh(&mut self) {
        self.residency.weighs(self.context.database.bytes());
    }

    /// Rolls back to the last commit, after a handler failed or was cancelled.
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

    /// Creates the object's value anew if its handler has deleted all that the object had.
    ///
    /// # Errors
    ///
    /// `Handler` when the value can't be made: the request is rolled back.
    pub(crate) fn begin_anew_if_asked(&mut self, app: &App) -> Result<()> {
        if self.context.request.begins_anew {
            self.value = app.make(self.context.id().class())?;
        }
        Ok(())
    }

    /// Why this memory can't be relied on when the pipeline is at `generation`; `None` when it can.
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
