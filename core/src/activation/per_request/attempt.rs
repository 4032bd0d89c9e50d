//! Requests that share a record, on their way to their answers: the handlers run on the state in
//! memory, and the log says whether that was the newest.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;
use uuid::Uuid;

use crate::activation::answer::Answer;
use crate::activation::catch_up::Caught;
use crate::activation::commit::{Won, Written, note_failure, write};
use crate::activation::open::TAKE_OVER_WAIT_MAX;
use crate::activation::per_request::queue::QueuedRequest;
use crate::activation::per_request::transaction::{SharedTransaction, run_shared};
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::budget::Use;
use crate::clock::Instant;
use crate::cluster::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::lease::Lease;
use crate::limits::{CHANGES_FACTOR, CONTENTION_LEASE, CONTENTION_PAUSE, LOSSES_MAX};
use crate::planted::{Bug, Place, pass, planted};

/// The longest pause between two looks at a log whose owner is waited for.
const WAIT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Some requests on their way to their answers.
pub(crate) struct Attempt<'a> {
    pub(crate) activation: &'a Arc<Activation>,
    pub(crate) requests: &'a [QueuedRequest],
    pub(crate) held: MutexGuard<'a, TurnState>,
    pub(crate) began: Instant,
    /// The memory was the newest state at a moment after the requests had come.
    pub(crate) fresh: bool,
    /// Slots lost in a row.
    pub(crate) losses: u32,
    /// A lease was taken after losses; it is given back with the record.
    pub(crate) leased: bool,
    /// The newest record of another owner whose lease is waited for.
    pub(crate) waited_for: Option<(Uuid, u64)>,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// The answers, and the record that holds what was changed.
    Answers(Vec<Result<Answer>>, Option<u64>),
    /// Nothing remains of it.
    OneByOne,
}

/// What one step of an attempt came to.
enum Step {
    Ended(Ended),
    /// The handlers must run again: others have written, and the memory has been brought up to them.
    Again,
    /// Somebody else's lease is live.
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

    /// Runs the handlers on the state in memory, and finds out whether that was the newest.
    async fn try_once(&mut self) -> Result<Step> {
        let elsewhere =
            self.activation.foreign_claim(&mut self.held).map(|(claim, _)| claim.clone());
        let resident = self.held.resident.as_mut().expect("the object is present");
        resident.context.foreign_claim = elsewhere;
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

    /// Nothing was changed: the answers are good when the state was the newest at a moment after
    /// the requests had come.
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

    /// Something was changed: the answers are good when the record of it wins its slot.
    async fn record(&mut self, transaction: SharedTransaction) -> Result<Step> {
        let alone = self.requests.len() == 1;
        if self.activation.foreign_claim(&mut self.held).is_some() {
            self.undo()?;
            return Ok(if alone { Step::Owned } else { Step::Ended(Ended::OneByOne) });
        }
        let bytes = (transaction.changes.bytes() as u64).saturating_mul(CHANGES_FACTOR);
        let _changes =
            self.activation.runtime.budget.count(Use::Requests, &self.activation.log.object, bytes);
        let mut job = self.activation.pipeline().job(vec![transaction.changes]);
        job.causes = self
            .requests
            .iter()
            .map(|queued| queued.span.clone())
            .filter(|span| !span.is_none())
            .collect();
        let kept = self.kept().filter(|_| !transaction.releases);
        let lease = kept.map_or(Duration::ZERO, |lease| lease.duration);
        let written = write(&self.activation.runtime, &self.activation.log, job, lease)
            .await
            .inspect_err(|error| self.forget(error))?;
        match written {
            Written::Won(won) => {
                self.leased = false;
                self.resident().stage = Stage::Ahead;
                match self.commit_in_memory() {
                    Ok(()) => {
                        self.follow_own(
                            &won,
                            kept.map(|lease| Lease { granted: won.sent, ..lease }),
                        );
                        self.resident().stage = Stage::Consistent;
                    }
                    // The record is in the log, so the requests are done; the memory is made anew
                    // from there.
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
                self.undo()?;
                self.catch_up().await.map(|_| Step::Again)
            }
            Written::Refused(_, cause) => {
                self.undo()?;
                if alone { Err(cause.into()) } else { Ok(Step::Ended(Ended::OneByOne)) }
            }
        }
    }

    /// Appends a record that changes nothing and keeps the others away for a short time.
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

    /// Gives back a lease that no record of the requests has given back.
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

    /// Waits for the end of somebody else's lease, looking for what comes after its record.
    async fn wait(&mut self) -> Result<()> {
        let mut pause = CONTENTION_PAUSE;
        while let Some((claim, remaining)) = self.activation.foreign_claim(&mut self.held) {
            if self.activation.is_forwarded(Origin::Here, (claim, remaining)) {
                return Err(claim.busy(remaining));
            }
            let renewed = self.waited_for.is_some_and(|(holder, sequence)| {
                holder == claim.holder && sequence != claim.sequence
            });
            if renewed || remaining > TAKE_OVER_WAIT_MAX {
                return Err(claim.busy(remaining));
            }
            self.waited_for = Some((claim.holder, claim.sequence));
            self.pause(pause.min(remaining)).await?;
            pause = (pause * 2).min(WAIT_PAUSE_MAX);
            self.catch_up().await?;
            if self.held.resident.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Pauses for `least` and up to as much again, as long as there is time left.
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

    /// Brings the memory up to what others have written. `true`: nothing, so that what ran on it
    /// saw the newest state.
    async fn catch_up(&mut self) -> Result<bool> {
        let caught = self.activation.catch_up(&mut self.held).await?;
        self.fresh |= caught != Caught::Gone;
        Ok(caught == Caught::Current)
    }

    fn resident(&mut self) -> &mut Resident {
        self.held.resident.as_mut().expect("the object is present")
    }

    /// Ends the open transaction in memory.
    fn commit_in_memory(&mut self) -> Result<()> {
        let executor = self.activation.runtime.executor.as_ref();
        let resident = self.resident();
        offload(executor, || resident.context.database.commit())?;
        pass(Place::Committed);
        Ok(())
    }

    /// Moves the head on to a record of one's own that is in the log.
    fn follow_own(&mut self, won: &Won, kept: Option<Lease>) {
        let resident = self.held.resident.as_mut().expect("the object is present");
        offload(self.activation.runtime.executor.as_ref(), || {
            for changes in &won.record.transactions {
                resident.tracker.observe(changes, resident.context.database.shapes());
            }
        });
        resident.weigh();
        self.activation.pipeline().follow_own(won, kept);
        // A lease against losses is over with the request.
        self.activation.announce(won.head(), kept.map_or(Duration::ZERO, |lease| lease.duration));
    }

    /// A lease that a program took and has not given up.
    fn kept(&self) -> Option<Lease> {
        self.activation.pipeline().kept(self.activation.runtime.clock.as_ref())
    }

    /// Goes back to the state before the handlers ran.
    fn undo(&mut self) -> Result<()> {
        let resident = self.held.resident.as_mut().expect("the object is present");
        resident.recover(&self.activation.runtime.app)
    }

    /// Drops the memory: what is in the log is not certain.
    fn forget(&mut self, error: &Error) {
        note_failure(&self.activation.log, error);
        self.activation.drop_memory(&mut self.held);
    }
}

pub(crate) fn busy(runtime: &Runtime, what: &str) -> Error {
    let text = format!("{what} for {} ms", runtime.settings.turn_wait_max.as_millis());
    Error::new(ErrorKind::Busy, text).with_retry_after(Duration::from_secs(1))
}
