//! Owning an object for one request at a time, as functions do: no lease between requests, every
//! response proven by the log.
//!
//! Requests wait in a queue; one task takes as many as there are, runs each handler in a savepoint
//! of one open transaction, and writes one record. Winning its slot proves that the state was
//! current. Losing it costs a roll-back, the winners' records, and another run of the handlers.
//! docs/design/0004 has the argument.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::MutexGuard;
use tracing::Instrument;
use uuid::Uuid;

use crate::budget::Use;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::instance::catch_up::{Caught, catch_up};
use crate::instance::commit::{Won, Written, note_failure, write};
use crate::instance::elsewhere::{Caller, goes_elsewhere};
use crate::instance::open::{TAKE_OVER_WAIT_MAX, ensure_present, foreign_claim};
use crate::instance::queue::Ask;
use crate::instance::slot::{Residence, Slot, Stage, Warm};
use crate::instance::together::{Together, run_together};
use crate::instance::turn::{Answer, recover};
use crate::instance::{Deps, afterwards, checkpoint, hearsay};
use crate::lease::Lease;
use crate::limits::{CHANGES_FACTOR, CONTENTION_LEASE, CONTENTION_PAUSE, LOSSES_MAX};
use crate::object::Request;
use crate::planted::{Bug, Place, pass, planted};
use crate::settings::CheckpointMode;

/// The longest pause between two looks at a log whose owner is waited for.
const WAIT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Answers a request: reads it whole, so that it can be run again, and waits for its record or for
/// the proof that it needs none.
///
/// # Errors
///
/// What the handler failed with; `Busy` when the object is held or written by others for too long;
/// `Unknown`.
pub(crate) async fn answer(deps: &Arc<Deps>, slot: &Arc<Slot>, request: Request) -> Result<Answer> {
    slot.touch(deps);
    let (head, body) = request.into_parts();
    let request: http::Request<Bytes> = http::Request::from_parts(head, body.bytes().await?);
    let (mut place, start) = slot.queue.push(request, &deps.clock);
    if start {
        serve(deps, slot);
    }
    {
        let timer = deps.clock.sleep(deps.settings.turn_wait_max).fuse();
        let answer = place.answer().fuse();
        futures_util::pin_mut!(timer, answer);
        futures_util::select_biased! {
            answer = answer => return answer,
            () = timer => {}
        }
    }
    if place.leave() {
        return Err(busy(deps, "other requests have kept this object busy"));
    }
    place.answer().await
}

/// Serves the queue in a task of its own, until it is empty: a client that goes away must not take
/// the others with it.
fn serve(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let (deps, slot) = (deps.clone(), slot.clone());
    tokio::spawn(async move {
        let serving = slot.queue.serving();
        loop {
            let batch = slot.queue.next_batch();
            if batch.is_empty() {
                return serving.done();
            }
            serve_batch(&deps, &slot, batch).await;
        }
    });
}

/// Answers a batch: together as far as that goes, one by one when it does not.
async fn serve_batch(deps: &Arc<Deps>, slot: &Arc<Slot>, mut batch: Vec<Ask>) {
    let mut together = batch.len();
    while !batch.is_empty() {
        let asks = &batch[..together.min(batch.len())];
        // What they have in common is in the trace of the first.
        match settle(deps, slot, asks).instrument(asks[0].span.clone()).await {
            Some(answers) => {
                for (ask, answer) in batch.drain(..answers.len()).zip(answers) {
                    ask.reply(answer);
                }
            }
            None => together = 1,
        }
    }
}

/// Brings requests to their end: the answers of the first of them, at least of one. `None`: nothing
/// of them remains, and they must be run one by one.
async fn settle(deps: &Arc<Deps>, slot: &Arc<Slot>, asks: &[Ask]) -> Option<Vec<Result<Answer>>> {
    let residence = slot.turn.lock().await;
    let began = Instant::now(deps.clock.as_ref());
    let mut round = Round {
        deps,
        slot,
        asks,
        residence,
        began,
        fresh: false,
        losses: 0,
        leased: false,
        waited_for: None,
    };
    let settled = round.run().await;
    round.give_back().await;
    round.residence.drop_what_does_not_exist(slot);
    drop(round);
    let refused = |error: Error| asks.iter().map(|_| Err(error.clone())).collect();
    let (answers, written) = match settled {
        Ok(Settled::Answers(answers, written)) => (answers, written),
        Ok(Settled::OneByOne) => return None,
        Err(error) => return Some(refused(error)),
    };
    match snapshot(deps, slot, written).await {
        Ok(()) => Some(answers),
        Err(error) => Some(refused(error)),
    }
}

