//! One request's turn on an object: the handler, in a transaction, and the handing over of what it
//! changed.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::MutexGuard;

use crate::budget::{Charge, Use};
use crate::change::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::instance::elsewhere::Caller;
use crate::instance::pipeline::Gate;
use crate::instance::slot::{Residence, Slot, Stage, Warm};
use crate::instance::wait::Wait;
use crate::instance::{Deps, afterwards, once, open};
use crate::lease::OWNED_ELSEWHERE;
use crate::limits::CHANGES_FACTOR;
use crate::log::check_size;
use crate::object::{AfterCommit, Background, CallChain, Request, RequestState, Response};
use crate::planted::{Bug, Place, pass, planted};
use crate::sqlite::Mode;
use crate::trace::{span, traced};

/// The right to run on an object that is in memory.
pub(crate) struct Turn<'a> {
    deps: &'a Arc<Deps>,
    slot: &'a Arc<Slot>,
    residence: MutexGuard<'a, Residence>,
    /// The state was the log's newest at a moment after this request had come, so it needs no
    /// further proof.
    fresh: bool,
}

/// What a request gives when nothing stands in the way of its response any more.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// What the handler left to be done after the response.
    pub(crate) background: Vec<Background>,
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
    pub(crate) async fn take(
        deps: &'a Arc<Deps>,
        slot: &'a Arc<Slot>,
        caller: Caller,
    ) -> Result<Self> {
        slot.touch(deps);
        let mut residence = wait(deps, slot).await?;
        let fresh = open::ensure_warm(deps, slot, &mut residence, caller).await?;
        Ok(Self { deps, slot, residence, fresh })
    }

    /// Whether another server's request would get its turn; `false` when it is known that yet
    /// another process owns the object.
    pub(crate) async fn may_take(deps: &'a Arc<Deps>, slot: &'a Arc<Slot>) -> bool {
        // Whoever has the turn has found out.
        let Ok(mut residence) = slot.turn.try_lock() else { return true };
        let opened = open::ensure_warm(deps, slot, &mut residence, Caller::Peer).await;
        residence.drop_what_does_not_exist(slot);
        opened.map_or_else(|error| error.code() != OWNED_ELSEWHERE, |_| true)
    }

    /// Runs the handler. When it fails, or this returns an error, nothing of the request remains.
    ///
    /// # Errors
    ///
    /// `Fenced` when the memory turned out to be void; `Internal` when it is of no use.
    pub(crate) async fn run(&mut self, request: Request) -> Result<Run> {
        let warm = self.residence.warm.as_mut().expect("a turn has the object in memory");
        warm.stage = Stage::Running;
        begin_request(self.deps, warm, &request);
        if let Err(error) = warm.context.database.begin(Mode::ReadWrite) {
            // A database that can't do this does nothing any more: the next request restores it.
            self.residence.drop_memory(self.slot);
            return Err(error);
        }
        let outcome = once::answer(self.deps, warm, request).await;
        let outcome = outcome.and_then(|response| {
            Ok((response, offload(self.deps.executor.as_ref(), || commit(warm))?))
        });
        warm.weigh();
        let request = std::mem::take(&mut warm.context.request);
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
                recover(self.deps, self.slot, warm)?;
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
        self.deps.budget.count(Use::Requests, &self.slot.log.object, bytes)
    }

    /// Gives the object up with the record that was handed over last, or with one of its own.
    fn release(&self) {
        let (_, start) = self.slot.pipeline().release(self.deps.clock.as_ref());
        self.slot.commit_if(start, self.deps);
    }

    /// Gives the changes to the committer; without changes, finds out what the response must wait
    /// for.
    fn hand_over(
        &mut self,
        (changes, bytes): (Changes, usize),
        after_commit: Vec<AfterCommit>,
    ) -> Result<(Gate, Option<u64>)> {
        let generation = self.residence.warm.as_ref().map(|warm| warm.generation);
        let mut pipeline = self.slot.pipeline();
        if generation != Some(pipeline.generation) {
            drop(pipeline);
            self.residence.drop_memory(self.slot);
            return Err(void());
        }
        let mut written = None;
        let (gate, start) = if changes.is_empty() {
            let (gate, start) = pipeline.gate(
                self.fresh,
                self.deps.settings.lease_duration,
                self.deps.clock.as_ref(),
            );
            // What it leaves to be done may tell of what it saw, as its response does.
            match gate {
                Gate::Record(_) if planted(Bug::WorkBeforeGate) => {
                    afterwards::run(self.deps, self.slot, after_commit)
                }
                Gate::Open => afterwards::run(self.deps, self.slot, after_commit),
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
        if let Some(warm) = &mut self.residence.warm {
            warm.stage = Stage::Settled;
        }
        self.slot.commit_if(start, self.deps);
        Ok((gate, written))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.residence.drop_what_does_not_exist(self.slot);
    }
}

/// Lends the object's hands to `request`.
pub(super) fn begin_request(deps: &Deps, warm: &mut Warm, request: &Request) {
    warm.context.request = RequestState {
        chain: request.extensions().get::<CallChain>().cloned().unwrap_or_default(),
        now_ms: deps.clock.wall_ms(),
        ..RequestState::default()
    };
}

/// Waits for the object's turn, first come, first served.
async fn wait<'a>(deps: &Deps, slot: &'a Slot) -> Result<MutexGuard<'a, Residence>> {
    if let Ok(residence) = slot.turn.try_lock() {
        Wait::none();
        return Ok(residence);
    }
    let _waiting = Wait::begin(&deps.clock);
    traced(span!("turn"), wait_long(deps, slot)).await
}

async fn wait_long<'a>(deps: &Deps, slot: &'a Slot) -> Result<MutexGuard<'a, Residence>> {
    let timer = deps.clock.sleep(deps.settings.turn_wait_max);
    let turn = slot.turn.lock();
    futures_util::pin_mut!(turn);
    futures_util::select_biased! {
        residence = turn.fuse() => Ok(residence),
        () = timer.fuse() => {
            let waited_ms = deps.settings.turn_wait_max.as_millis();
            let text = format!("other requests have kept this object busy for {waited_ms} ms");
            Err(Error::new(ErrorKind::Busy, text).with_retry_after(std::time::Duration::from_secs(1)))
        }
    }
}

/// Ends the handler's transaction in memory and returns what it changed, and how many bytes that
/// takes in a record. Changes that fit into no record are refused here, before they join others.
/// From the commit on, the memory has what the pipeline does not know until the changes are handed
/// over.
fn commit(warm: &mut Warm) -> Result<(Changes, usize)> {
    let changes = warm.context.database.prepare_commit()?;
    let bytes = check_size(&changes)?;
    warm.stage = Stage::Ahead;
    if let Err(error) = warm.context.database.commit() {
        warm.stage = Stage::Running;
        return Err(error);
    }
    pass(Place::Committed);
    if !changes.is_empty() {
        warm.tracker.observe(&changes, warm.context.database.shapes());
    }
    Ok((changes, bytes))
}

/// Brings an object's memory back to its last commit after a handler failed or went away.
pub(crate) fn recover(deps: &Deps, slot: &Slot, warm: &mut Warm) -> Result<()> {
    warm.context.database.rollback();
    warm.context.request = RequestState::default();
    warm.value = deps.app.make(slot.log.object.class())?;
    warm.stage = Stage::Settled;
    Ok(())
}

/// The memory that a handler ran on is void.
fn void() -> Error {
    Error::new(ErrorKind::Fenced, "a record before this request was lost; what it did is undone")
        .with_retry_after(std::time::Duration::from_secs(1))
}
