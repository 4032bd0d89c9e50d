//! The committer of a leased object: writes batches as records, one at a time, until there is none.

use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
#[cfg(test)]
use crate::instance::commit::record_of;
use crate::instance::commit::{Job, Written, fenced, note_failure, write};
use crate::instance::pipeline::{Done, Waiter};
use crate::instance::slot::Slot;
use crate::instance::{Deps, afterwards};
use crate::lease::Lease;
#[cfg(test)]
use crate::log::{Appended, append};
use crate::log::{Head, Record};
use crate::planted::{Bug, Place, pass, planted};
#[cfg(test)]
use crate::snapshot::SinceSnapshot;

/// Starts the committer in a task of its own: a client that goes away must not take a record in
/// flight with it.
pub(crate) fn start(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let (deps, slot) = (deps.clone(), slot.clone());
    tokio::spawn(async move { run(&deps, &slot).await });
}

/// The committer of one object. However it ends, nobody goes on waiting for it.
struct Committing<'a> {
    slot: &'a Slot,
    /// It has told everybody.
    is_done: bool,
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if !self.is_done && !planted(Bug::CommitterLost) {
            let error = Error::new(
                ErrorKind::Unknown,
                "the record was being written when something failed; it may or may not be in the log",
            );
            note_failure(self.slot, &error);
            fail(self.slot, &error);
        }
        self.slot.calms();
    }
}

/// The memory is void; says so to all that wait.
fn fail(slot: &Slot, error: &Error) {
    let waiters = slot.pipeline().fail();
    for waiter in waiters {
        if let Waiter::Response(waiter) = waiter {
            // A waiter that has gone away does not need the answer.
            let _ = waiter.send(Err(error.clone()));
        }
    }
}

/// Lets go of what waited for `head`. What is to be done afterwards is counted before the responses
/// leave.
fn let_go(deps: &Arc<Deps>, slot: &Arc<Slot>, waiters: Vec<Waiter>, head: Head) {
    let (mut responses, mut work) = (Vec::with_capacity(waiters.len()), Vec::new());
    for waiter in waiters {
        match waiter {
            Waiter::Response(waiter) => responses.push(waiter),
            Waiter::Work(left) => work.push(left),
        }
    }
    afterwards::run(deps, slot, work);
    for waiter in responses {
        // A waiter that has gone away does not need the answer.
        let _ = waiter.send(Ok(head));
    }
}

async fn run(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let mut committing = Committing { slot, is_done: false };
    loop {
        let job = slot.pipeline().next_job();
        let Some(job) = job else {
            committing.is_done = true;
            return;
        };
        #[cfg(test)]
        if planted(Bug::TwoInFlight) {
            presume(deps, slot, job);
            continue;
        }
        match commit(deps, slot, job).await {
            Ok((done, head)) => {
                let_go(deps, slot, done.waiters, head);
                slot.after_record(deps, head);
            }
            Err(error) => {
                note_failure(slot, &error);
                fail(slot, &error);
                committing.is_done = true;
                return;
            }
        }
    }
}

/// A planted bug: a record is taken for written when it is sent, so that the next one follows at
/// once. Each response waits for its own.
#[cfg(test)]
fn presume(deps: &Arc<Deps>, slot: &Arc<Slot>, job: Job) {
    let (proof, duration) = (job.proof, deps.settings.lease_duration);
    let record = record_of(deps, slot, job, duration);
    let encoded = record.encode().expect("a small record");
    let head = Head::of(&record, encoded.hash);
    let lease = Lease { granted: Instant::now(deps.clock.as_ref()), duration };
    let done = slot.pipeline().won(
        head,
        lease,
        SinceSnapshot { rows: 1, bytes: 1, records: 1 },
        deps.clock.as_ref(),
    );
    let (deps, slot) = (deps.clone(), slot.clone());
    tokio::spawn(async move {
        let result =
            match append(&slot.log, head.sequence, &encoded, proof, deps.settings.commit_deadline)
                .await
            {
                Ok(Appended::Won { .. }) => Ok(head),
                Ok(_) => Err(fenced(&record)),
                Err(error) => Err(error),
            };
        let lost = if result.is_err() { slot.pipeline().fail() } else { Vec::new() };
        for waiter in done.waiters.into_iter().chain(lost) {
            if let Waiter::Response(waiter) = waiter {
                let _ = waiter.send(result.clone());
            }
        }
    });
}

/// Writes one batch. An error means that the memory on top of it is void.
async fn commit(deps: &Deps, slot: &Slot, job: Job) -> Result<(Done, Head)> {
    let before = job.before;
    let duration = if job.releases { Duration::ZERO } else { deps.settings.lease_duration };
    pass(Place::Appending);
    match write(deps, slot, job, duration).await? {
        Written::Won(won) => {
            pass(Place::Appended);
            let lease = Lease { granted: won.sent, duration: deps.settings.lease_duration };
            let mut pipeline = slot.pipeline();
            let done = pipeline.won(won.head(), lease, won.since, deps.clock.as_ref());
            pipeline.prove(won.proof);
            Ok((done, won.head()))
        }
        Written::Lost(record) => Err(fenced(&record)),
        Written::Refused(record, cause) => {
            unrenewed(slot, &record, before).ok_or_else(|| cause.into())
        }
    }
}

/// What a refused record leaves: when it would only have renewed the lease, what waited for it has
/// seen the newest state all the same. So reads go on while nothing can be written.
fn unrenewed(slot: &Slot, record: &Record, before: Head) -> Option<(Done, Head)> {
    let only_renews = record.transactions.is_empty() && record.lease_ms > 0;
    let done = only_renews.then(|| slot.pipeline().unrenewed())??;
    Some((done, before))
}