/// Writes the snapshot that is due, inside the requests that crossed the line: a function may be
/// frozen when they are answered.
async fn snapshot(deps: &Arc<Deps>, slot: &Arc<Slot>, written: Option<u64>) -> Result<()> {
    let Some(sequence) = written else { return Ok(()) };
    if deps.settings.checkpoint.mode == CheckpointMode::EveryRequest {
        return checkpoint::cover(deps, slot, sequence).await;
    }
    checkpoint::write_if_due(deps, slot).await;
    Ok(())
}

/// Some requests on their way to their answers.
struct Round<'a> {
    deps: &'a Arc<Deps>,
    slot: &'a Arc<Slot>,
    asks: &'a [Ask],
    residence: MutexGuard<'a, Residence>,
    began: Instant,
    /// The memory was the newest state at a moment after the requests had come.
    fresh: bool,
    /// Slots lost in a row.
    losses: u32,
    /// A lease was taken after losses; it is given back with the record.
    leased: bool,
    /// The newest record of another owner whose lease is waited for.
    waited_for: Option<(Uuid, u64)>,
}

/// How a round ended.
enum Settled {
    /// The answers, and the record that holds what was changed.
    Answers(Vec<Result<Answer>>, Option<u64>),
    /// Nothing remains of it.
    OneByOne,
}

/// What one step of a round came to.
enum Step {
    Settled(Settled),
    /// Another round is needed: others have written, and the memory has been brought up to them.
    Again,
    /// Somebody else's lease is live.
    Owned,
}

