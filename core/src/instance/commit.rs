//! The committer of one object: writes batches as records, one at a time, until there is none.

use std::sync::Arc;

use crate::change::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::Deps;
use crate::instance::pipeline::{Done, Head, Job, SinceSnapshot};
use crate::instance::slot::Slot;
use crate::lease::Lease;
use crate::log::{Appended, Record, append};
use crate::snapshot::SnapshotRef;

/// Starts the committer in a task of its own: a client that goes away must not take a record in flight with it.
pub(crate) fn start(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    let (deps, slot) = (deps.clone(), slot.clone());
    tokio::spawn(async move { run(&deps, &slot).await });
}

async fn run(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    loop {
        let job = slot.pipeline().next_job();
        let Some(job) = job else { return };
        match write(deps, slot, job).await {
            Ok((done, head)) => {
                done.after_commit.into_iter().for_each(|work| work());
                for waiter in done.waiters {
                    // A waiter that has gone away does not need the answer.
                    let _ = waiter.send(Ok(head));
                }
                slot.after_record(deps, head);
            }
            Err(error) => {
                tracing::warn!(object = %slot.log.object, code = error.code(), %error, "a record was not written; the object's memory is void");
                metrics::counter!("dotdo_commits_failed_total", "code" => error.code()).increment(1);
                let waiters = slot.pipeline().fail();
                waiters.into_iter().for_each(|waiter| drop(waiter.send(Err(error.clone()))));
                return;
            }
        }
    }
}

/// Writes one record. An error means that the memory on top of it is void.
async fn write(deps: &Deps, slot: &Slot, job: Job) -> Result<(Done, Head)> {
    let rows = job.changes.iter().map(Changes::weight).sum::<u64>();
    let record = record_of(deps, slot, job.before, job.changes, job.releases, job.snapshot);
    let encoded = record.encode()?;
    let bytes = encoded.bytes.len() as u64;
    let (sent, proof) = match append(&slot.log, record.sequence, &encoded, job.proof, deps.settings.commit_deadline).await? {
        Appended::Won { sent, proof } => (sent, proof),
        Appended::Lost => return Err(fenced(&record)),
        Appended::Refused(cause) => return unrenewed(slot, &record, job.before).ok_or_else(|| cause.into()),
    };
    metrics::counter!("dotdo_commits_total").increment(1);
    metrics::counter!("dotdo_commit_bytes_total").increment(bytes);
    let head = Head { sequence: record.sequence, hash: encoded.hash, epoch: record.epoch, writer: record.writer };
    let written = SinceSnapshot { rows, bytes, records: 1 };
    let lease = Lease { granted: sent, duration: deps.settings.lease_duration };
    let mut pipeline = slot.pipeline();
    let done = pipeline.won(head, lease, written, deps.clock.as_ref());
    pipeline.prove(proof);
    Ok((done, head))
}

/// What a refused record leaves: when it would only have renewed the lease, what waited for it has seen the newest state all the same. So
/// reads go on while nothing can be written.
fn unrenewed(slot: &Slot, record: &Record, before: Head) -> Option<(Done, Head)> {
    let only_renews = record.transactions.is_empty() && record.lease_ms > 0;
    let done = only_renews.then(|| slot.pipeline().unrenewed())??;
    Some((done, before))
}

/// The record on top of `before`. Another instance's head makes it a claim with a new epoch.
fn record_of(deps: &Deps, slot: &Slot, before: Head, transactions: Vec<Changes>, releases: bool, snapshot: Option<SnapshotRef>) -> Record {
    let lease_ms = u64::try_from(deps.settings.lease_duration.as_millis()).unwrap_or(u64::MAX);
    Record {
        object: slot.log.object.clone(),
        sequence: before.sequence + 1,
        epoch: if before.writer == deps.instance { before.epoch } else { before.epoch + 1 },
        writer: deps.instance,
        nonce: deps.uuid(),
        previous: before.hash,
        time_ms: deps.clock.wall_ms(),
        lease_ms: if releases { 0 } else { lease_ms },
        address: deps.settings.address.clone(),
        snapshot,
        transactions,
    }
}

fn fenced(record: &Record) -> Error {
    let text = format!("another server wrote record {} of this object first; what this request did is undone", record.sequence);
    Error::new(ErrorKind::Fenced, text)
        .with_details(serde_json::json!({ "epoch": record.epoch, "sequence": record.sequence }))
        .with_retry_after(std::time::Duration::from_secs(1))
}
