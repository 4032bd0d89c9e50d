//! One request's turn on an object: its handler runs in a transaction, and its changes go to the
//! committer.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::MutexGuard;

use crate::activation::answer::{Answer, Undone};
use crate::activation::leased::pipeline::{Gate, Submission, Submitted};
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::activation::wait::Wait;
use crate::budget::Charge;
use crate::change::Changes;
use crate::cluster::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::idempotency::answer_once;
use crate::log::check_size;
use crate::object::{Request, RequestState};
use crate::planted::{Bug, Place, pass, planted};
use crate::sqlite::Mode;
use crate::trace::{span, traced};

/// The right to run on an object that is in memory.
pub(crate) struct Turn<'a> {
    activation: &'a Arc<Activation>,
    held: MutexGuard<'a, TurnState>,
    /// The state was the log's newest at a moment after this request arrived, so it needs no
    /// further proof.
    fresh: bool,
}

/// The result of running a handler.
pub(crate) struct Run {
    /// The response or the handler's error. An error reveals the state that the handler saw as a
    /// response does, so it waits like one.
    pub(crate) answer: Result<Answer>,
    /// What the answer must wait for.
    pub(crate) gate: Gate,
    /// The record that will hold what the handler changed, if it changed anything.
    pub(crate) written: Option<u64>,
    /// The memory of the changes until their record is in the bucket. The changes exist already, so
    /// the charge can't be refused.
    pub(crate) charge: Charge,
}

impl<'a> Turn<'a> {
    /// Waits for the turn, and brings the object into memory if it is cold.
    ///
    /// # Errors
    ///
    /// `Busy` when the queue is too long or another server owns the object; what a restore fails
    /// with.
    pub(crate) async fn take(activation: &'a Arc<Activation>, origin: Origin) -> Result<Self> {
        activation.touch();
        let mut held = activation.wait_for_turn().await?;
        let fresh = activation.ensure_owned(&mut held, origin).await?;
        Ok(Self { activation, held, fresh })
    }

    /// Whether this process may run another server's request on the object; `false` when a third
    /// process owns it.
    pub(crate) async fn may_take(activation: &'a Arc<Activation>) -> bool {
        // The holder of the turn has found out already.
        let Ok(mut held) = activation.turn.try_lock() else { return true };
        let opened = activation.ensure_owned(&mut held, Origin::Peer).await;
        activation.drop_what_does_not_exist(&mut held);
        opened.map_or_else(|error| !Undone::has_other_owner(&error), |_| true)
    }

    /// Runs the handler. When the handler or this method fails, the request is rolled back.
    ///
    /// # Errors
    ///
    /// `Fenced` or `Unavailable` when the memory became void ([`Pipeline::void`]); `Internal` when the object's value can't be made.
    pub(crate) async fn run(&mut self, request: Request) -> Result<Run> {
        let reservation = self.activation.runtime.reserve(&self.activation.log.object).await?;
        let resident = self.held.resident.as_mut().expect("a turn has the object in memory");
        resident.stage = Stage::Running;
        begin_request(&self.activation.runtime, resident, &request);
        if let Err(error) = resident.context.database.begin_reserved(Mode::ReadWrite, reservation) {
            // A database that can't begin a transaction is unusable: the next request restores it.
            self.activation.drop_memory(&mut self.held);
            return Err(error);
        }
        let outcome = answer_once(self.activation, resident, request).await;
        let outcome = outcome.and_then(|response| {
            resident.begin_anew_if_asked(&self.activation.runtime.app)?;
            Ok((
                response,
                offload(self.activation.runtime.executor.as_ref(), || {
                    commit(&self.activation.runtime, resident)
                })?,
            ))
        });
        resident.weigh();
        let request = std::mem::take(&mut resident.context.request);
        match outcome {
            Ok((mut response, net)) => {
                let charge = self.activation.charge_changes(&net.changes);
                let is_rolled_up = self.activation.is_rolled_up(&net.changes);
                let mut after_commit = request.after_commit;
                if is_rolled_up {
                    let activation = self.activation.clone();
                    after_commit.push(Box::new(move || activation.mark_rollup_again()));
                }
                let (gate, written) = self.hand_over(Submission { after_commit, ..net })?;
                if let Some(sequence) = written.filter(|_| is_rolled_up) {
                    self.activation.mark_rollup(sequence, [&mut response].into_iter());
                }
                if request.releases {
                    self.release();
                }
                Ok(Run {
                    answer: Ok(Answer { response, background: request.wait_until }),
                    gate,
                    written,
                    charge,
                })
            }
            Err(error) => {
                resident.recover(&self.activation.runtime.app)?;
                let charge = self.activation.charge_changes(&Changes::default());
                let (gate, written) = self.hand_over(Submission::default())?;
                Ok(Run { answer: Err(error), gate, written, charge })
            }
        }
    }

