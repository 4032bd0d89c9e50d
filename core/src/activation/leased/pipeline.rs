//! The commit state between handlers and the log: changes that wait for a record, and responses
//! that wait for changes.
//!
//! Pure state behind one lock; it never waits. Requests run on top of changes that are not in the
//! bucket yet. Each gets a ticket for the newest change that it could have seen, and its response
//! leaves when that change is in the bucket (rule R1). One record is in flight at a time; changes
//! that arrive meanwhile share the next one. When a record is lost, everything on top of it is
//! void, and so is the memory that holds it: the generation increases.

mod batch;
mod outside;
mod renewal;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use self::batch::Batch;
pub(crate) use self::batch::{Done, Waiter};
use crate::activation::commit::Job;
use crate::change::Changes;
use crate::clock::{Clock, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::lease::Lease;
use crate::limits::GROUP_BYTES_MAX;
use crate::log::{Head, Proof};
use crate::object::AfterCommit;
use crate::planted::{Bug, planted};
use crate::snapshot::{SinceSnapshot, SnapshotRef};
use crate::trace::cause;

/// Completes when the changes that a response depends on are in the bucket.
pub(crate) type Ticket = oneshot::Receiver<Result<Head>>;

/// What a response must wait for.
#[derive(Debug)]
pub(crate) enum Gate {
    /// Nothing: the state it saw is durable and certainly current.
    Open,
    /// A record.
    Record(Ticket),
}

/// Evidence that no record of an object was in flight when its pipeline had this generation and
/// head. A new memory needs it to replace the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet {
    generation: u64,
    head: u64,
}

/// Where a state that was read from the bucket stands in the object's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogState {
    /// The record that it ends with.
    pub(crate) head: Head,
    /// The snapshot that it was read from, if any.
    pub(crate) snapshot: Option<SnapshotRef>,
    pub(crate) since_snapshot: SinceSnapshot,
    /// Proof that the head was the newest record.
    pub(crate) proof: Proof,
}

/// The changes of one transaction.
#[derive(Default)]
pub(crate) struct Submission {
    pub(crate) changes: Changes,
    /// Size of the changes in a record, in bytes.
    pub(crate) bytes: usize,
    /// Work that the handler left for after the commit.
    pub(crate) after_commit: Vec<AfterCommit>,
}

/// Changes that were submitted.
pub(crate) struct Submitted {
    /// Completes when their record is in the bucket.
    pub(crate) ticket: Ticket,
    /// The sequence number of their record.
    pub(crate) sequence: u64,
    /// Whether the caller must start the committer.
    pub(crate) start: bool,
}

/// The commit state of one object in memory.
pub(crate) struct Pipeline {
    pub(crate) generation: u64,
    /// Why the memory of the last generation became void, if it did.
    failure: Option<Error>,
    pub(crate) head: Head,
    pub(crate) lease: Option<Lease>,
    pub(crate) snapshot: Option<SnapshotRef>,
    pub(crate) since_snapshot: SinceSnapshot,
    pub(crate) snapshot_at: Instant,
    /// When the last snapshot failed, if the last one did.
    pub(crate) snapshot_failed: Option<Instant>,
    /// Proves at which moment the head was the newest record.
    proof: Proof,
    /// A lease that a program took for longer than one request (`acquire_token`), in a process that
    /// writes per request.
    kept: Option<Lease>,
    /// When a request that changed nothing was last answered.
    read_at: Option<Instant>,
    batches: VecDeque<Batch>,
    committing: bool,
    /// Whether the end of the lease has been reported by [`Pipeline::lapses`].
    lapse_noted: bool,
}

