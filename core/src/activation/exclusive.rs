//! The turn of an object, held by work that is no request: nobody else runs on it or writes for it
//! in this process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;

use crate::activation::commit::{Job, Won, Written, note_failure, write};
use crate::activation::resident::{Resident, TurnState};
use crate::activation::state::Activation;
use crate::cluster::Origin;
use crate::error::{Error, Result};
use crate::log::Head;

/// The turn of an object.
pub(crate) struct Exclusive<'a> {
    pub(crate) activation: &'a Arc<Activation>,
    held: MutexGuard<'a, TurnState>,
}

impl<'a> Exclusive<'a> {
    /// Waits for the turn, as a request does.
    ///
    /// # Errors
    ///
    /// `Busy` when others keep the object busy for too long.
    pub(crate) async fn take(activation: &'a Arc<Activation>) -> Result<Self> {
        activation.touch();
        let held = activation.wait_for_turn().await?;
        Ok(Self { activation, held })
    }

    /// Makes sure that the memory is the newest state, that no other process owns the object, and
    /// that no record is on its way. Returns the newest record; winning the slot after it proves
    /// all this.
    ///
    /// # Errors
    ///
    /// `Busy` (code `OWNED_BY_OTHER_INSTANCE`) when another process owns the object; what a restore
    /// fails with.
    pub(crate) async fn own(&mut self) -> Result<Head> {
        loop {
            self.activation.ensure_owned(&mut self.held, Origin::Own).await?;
            // A record that was on its way may be lost, and the memory with it.
            self.activation.quiet().await;
            if self.activation.sound(&mut self.held)?.is_some() {
                return Ok(self.activation.pipeline().head);
            }
        }
    }

    /// The object's memory, after [`Exclusive::own`].
    pub(crate) fn resident(&mut self) -> &mut Resident {
        self.held.resident.as_mut().expect("the object is in memory once it is owned")
    }

    /// The job that writes the next record.
    pub(crate) fn job(&self) -> Job {
        self.activation.pipeline().job(Vec::new())
    }

    /// Writes a record without changes that grants a lease of `lease`. `false`: another process was
    /// faster.
    ///
    /// # Errors
    ///
    /// What the store fails with. The memory is gone where it may not be the newest any more.
    pub(crate) async fn claim(&mut self, lease: Duration) -> Result<bool> {
        let (job, activation) = (self.job(), self.activation);
        match write(&activation.runtime, &activation.log, job, lease).await {
            Ok(Written::Won(won)) => {
                activation.pipeline().follow_own(&won, None);
                activation.after_record(won.head(), lease);
                Ok(true)
            }
            Ok(Written::Lost(_)) => Ok(false),
            Ok(Written::Refused(_, cause)) => Err(cause.into()),
            Err(error) => {
                note_failure(&activation.log, &error);
                activation.drop_memory(&mut self.held);
                Err(error)
            }
        }
    }

    /// Writes the record of `job`, after which the state in memory is not the object's. `None`: the
    /// slot was lost, and nothing has happened.
    ///
    /// The memory is dropped before: however this ends, the next request restores.
    ///
    /// # Errors
    ///
    /// `Unknown` when the outcome is not certain; the store's refusal.
    pub(crate) async fn append(&mut self, job: Job) -> Result<Option<Won>> {
        let activation = self.activation;
        activation.drop_memory(&mut self.held);
        // Nothing waits: it was quiet, and the turn is held since.
        let _nobody = activation.pipeline().fail(&Error::internal("the state is replaced"));
        activation.mark_rollup_before(job.before.sequence + 1).await;
        let written = write(&activation.runtime, &activation.log, job, Duration::ZERO).await;
        match written.inspect_err(|error| note_failure(&activation.log, error))? {
            Written::Won(won) => {
                // It releases the object, so nobody has to wait for this process.
                activation.announce(won.head(), Duration::ZERO);
                activation.mark_rollup_again();
                Ok(Some(won))
            }
            Written::Lost(_) => Ok(None),
            Written::Refused(_, cause) => Err(cause.into()),
        }
    }
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        self.activation.drop_what_does_not_exist(&mut self.held);
    }
}
