//! Executes requests that share a record: the handlers run on the state in memory, and the log
//! proves whether that was the newest.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;

use crate::activation::answer::Answer;
use crate::activation::catch_up::Caught;
use crate::activation::commit::{Won, Written, note_failure, write};
use crate::activation::owner_wait::OwnerWait;
use crate::activation::per_request::queue::QueuedRequest;
use crate::activation::per_request::transaction::{SharedTransaction, run_shared};
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::clock::Instant;
use crate::cluster::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::lease::Lease;
use crate::limits::{CONTENTION_LEASE, CONTENTION_PAUSE, LOSSES_MAX};
use crate::planted::{Bug, Place, pass, planted};

/// Requests that are executed together.
pub(crate) struct Attempt<'a> {
    pub(crate) activation: &'a Arc<Activation>,
    pub(crate) requests: &'a [QueuedRequest],
    pub(crate) held: MutexGuard<'a, TurnState>,
    pub(crate) began: Instant,
    /// The memory was the newest state at a moment after the requests arrived.
    pub(crate) fresh: bool,
    /// Slots lost in a row.
    pub(crate) losses: u32,
    /// A lease was taken after lost slots; it is released with the record.
    pub(crate) leased: bool,
    pub(crate) owner_wait: OwnerWait,
}

/// The end of an attempt.
pub(crate) enum Ended {
    /// The answers, and the record that holds what was changed.
    Answers(Vec<Result<Answer>>, Option<u64>),
    /// Everything was rolled back; the requests must be run one by one.
    OneByOne,
}

/// The result of one step of an attempt.
enum Step {
    Ended(Ended),
    /// The handlers must run again, because others have written records, which the memory has now.
    Again,
    /// The lease of another instance holds.
    Owned,
}