impl Round<'_> {
    async fn run(&mut self) -> Result<Settled> {
        loop {
            self.fresh |=
                ensure_present(self.deps, self.slot, &mut self.residence, Caller::Here).await?;
            let contended = self.losses >= LOSSES_MAX && !self.leased;
            let step = if contended { self.take_lease().await? } else { self.attempt().await? };
            match step {
                Step::Settled(settled) => return Ok(settled),
                Step::Again if contended => self.pause(CONTENTION_PAUSE).await?,
                Step::Again => {}
                Step::Owned => self.wait().await?,
            }
        }
    }

    /// Runs the handlers on the state in memory, and finds out whether that was the newest.
    async fn attempt(&mut self) -> Result<Step> {
        let elsewhere = foreign_claim(self.deps, self.slot, &mut self.residence)
            .map(|(claim, _)| claim.clone());
        let warm = self.residence.warm.as_mut().expect("the object is present");
        warm.context.elsewhere = elsewhere;
        let together = match run_together(self.deps, warm, self.asks).await {
            Ok(together) => together,
            Err(error) => {
                self.undo()?;
                return if self.asks.len() > 1 {
                    Ok(Step::Settled(Settled::OneByOne))
                } else {
                    Err(error)
                };
            }
        };
        if together.changes.is_empty() {
            self.prove(together).await
        } else {
            self.record(together).await
        }
    }

    /// Nothing was changed: the answers are good when the state was the newest at a moment after
    /// the requests had come.
    async fn prove(&mut self, together: Together) -> Result<Step> {
        if let Err(error) = self.commit_in_memory() {
            self.undo()?;
            return Err(error);
        }
        self.warm().stage = Stage::Settled;
        if !self.fresh && !planted(Bug::ReadsUnproven) && !self.catch_up().await? {
            return Ok(Step::Again);
        }
        self.leased |= together.releases && self.kept().is_some();
        afterwards::run(self.deps, self.slot, together.after_commit);
        Ok(Step::Settled(Settled::Answers(together.answers, None)))
    }

    /// Something was changed: the answers are good when the record of it wins its slot.
    async fn record(&mut self, together: Together) -> Result<Step> {
        let alone = self.asks.len() == 1;
        if foreign_claim(self.deps, self.slot, &mut self.residence).is_some() {
            self.undo()?;
            return Ok(if alone { Step::Owned } else { Step::Settled(Settled::OneByOne) });
        }
        let bytes = (together.changes.bytes() as u64).saturating_mul(CHANGES_FACTOR);
        let _changes = self.deps.budget.count(Use::Requests, &self.slot.log.object, bytes);
        let mut job = self.slot.pipeline().job(vec![together.changes]);
        job.causes =
            self.asks.iter().map(|ask| ask.span.clone()).filter(|span| !span.is_none()).collect();
        let kept = self.kept().filter(|_| !together.releases);
        let lease = kept.map_or(Duration::ZERO, |lease| lease.duration);
        let written = write(self.deps, self.slot, job, lease)
            .await
            .inspect_err(|error| self.forget(error))?;
        match written {
            Written::Won(won) => {
                self.leased = false;
                self.warm().stage = Stage::Ahead;
                match self.commit_in_memory() {
                    Ok(()) => {
                        self.follow_own(
                            &won,
                            kept.map(|lease| Lease { granted: won.sent, ..lease }),
                        );
                        self.warm().stage = Stage::Settled;
                    }
                    // The record is in the log, so the requests are done; the memory is made anew
                    // from there.
                    Err(error) => {
                        tracing::error!(object = %self.slot.log.object, %error, "what is in the log was not committed in memory");
                        self.residence.drop_memory(self.slot);
                    }
                }
                afterwards::run(self.deps, self.slot, together.after_commit);
                Ok(Step::Settled(Settled::Answers(together.answers, Some(won.record.sequence))))
            }
            Written::Lost(_) => {
                self.leased = false;
                self.losses += 1;
                self.undo()?;
                self.catch_up().await.map(|_| Step::Again)
            }
            Written::Refused(_, cause) => {
                self.undo()?;
                if alone { Err(cause.into()) } else { Ok(Step::Settled(Settled::OneByOne)) }
            }
        }
    }

    /// Appends a record that changes nothing and keeps the others away for a short time.
    async fn take_lease(&mut self) -> Result<Step> {
        if foreign_claim(self.deps, self.slot, &mut self.residence).is_some() {
            return Ok(Step::Owned);
        }
        let job = self.slot.pipeline().job(Vec::new());
        match write(self.deps, self.slot, job, CONTENTION_LEASE)
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
    async fn give_back(&mut self) {
        if !std::mem::take(&mut self.leased) || self.residence.warm.is_none() {
            return;
        }
        let job = self.slot.pipeline().job(Vec::new());
        match write(self.deps, self.slot, job, Duration::ZERO).await {
            Ok(Written::Won(won)) => self.follow_own(&won, None),
            Ok(Written::Lost(_) | Written::Refused(..)) => {}
            Err(error) => self.forget(&error),
        }
    }

    /// Waits for the end of somebody else's lease, looking for what comes after its record.
    async fn wait(&mut self) -> Result<()> {
        let mut pause = CONTENTION_PAUSE;
        while let Some((claim, remaining)) =
            foreign_claim(self.deps, self.slot, &mut self.residence)
        {
            if goes_elsewhere(self.deps, self.slot, Caller::Here, (claim, remaining)) {
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
            if self.residence.warm.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Pauses for `least` and up to as much again, as long as there is time left.
    async fn pause(&mut self, least: Duration) -> Result<()> {
        if self.began.elapsed_at_least(self.deps.clock.as_ref()) > self.deps.settings.turn_wait_max
        {
            return Err(busy(self.deps, "other instances have kept this object busy")
                .with_code("CONTENDED"));
        }
        let share = u32::from(self.deps.random.bytes16()[15]);
        self.deps.clock.sleep(least + least * share / 256).await;
        Ok(())
    }

    /// Brings the memory up to what others have written. `true`: nothing, so that what ran on it
    /// saw the newest state.
    async fn catch_up(&mut self) -> Result<bool> {
        let caught = catch_up(self.deps, self.slot, &mut self.residence).await?;
        self.fresh |= caught != Caught::Gone;
        Ok(caught == Caught::Current)
    }

    fn warm(&mut self) -> &mut Warm {
        self.residence.warm.as_mut().expect("the object is present")
    }

    /// Ends the open transaction in memory.
    fn commit_in_memory(&mut self) -> Result<()> {
        let executor = self.deps.executor.as_ref();
        let warm = self.warm();
        offload(executor, || warm.context.database.commit())?;
        pass(Place::Committed);
        Ok(())
    }

    /// Moves the head on to a record of one's own that is in the log.
    fn follow_own(&mut self, won: &Won, kept: Option<Lease>) {
        let warm = self.residence.warm.as_mut().expect("the object is present");
        for changes in &won.record.transactions {
            warm.tracker.observe(changes, warm.context.database.shapes());
        }
        warm.weigh();
        self.slot.pipeline().follow_own(won, kept);
        // A lease against losses is over with the request.
        hearsay::tell(
            self.deps,
            self.slot,
            won.head(),
            kept.map_or(Duration::ZERO, |lease| lease.duration),
        );
    }

    /// A lease that a program took and has not given up.
    fn kept(&self) -> Option<Lease> {
        self.slot.pipeline().kept(self.deps.clock.as_ref())
    }

    /// Goes back to the state before the handlers ran.
    fn undo(&mut self) -> Result<()> {
        let warm = self.residence.warm.as_mut().expect("the object is present");
        recover(self.deps, self.slot, warm)
    }

    /// Drops the memory: what is in the log is not certain.
    fn forget(&mut self, error: &Error) {
        note_failure(self.slot, error);
        self.residence.drop_memory(self.slot);
    }
}

fn busy(deps: &Deps, what: &str) -> Error {
    let text = format!("{what} for {} ms", deps.settings.turn_wait_max.as_millis());
    Error::new(ErrorKind::Busy, text).with_retry_after(Duration::from_secs(1))
}