impl Pipeline {
    /// A pipeline without a state; [`Pipeline::reset`] gives it one.
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let now = Instant::now(clock);
        Self {
            generation: 0,
            failure: None,
            head: Head::NONE,
            lease: None,
            snapshot: None,
            since_snapshot: SinceSnapshot::default(),
            snapshot_at: now,
            snapshot_failed: None,
            proof: Proof::by_own_clocks(now),
            kept: None,
            read_at: None,
            batches: VecDeque::new(),
            committing: false,
            lapse_noted: false,
        }
    }

    /// Evidence that no record is in flight; `None` when one is.
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        self.is_quiet().then(|| self.presumed_quiet())
    }

    /// The evidence of [`Pipeline::quiet`], without the check.
    pub(crate) fn presumed_quiet(&self) -> Quiet {
        Quiet { generation: self.generation, head: self.head.sequence }
    }

    /// Starts over from a restored state. `quiet` was taken before the log was read for it. Returns
    /// the new generation.
    ///
    /// # Errors
    ///
    /// `Internal` when a record was in flight since then: the state may lack it.
    pub(crate) fn reset(&mut self, quiet: Quiet, log: LogState) -> Result<u64> {
        if self.quiet() != Some(quiet) && !planted(Bug::ClaimComesBack) {
            return Err(Error::internal(
                "a record was being written while the object was restored; retry the request",
            ));
        }
        let LogState { head, snapshot, since_snapshot, proof } = log;
        self.generation += 1;
        self.head = head;
        self.lease = planted(Bug::NoFencingRecord)
            .then_some(Lease { granted: proof.at(), duration: Duration::from_secs(5) });
        self.snapshot = snapshot;
        self.since_snapshot = since_snapshot;
        self.snapshot_at = proof.at();
        self.snapshot_failed = None;
        self.proof = proof;
        Ok(self.generation)
    }

    /// Adds the changes of a transaction to the batch for the next record.
    pub(crate) fn submit(&mut self, submission: Submission) -> Submitted {
        let Submission { changes, bytes, after_commit } = submission;
        let batch = self.open_batch_for(bytes);
        batch.bytes += bytes;
        batch.writes = true;
        batch.changes.push(changes);
        batch.causes.extend(cause());
        let ticket = batch.wait();
        batch.waiters.extend(after_commit.into_iter().map(Waiter::Work));
        let sequence = self.head.sequence + self.batches.len() as u64;
        Submitted { ticket, sequence, start: self.start() }
    }

    /// Does `work` together with the response that [`Pipeline::gate`] has just held back.
    pub(crate) fn with_last_read(&mut self, work: Vec<AfterCommit>) {
        if let Some(batch) = self.batches.back_mut() {
            batch.reading().extend(work.into_iter().map(Waiter::Work));
        }
    }

    /// The gate for everything that could reveal changes submitted so far.
    pub(crate) fn under_way(&mut self) -> Gate {
        let newest = self.batches.iter_mut().rev().find(|batch| batch.writes);
        newest.map_or(Gate::Open, |batch| Gate::Record(batch.wait()))
    }

    /// Closes the current batch: later changes belong to later records. Returns the sequence number
    /// of the record that completes the present state, and a ticket for that record if it is not in
    /// the log yet.
    pub(crate) fn seal(&mut self) -> (u64, Option<Ticket>) {
        let sequence = self.head.sequence + self.batches.len() as u64;
        let ticket = self.batches.back_mut().map(|batch| {
            batch.sealed = true;
            batch.wait()
        });
        (sequence, ticket)
    }

    /// Adds a record that releases the object, if a lease holds or changes wait. Returns its
    /// ticket, and `true` if the caller must start the committer.
    pub(crate) fn release(&mut self, clock: &dyn Clock) -> (Option<Ticket>, bool) {
        if self.batches.is_empty() && !self.lease.is_some_and(|lease| lease.holds(clock)) {
            return (None, false);
        }
        let batch = self.open_batch();
        batch.releases = true;
        batch.sealed = true;
        let ticket = batch.wait();
        (Some(ticket), self.start())
    }

    /// The next record to write; `None` ends the committer.
    pub(crate) fn next_job(&mut self) -> Option<Job> {
        let Some(batch) = self.batches.front_mut() else {
            self.committing = false;
            return None;
        };
        batch.sealed = true;
        Some(Job {
            before: self.head,
            proof: self.proof,
            changes: std::mem::take(&mut batch.changes),
            releases: batch.releases,
            snapshot: self.snapshot,
            start: None,
            deletes: false,
            causes: std::mem::take(&mut batch.causes),
        })
    }

    /// Notes a newer proof that the head is the newest record.
    pub(crate) fn prove(&mut self, proof: Proof) {
        self.proof = proof;
    }

    /// Notes that the record of the last job is in the log and grants `lease`. Returns what waited
    /// for it.
    pub(crate) fn won(
        &mut self,
        head: Head,
        lease: Lease,
        written: SinceSnapshot,
        clock: &dyn Clock,
    ) -> Done {
        let mut batch = self.batches.pop_front().expect("a job comes from a batch");
        self.head = head;
        self.lease = (!batch.releases).then_some(lease);
        self.lapse_noted = false;
        self.since_snapshot.add(written);
        if self.lease.is_some_and(|lease| lease.holds(clock)) {
            batch.waiters.append(&mut batch.late);
        }
        self.done(batch)
    }

    /// Notes that the record of the last job, which changes nothing, was refused, and that its slot
    /// was empty after that: requests that waited when it was sent saw the newest state. Returns
    /// them; `None` when more batches wait, whose numbers would change.
    pub(crate) fn unrenewed(&mut self) -> Option<Done> {
        let batch = if self.batches.len() == 1 { self.batches.pop_front() } else { None };
        batch.map(|batch| self.done(batch))
    }

    /// Finishes a batch. Reads for which it proves nothing wait for the next one.
    fn done(&mut self, batch: Batch) -> Done {
        if !batch.late.is_empty() {
            self.open_batch().waiters.extend(batch.late);
        }
        Done { waiters: batch.waiters }
    }

    /// Makes the memory void because of `error`: all records in flight are lost, or their outcome is
    /// unknown. Returns everything that waited for them.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<Waiter> {
        self.generation += 1;
        self.failure = Some(error.clone());
        self.lease = None;
        self.committing = false;
        self.batches
            .drain(..)
            .flat_map(|batch| batch.waiters.into_iter().chain(batch.late))
            .collect()
    }

    /// The error of a request whose handler ran on memory that became void meanwhile. It was rolled
    /// back, whatever happened to the records below it: `Fenced` when another process wrote one of
    /// them, `Unavailable` when the store did not say what became of them.
    pub(crate) fn void(&self) -> Error {
        let fenced =
            self.failure.as_ref().is_none_or(|failure| failure.kind() == ErrorKind::Fenced);
        let (kind, text) = if fenced {
            (ErrorKind::Fenced, "a record that this request depends on was lost")
        } else {
            (
                ErrorKind::Unavailable,
                "the store did not confirm a record that this request depends on",
            )
        };
        let error = Error::new(kind, format!("{text}; the request was rolled back, retry it"))
            .with_retry_after(Duration::from_secs(1));
        match &self.failure {
            Some(failure) => error.with_source(failure.clone()),
            None => error,
        }
    }

    /// The proof that the head is the newest record.
    pub(crate) fn proof(&self) -> Proof {
        self.proof
    }

    /// Whether the lease has expired since the last call.
    pub(crate) fn lapses(&mut self, clock: &dyn Clock) -> bool {
        let lapsed = self.lease.is_some_and(|lease| !lease.holds(clock));
        lapsed && !std::mem::replace(&mut self.lapse_noted, lapsed)
    }

    /// Whether no record is in flight and no lease keeps others from writing.
    pub(crate) fn is_idle(&self, clock: &dyn Clock) -> bool {
        self.is_quiet() && !self.lease.is_some_and(|lease| lease.holds(clock))
    }

    /// Whether no record is in flight or waits.
    pub(crate) fn is_quiet(&self) -> bool {
        self.batches.is_empty() && !self.committing
    }

    /// Notes that a snapshot is in the bucket; `covered` is what it covers since the one before.
    pub(crate) fn snapshot_done(
        &mut self,
        snapshot: SnapshotRef,
        covered: SinceSnapshot,
        at: Instant,
    ) {
        self.snapshot = Some(snapshot);
        self.snapshot_at = at;
        self.snapshot_failed = None;
        self.since_snapshot.remove(covered);
    }

    /// The batch that accepts more changes.
    fn open_batch(&mut self) -> &mut Batch {
        self.open_batch_for(0)
    }

    /// The batch that accepts changes of this size.
    fn open_batch_for(&mut self, bytes: usize) -> &mut Batch {
        let fits = |batch: &Batch| batch.bytes == 0 || batch.bytes + bytes <= GROUP_BYTES_MAX;
        let open = self.batches.back().is_some_and(|batch| !batch.sealed && fits(batch));
        if !open {
            self.batches.push_back(Batch::default());
        }
        self.batches.back_mut().expect("there is one now")
    }

    /// Whether the caller must start the committer.
    fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.committing, true)
    }
}

#[cfg(test)]
mod tests;
