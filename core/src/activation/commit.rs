//! Writes one record into one slot of the log.

use std::time::Duration;

use tracing::Span;

use crate::activation::runtime::Runtime;
use crate::change::Changes;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Appended, Hash, Head, Log, Proof, Record, Start, append};
use crate::millis;
use crate::snapshot::{SinceSnapshot, SnapshotRef};
use crate::store::StoreError;
use crate::trace::{self, traced};

/// The record that must be written next.
pub(crate) struct Job {
    pub(crate) before: Head,
    pub(crate) proof: Proof,
    pub(crate) changes: Vec<Changes>,
    pub(crate) releases: bool,
    pub(crate) snapshot: Option<SnapshotRef>,
    /// What the state starts from, if not from the one before.
    pub(crate) start: Option<Start>,
    /// Whether it deletes the object.
    pub(crate) deletes: bool,
    /// The spans of the requests that it is written for, as far as they are traced.
    pub(crate) causes: Vec<Span>,
}

/// The outcome of writing a record.
pub(crate) enum Written {
    /// It is the head of the log.
    Won(Won),
    /// Another record is in its slot.
    Lost(Record),
    /// The store refused it permanently; the record before it is still the head.
    Refused(Record, StoreError),
}

/// A record that is in the log.
pub(crate) struct Won {
    pub(crate) record: Record,
    hash: Hash,
    /// What it adds to the log since the newest snapshot.
    pub(crate) since: SinceSnapshot,
    /// A moment before it was sent.
    pub(crate) sent: Instant,
    /// Proof that it was the head.
    pub(crate) proof: Proof,
}

impl Won {
    /// The record as the newest of the log.
    pub(crate) fn head(&self) -> Head {
        Head::of(&self.record, self.hash)
    }
}

/// Writes the record of `job`, which grants its writer a lease of `lease`.
///
/// # Errors
///
/// `Unknown` when its outcome is not certain; `TooLarge` when it does not fit into a record.
pub(crate) async fn write(
    runtime: &Runtime,
    log: &Log,
    job: Job,
    lease: Duration,
) -> Result<Written> {
    let (proof, before) = (job.proof, job.before);
    let span = trace::commit(&job.causes);
    let record = record_of(runtime, log, job, lease);
    let encoded = log.encode(&record)?;
    let bytes = encoded.bytes.len() as u64;
    let begun = runtime.clock.monotonic();
    let appending = append(log, record.sequence, &encoded, proof, runtime.settings.commit_deadline);
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
        .record(runtime.clock.monotonic().saturating_sub(begun).as_secs_f64());
    metrics::counter!("dotdo_commits_total").increment(1);
    metrics::counter!("dotdo_commit_bytes_total").increment(bytes);
    metrics::counter!("dotdo_commit_transactions_total")
        .increment(record.transactions.len() as u64);
    note_lease_change(before, &record);
    let since = SinceSnapshot::record(&record.transactions, record.time_ms, bytes);
    Ok(Written::Won(Won { record, hash: encoded.hash, since, sent, proof }))
}

/// Counts how `record`, on top of `before`, has changed who holds the lease.
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

/// Logs and counts that a record was not written and the object's memory is void.
pub(crate) fn note_failure(log: &Log, error: &Error) {
    tracing::warn!(object = %log.object, code = error.code(), %error, "cannot write a record; dropping the object from memory");
    metrics::counter!("dotdo_commits_failed_total", "code" => error.code()).increment(1);
}

/// The record on top of the job's head. If another instance wrote that head, the record starts a
/// new epoch.
pub(crate) fn record_of(runtime: &Runtime, log: &Log, job: Job, lease: Duration) -> Record {
    let before = job.before;
    // An object that was deleted is deleted until something is written.
    let stays_deleted = before.deleted && job.changes.is_empty() && job.start.is_none();
    Record {
        object: log.object.clone(),
        sequence: before.sequence + 1,
        epoch: if before.writer == runtime.instance { before.epoch } else { before.epoch + 1 },
        writer: runtime.instance,
        nonce: runtime.uuid(),
        previous: before.hash,
        time_ms: runtime.clock.wall_ms(),
        lease_ms: millis::of(lease),
        address: runtime.settings.address.clone(),
        snapshot: job.snapshot,
        transactions: job.changes,
        start: job.start,
        deleted: job.deletes || stays_deleted,
    }
}

/// The error for requests whose record lost its slot to another server's.
pub(crate) fn fenced(record: &Record) -> Error {
    let text = format!(
        "another server wrote record {} of this object first; this request was rolled back, retry it",
        record.sequence
    );
    Error::new(ErrorKind::Fenced, text)
        .with_details(serde_json::json!({ "epoch": record.epoch, "sequence": record.sequence }))
        .with_retry_after(Duration::from_secs(1))
}