    /// Releases the object with the newest batch, or with a record of its own.
    fn release(&self) {
        let (_, start) = self.activation.pipeline().release(self.activation.runtime.clock.as_ref());
        self.activation.commit_if(start);
    }

    /// Gives the changes to the committer. Without changes, finds out what the response must wait
    /// for.
    fn hand_over(&mut self, submission: Submission) -> Result<(Gate, Option<u64>)> {
        let generation = self.held.resident.as_ref().map(|resident| resident.generation);
        let mut pipeline = self.activation.pipeline();
        if generation != Some(pipeline.generation) {
            let error = pipeline.void();
            drop(pipeline);
            self.activation.drop_memory(&mut self.held);
            return Err(error);
        }
        let mut written = None;
        let (gate, start) = if submission.changes.is_empty() {
            let after_commit = submission.after_commit;
            let (gate, start) = pipeline.gate(
                self.fresh,
                self.activation.runtime.settings.lease_duration,
                self.activation.runtime.clock.as_ref(),
            );
            // Its work for after the commit may reveal what it saw, as its response does.
            match gate {
                Gate::Record(_) if planted(Bug::WorkBeforeGate) => {
                    self.activation.run_after_commit(after_commit)
                }
                Gate::Open => self.activation.run_after_commit(after_commit),
                Gate::Record(_) => pipeline.with_last_read(after_commit),
            }
            drop(pipeline);
            (gate, start)
        } else {
            let Submitted { ticket, sequence, start } = pipeline.submit(submission);
            written = Some(sequence);
            drop(pipeline);
            (Gate::Record(ticket), start)
        };
        if let Some(resident) = &mut self.held.resident {
            resident.stage = Stage::Consistent;
        }
        self.activation.commit_if(start);
        Ok((gate, written))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.activation.drop_what_does_not_exist(&mut self.held);
    }
}

/// Prepares the object's context for `request`.
pub(crate) fn begin_request(runtime: &Runtime, resident: &mut Resident, request: &Request) {
    let state = RequestState::new(request, resident.context.id().tenant(), runtime.clock.wall_ms());
    resident.context.request = state;
}

impl Activation {
    /// Waits for the object's turn, first come, first served.
    pub(crate) async fn wait_for_turn<'a>(&'a self) -> Result<MutexGuard<'a, TurnState>> {
        if let Ok(held) = self.turn.try_lock() {
            Wait::none();
            return Ok(held);
        }
        let _waiting = Wait::begin(&self.runtime.clock);
        traced(span!("turn"), self.wait_long_for_turn()).await
    }

    async fn wait_long_for_turn<'a>(&'a self) -> Result<MutexGuard<'a, TurnState>> {
        let timer = self.runtime.clock.sleep(self.runtime.settings.turn_wait_max);
        let turn = self.turn.lock();
        futures_util::pin_mut!(turn);
        futures_util::select_biased! {
            held = turn.fuse() => Ok(held),
            () = timer.fuse() => {
                let waited_ms = self.runtime.settings.turn_wait_max.as_millis();
                let text = format!("other requests have kept this object busy for {waited_ms} ms");
                Err(Error::new(ErrorKind::Busy, text).with_retry_after(std::time::Duration::from_secs(1)))
            }
        }
    }
}

/// Ends the handler's transaction in memory and returns what it changed, and how many bytes that
/// takes in a record. Changes that fit into no record are refused here, before they join others.
/// From the commit on, the memory has what the pipeline does not know until the changes are handed
/// over.
fn commit(runtime: &Runtime, resident: &mut Resident) -> Result<Submission> {
    if !resident.context.stays.keep_what_does_not_exist()
        && resident.context.database.has_only_started()?
    {
        undo_start(runtime, resident)?;
        return Ok(Submission::default());
    }
    let changes = resident.context.database.prepare_commit()?;
    let bytes = check_size(&changes)?;
    resident.stage = Stage::Ahead;
    if let Err(error) = resident.context.database.commit() {
        resident.stage = Stage::Running;
        return Err(error);
    }
    pass(Place::Committed);
    if !changes.is_empty() {
        resident.tracker.observe(&changes, resident.context.database.shapes());
    }
    Ok(Submission { changes, bytes, after_commit: Vec::new() })
}

/// Rolls back the changes of a class's start when there are no others: a request that only reads
/// does not create the object. The caller knows that its value need not stay.
pub(crate) fn undo_start(runtime: &Runtime, resident: &mut Resident) -> Result<()> {
    resident.context.database.rollback();
    resident.value = runtime.app.make(resident.context.id().class())?;
    Ok(())
}
