//! Writing records: one job, one slot. And the committer of a leased object, which writes batches
//! as records, one at a time, until there is none.

use std::sync::Arc;
use std::time::Duration;

use crate::change::Changes;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::pipeline::{Done, Head, Job, SinceSnapshot, Waiter};
use crate::instance::slot::Slot;
use crate::instance::{Deps, afterwards};
use crate::lease::Lease;
use crate::log::{Appended, Hash, Proof, Record, append};
use crate::planted::{Bug, Place, pass, planted};
use crate::store::StoreError;
use crate::trace::{self, traced};

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

/// What became of a record.
pub(super) enum Written {
    /// It is the head of the log.
    Won(Won),
    /// Another record is in its slot.
    Lost(Record),
    /// The store refuses for good; the record before it is still the head.
    Refused(Record, StoreError),
}

/// A record that is in the log.
pub(super) struct Won {
    pub(super) record: Record,
    hash: Hash,
    /// What it holds.
    pub(super) since: SinceSnapshot,
    /// A moment before it was sent.
    pub(super) sent: Instant,
    /// That it was the head.
    pub(super) proof: Proof,
}

impl Won {
    /// The record as the newest of the log.
    pub(super) fn head(&self) -> Head {
        Head::of(&self.record, self.hash)
    }
}

/// Writes the record of `job`, which grants its writer a lease of `lease`.
///
/// # Errors
///
/// `Unknown` when it is not certain what became of it; what can't be a record.
pub(super) async fn write(deps: &Deps, slot: &Slot, job: Job, lease: Duration) -> Result<Written> {
    let (proof, before) = (job.proof, job.before);
    let span = trace::commit(&job.causes);
    let rows = job.changes.iter().map(Changes::weight).sum::<u64>();
    let record = record_of(deps, slot, job, lease);
    let encoded = slot.log.encode(&record)?;
    let bytes = encoded.bytes.len() as u64;
    let begun = deps.clock.monotonic();
    let appending =
        append(&slot.log, record.sequence, &encoded, proof, deps.settings.commit_deadline);
    let (sent, proof) = match traced(span.clone(), appending).await? {
        Appended::Won { sent, proof } => (sent, proof),
        Appended::Lost => {
            trace::failed(&span, ErrorKind::Fenced.code());
            metrics::counter!("dotdo_fenced_total").increment(1);
            return Ok(Written::Lost(record));
        }
        Appended::Refused(cause) => return Ok(Written::Refused(record, cause)),
    };
    metrics::histogram!("dotdo_commit_seconds")
        .record(deps.clock.monotonic().saturating_sub(begun).as_secs_f64());
    metrics::counter!("dotdo_commits_total").increment(1);
    metrics::counter!("dotdo_commit_bytes_total").increment(bytes);
    metrics::counter!("dotdo_commit_transactions_total")
        .increment(record.transactions.len() as u64);
    note_lease_change(before, &record);
    Ok(Written::Won(Won {
        record,
        hash: encoded.hash,
        since: SinceSnapshot { rows, bytes, records: 1 },
        sent,
        proof,
    }))
}

/// Counts what `record` has changed about the right to answer from memory, when it is on top of
/// `before`.
fn note_lease_change(before: Head, record: &Record) {
    let (own, leases) = (before.writer == record.writer, record.lease_ms > 0);
    let change = match (own, before.leases, leases) {
        (false, true, _) => "taken_over",
        (true, true, false) => "released",
        (_, false, true) => "claimed",
        (true, true, true) if record.transactions.is_empty() => "renewed",
        _ => return,
    };
    metrics::counter!("dotdo_lease_changes_total", "change" => change).increment(1);
}

/// Says that a record was not written and the object's memory is void.
pub(super) fn note_failure(slot: &Slot, error: &Error) {
    tracing::warn!(object = %slot.log.object, code = error.code(), %error, "a record was not written; the object's memory is void");
    metrics::counter!("dotdo_commits_failed_total", "code" => error.code()).increment(1);
}

/// What a refused record leaves: when it would only have renewed the lease, what waited for it has
/// seen the newest state all the same. So reads go on while nothing can be written.
fn unrenewed(slot: &Slot, record: &Record, before: Head) -> Option<(Done, Head)> {
    let only_renews = record.transactions.is_empty() && record.lease_ms > 0;
    let done = only_renews.then(|| slot.pipeline().unrenewed())??;
    Some((done, before))
}

/// The record on top of the job's head. Another instance's head makes it a claim with a new epoch.
fn record_of(deps: &Deps, slot: &Slot, job: Job, lease: Duration) -> Record {
    let before = job.before;
    Record {
        object: slot.log.object.clone(),
        sequence: before.sequence + 1,
        epoch: if before.writer == deps.instance { before.epoch } else { before.epoch + 1 },
        writer: deps.instance,
        nonce: deps.uuid(),
        previous: before.hash,
        time_ms: deps.clock.wall_ms(),
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        address: deps.settings.address.clone(),
        snapshot: job.snapshot,
        transactions: job.changes,
    }
}

/// Another record is in the slot of `record`.
pub(super) fn fenced(record: &Record) -> Error {
    let text = format!(
        "another server wrote record {} of this object first; what this request did is undone",
        record.sequence
    );
    Error::new(ErrorKind::Fenced, text)
        .with_details(serde_json::json!({ "epoch": record.epoch, "sequence": record.sequence }))
        .with_retry_after(Duration::from_secs(1))
}