impl Attempt<'_> {
    pub(crate) async fn run(&mut self) -> Result<Ended> {
        loop {
            self.fresh |= self.activation.ensure_resident(&mut self.held, Origin::Here).await?;
            let contended = self.losses >= LOSSES_MAX && !self.leased;
            let step = if contended { self.take_lease().await? } else { self.try_once().await? };
            match step {
                Step::Ended(ended) => return Ok(ended),
                Step::Again if contended => self.pause(CONTENTION_PAUSE).await?,
                Step::Again => {}
                Step::Owned => self.wait().await?,
            }
        }
    }

    /// Runs the handlers on the state in memory, then proves or records it.
    async fn try_once(&mut self) -> Result<Step> {
        if !self.fresh && self.activation.foreign_claim(&mut self.held).is_some() {
            // It may have been given up since it was seen.
            self.catch_up().await?;
            if self.held.resident.is_none() {
                return Ok(Step::Again);
            }
        }
        let foreign =
            self.activation.foreign_claim(&mut self.held).map(|found| found.claim.clone());
        let resident = self.held.resident.as_mut().expect("the object is present");
        resident.context.foreign_claim = foreign;
        let transaction = match run_shared(self.activation, resident, self.requests).await {
            Ok(transaction) => transaction,
            Err(error) => {
                self.undo()?;
                return if self.requests.len() > 1 {
                    Ok(Step::Ended(Ended::OneByOne))
                } else {
                    Err(error)
                };
            }
        };
        if transaction.changes.is_empty() {
            self.prove(transaction).await
        } else {
            self.record(transaction).await
        }
    }

    /// Finishes requests that changed nothing: their responses are valid if the state was the
    /// newest at a moment after the requests arrived.
    async fn prove(&mut self, transaction: SharedTransaction) -> Result<Step> {
        if let Err(error) = self.commit_in_memory() {
            self.undo()?;
            return Err(error);
        }
        self.resident().stage = Stage::Consistent;
        if !self.fresh && !planted(Bug::ReadsUnproven) && !self.catch_up().await? {
            return Ok(Step::Again);
        }
        self.leased |= transaction.releases && self.kept().is_some();
        self.activation.run_after_commit(transaction.after_commit);
        Ok(Step::Ended(Ended::Answers(transaction.answers, None)))
    }

    /// Finishes requests that changed something: their responses are valid if their record wins its
    /// slot.
    async fn record(&mut self, mut transaction: SharedTransaction) -> Result<Step> {
        let alone = self.requests.len() == 1;
        if self.activation.foreign_claim(&mut self.held).is_some() {
            self.undo()?;
            return Ok(if alone { Step::Owned } else { Step::Ended(Ended::OneByOne) });
        }
        let _changes = self.activation.charge_changes(&transaction.changes);
        let is_rolled_up = self.activation.is_rolled_up(&transaction.changes);
        let mut job = self.activation.pipeline().job(vec![transaction.changes]);
        job.causes = self
            .requests
            .iter()
            .map(|queued| queued.span.clone())
            .filter(|span| !span.is_none())
            .collect();
        if is_rolled_up {
            let responses =
                transaction.answers.iter_mut().filter_map(|answer| answer.as_mut().ok());
            let responses = responses.map(|answer| &mut answer.response);
            self.activation.mark_rollup(job.before.sequence + 1, responses);
        }
        let kept = self.kept().filter(|_| !transaction.releases);
        let lease = kept.map_or(Duration::ZERO, |lease| lease.duration);
        let written = write(&self.activation.runtime, &self.activation.log, job, lease)
            .await
            .inspect_err(|error| self.forget(error))?;
        match written {
            Written::Won(won) => {
                self.leased = false;
                if is_rolled_up {
                    self.activation.mark_rollup_again();
                }
                self.resident().stage = Stage::Ahead;
                match self.commit_in_memory() {
                    Ok(()) => {
                        self.follow_own(
                            &won,
                            kept.map(|lease| Lease { granted: won.sent, ..lease }),
                        );
                        self.resident().stage = Stage::Consistent;
                    }
                    // The record is in the log, so the requests are done; the next request restores
                    // the memory from there.
                    Err(error) => {
                        tracing::error!(object = %self.activation.log.object, %error, "cannot commit a written record in memory");
                        self.activation.drop_memory(&mut self.held);
                    }
                }
                self.activation.run_after_commit(transaction.after_commit);
                Ok(Step::Ended(Ended::Answers(transaction.answers, Some(won.record.sequence))))
            }
            Written::Lost(_) => {
                self.leased = false;
                self.losses += 1;
                if planted(Bug::ContinuedTwice) {
                    for answer in transaction.answers.into_iter().flatten() {
                        let activation = self.activation.clone();
                        tokio::spawn(async move { activation.complete(answer.response).await });
                    }
                }
                self.undo()?;
                self.catch_up().await.map(|_| Step::Again)
            }
            Written::Refused(_, cause) => {
                self.undo()?;
                if alone { Err(cause.into()) } else { Ok(Step::Ended(Ended::OneByOne)) }
            }
        }
    }

    /// Appends a record that changes nothing and takes a short lease.
    async fn take_lease(&mut self) -> Result<Step> {
        if self.activation.foreign_claim(&mut self.held).is_some() {
            return Ok(Step::Owned);
        }
        let job = self.activation.pipeline().job(Vec::new());
        match write(&self.activation.runtime, &self.activation.log, job, CONTENTION_LEASE)
            .await
            .inspect_err(|error| self.forget(error))?
        {
            Written::Won(won) => {
                self.follow_own(&won, None);
                (self.leased, self.fresh) = (true, true);
            }
            Written::Lost(_) => _ = self.catch_up().await?,
            Written::Refused(_, cause) => return Err(cause.into()),
        }
        Ok(Step::Again)
    }

    /// Releases a lease that no record of the requests has released.
    pub(crate) async fn give_back(&mut self) {
        if !std::mem::take(&mut self.leased) || self.held.resident.is_none() {
            return;
        }
        let job = self.activation.pipeline().job(Vec::new());
        match write(&self.activation.runtime, &self.activation.log, job, Duration::ZERO).await {
            Ok(Written::Won(won)) => self.follow_own(&won, None),
            Ok(Written::Lost(_) | Written::Refused(..)) => {}
            Err(error) => self.forget(&error),
        }
    }

    /// Waits for the end of another instance's lease, and applies the records that follow its own.
    async fn wait(&mut self) -> Result<()> {
        while let Some(found) = self.activation.foreign_claim(&mut self.held) {
            if self.activation.is_forwarded(Origin::Here, found) {
                return Err(found.busy());
            }
            let pause = self.owner_wait.next_pause(found)?;
            self.pause(pause).await?;
            self.catch_up().await?;
            if self.held.resident.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Pauses for `least` and up to as much again, unless the requests have waited too long.
    async fn pause(&mut self, least: Duration) -> Result<()> {
        if self.began.elapsed_at_least(self.activation.runtime.clock.as_ref())
            > self.activation.runtime.settings.turn_wait_max
        {
            return Err(busy(
                &self.activation.runtime,
                "other instances have kept this object busy",
            )
            .with_code("CONTENDED"));
        }
        let share = u32::from(self.activation.runtime.random.bytes16()[15]);
        self.activation.runtime.clock.sleep(least + least * share / 256).await;
        Ok(())
    }

    /// Applies what others have written. `true`: nothing, so that the handlers saw the newest
    /// state.
    async fn catch_up(&mut self) -> Result<bool> {
        let caught = self.activation.catch_up(&mut self.held).await?;
        self.fresh |= caught != Caught::Gone;
        Ok(caught == Caught::Current)
    }

    fn resident(&mut self) -> &mut Resident {
        self.held.resident.as_mut().expect("the object is present")
    }

    /// Commits the open transaction in memory.
    fn commit_in_memory(&mut self) -> Result<()> {
        let executor = self.activation.runtime.executor.as_ref();
        let resident = self.resident();
        offload(executor, || resident.context.database.commit())?;
        pass(Place::Committed);
        Ok(())
    }

    /// Moves the head to a record of this process that is in the log.
    fn follow_own(&mut self, won: &Won, kept: Option<Lease>) {
        let resident = self.held.resident.as_mut().expect("the object is present");
        offload(self.activation.runtime.executor.as_ref(), || {
            for changes in &won.record.transactions {
                resident.tracker.observe(changes, resident.context.database.shapes());
            }
        });
        resident.weigh();
        self.activation.pipeline().follow_own(won, kept);
        // A lease against lost slots ends with the request, so nobody is told of it.
        let lease = kept.map_or(Duration::ZERO, |lease| lease.duration);
        self.activation.after_record(won.head(), lease);
    }

    /// A lease that a program took and has not released.
    fn kept(&self) -> Option<Lease> {
        self.activation.pipeline().kept(self.activation.runtime.clock.as_ref())
    }

    /// Rolls back to the state before the handlers ran.
    fn undo(&mut self) -> Result<()> {
        let resident = self.held.resident.as_mut().expect("the object is present");
        resident.recover(&self.activation.runtime.app)
    }

    /// Drops the memory, because the outcome of a record is not certain.
    fn forget(&mut self, error: &Error) {
        note_failure(&self.activation.log, error);
        self.activation.drop_memory(&mut self.held);
    }
}

pub(crate) fn busy(runtime: &Runtime, what: &str) -> Error {
    let text = format!("{what} for {} ms", runtime.settings.turn_wait_max.as_millis());
    Error::new(ErrorKind::Busy, text).with_retry_after(Duration::from_secs(1))
}
