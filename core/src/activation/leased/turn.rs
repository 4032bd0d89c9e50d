//! One request's turn on an object: the handler, in a transaction, and the handing over of what it
//! changed.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::MutexGuard;

use crate::activation::answer::{Answer, Undone};
use crate::activation::leased::pipeline::Gate;
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::activation::wait::Wait;
use crate::budget::{Charge, Use};
use crate::change::Changes;
use crate::cluster::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::idempotency::answer_once;
use crate::limits::CHANGES_FACTOR;
use crate::log::check_size;
use crate::object::{AfterCommit, Request, RequestState};
use crate::planted::{Bug, Place, pass, planted};
use crate::sqlite::Mode;
use crate::trace::{span, traced};

/// The right to run on an object that is in memory.
pub(crate) struct Turn<'a> {
    activation: &'a Arc<Activation>,
    held: MutexGuard<'a, TurnState>,
    /// The state was the log's newest at a moment after this request had come, so it needs no
    /// further proof.
    fresh: bool,
}

/// What a handler's run gave.
pub(crate) struct Run {
    /// An error of the handler tells of the state that it saw, as a response does, and waits like
    /// one.
    pub(crate) answer: Result<Answer>,
    /// What the answer must wait for.
    pub(crate) gate: Gate,
    /// The record that will hold what the handler changed, if it changed anything.
    pub(crate) written: Option<u64>,
    /// What the changes take until their record is in the bucket. They are made already, so that
    /// nobody can be asked whether there is room.
    pub(crate) charge: Charge,
}

impl<'a> Turn<'a> {
    /// Waits for the turn; brings the object into memory if it is not.
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

    /// Whether another server's request would get its turn; `false` when it is known that yet
    /// another process owns the object.
    pub(crate) async fn may_take(activation: &'a Arc<Activation>) -> bool {
        // Whoever has the turn has found out.
        let Ok(mut held) = activation.turn.try_lock() else { return true };
        let opened = activation.ensure_owned(&mut held, Origin::Peer).await;
        activation.drop_what_does_not_exist(&mut held);
        opened.map_or_else(|error| !Undone::is_owned_elsewhere(&error), |_| true)
    }

    /// Runs the handler. When it fails, or this returns an error, nothing of the request remains.
    ///
    /// # Errors
    ///
    /// `Fenced` when the memory turned out to be void; `Internal` when it is of no use.
    pub(crate) async fn run(&mut self, request: Request) -> Result<Run> {
        let reservation = self.activation.runtime.reserve(&self.activation.log.object).await?;
        let resident = self.held.resident.as_mut().expect("a turn has the object in memory");
        resident.stage = Stage::Running;
        begin_request(&self.activation.runtime, resident, &request);
        if let Err(error) = resident.context.database.begin_reserved(Mode::ReadWrite, reservation) {
            // A database that can't do this does nothing any more: the next request restores it.
            self.activation.drop_memory(&mut self.held);
            return Err(error);
        }
        let outcome = answer_once(self.activation, resident, request).await;
        let outcome = outcome.and_then(|response| {
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
            Ok((response, changes)) => {
                let charge = self.charge(&changes.0);
                let (gate, written) = self.hand_over(changes, request.after_commit)?;
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
                let (gate, written) = self.hand_over((Changes::default(), 0), Vec::new())?;
                Ok(Run {
                    answer: Err(error),
                    gate,
                    written,
                    charge: self.charge(&Changes::default()),
                })
            }
        }
    }

    /// Charges `changes`, which are on their way from here on.
    fn charge(&self, changes: &Changes) -> Charge {
        let bytes = (changes.bytes() as u64).saturating_mul(CHANGES_FACTOR);
        self.activation.runtime.budget.count(Use::Requests, &self.activation.log.object, bytes)
    }

    /// Gives the object up with the record that was handed over last, or with one of its own.
    fn release(&self) {
        let (_, start) = self.activation.pipeline().release(self.activation.runtime.clock.as_ref());
        self.activation.commit_if(start);
    }

    /// Gives the changes to the committer; without changes, finds out what the response must wait
    /// for.
    fn hand_over(
        &mut self,
        (changes, bytes): (Changes, usize),
        after_commit: Vec<AfterCommit>,
    ) -> Result<(Gate, Option<u64>)> {
        let generation = self.held.resident.as_ref().map(|resident| resident.generation);
        let mut pipeline = self.activation.pipeline();
        if generation != Some(pipeline.generation) {
            drop(pipeline);
            self.activation.drop_memory(&mut self.held);
            return Err(void());
        }
        let mut written = None;
        let (gate, start) = if changes.is_empty() {
            let (gate, start) = pipeline.gate(
                self.fresh,
                self.activation.runtime.settings.lease_duration,
                self.activation.runtime.clock.as_ref(),
            );
            // What it leaves to be done may tell of what it saw, as its response does.
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
            let (ticket, sequence, start) = pipeline.submit((changes, bytes), after_commit);
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

/// Lends the object's hands to `request`.
pub(crate) fn begin_request(runtime: &Runtime, resident: &mut Resident, request: &Request) {
    let state = RequestState::new(request, resident.context.id().tenant(), runtime.clock.wall_ms());
    resident.context.request = state;
}

impl Activation {
    /// Waits for the object's turn, first come, first served.
    async fn wait_for_turn<'a>(&'a self) -> Result<MutexGuard<'a, TurnState>> {
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
fn commit(runtime: &Runtime, resident: &mut Resident) -> Result<(Changes, usize)> {
    if resident.context.database.has_only_started()? {
        undo_start(runtime, resident)?;
        return Ok((Changes::default(), 0));
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
    Ok((changes, bytes))
}

/// Undoes what the start of a class has changed in an object that has nothing else: who only reads
/// makes no object.
pub(crate) fn undo_start(runtime: &Runtime, resident: &mut Resident) -> Result<()> {
    resident.context.database.rollback();
    resident.value = runtime.app.make(resident.context.id().class())?;
    Ok(())
}

/// The memory that a handler ran on is void.
fn void() -> Error {
    Error::new(
        ErrorKind::Fenced,
        "a record that this request depends on was lost; the request was rolled back, retry it",
    )
    .with_retry_after(std::time::Duration::from_secs(1))
}
