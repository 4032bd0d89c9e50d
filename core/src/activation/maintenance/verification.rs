//! The second line of defence: before records are deleted because a snapshot covers them, the
//! snapshot is compared with these records.
//!
//! Promises: where a snapshot and the records that it replaces lead to different databases, nothing
//! of the object is deleted, by any server, until an operator removes the marker. A comparison
//! stays within fixed limits, and one runs at a time. It is independent of the code that made the
//! snapshot: it replays records on an older snapshot, or on nothing.

use bytes::Bytes;

use crate::activation::rebuild::{Sources, replay_from};
use crate::activation::runtime::Runtime;
use crate::budget::Use;
use crate::error::Result;
use crate::executor::offload;
use crate::limits::{HINT_BYTES_MAX, RESIDENT_BYTES, VERIFIED_BYTES_MAX, VERIFIED_RECORDS_MAX};
use crate::log::{Log, Stretch, stretch};
use crate::snapshot::{self, Digest, Document, SnapshotRef, differs_key};
use crate::store::{Bucket as _, StoreError};

/// The result of a comparison.
enum Outcome {
    /// Both ways lead to the same database.
    Same,
    /// They lead to different databases; the difference as text.
    Different(String),
    /// There is nothing to compare with, or it would cost too much; the reason as text.
    Unchecked(&'static str),
}

/// A snapshot, and the base of the comparison.
struct Pair {
    base: Option<SnapshotRef>,
    snapshot: SnapshotRef,
}

/// Whether records up to `covered`, and the snapshots before it, may be deleted. `complete` are the
/// complete snapshots; `draw` is a random number that chooses one when not all can be compared.
///
/// # Errors
///
/// `Unavailable` when the store can't be asked, `Busy` when there is no memory for it now;
/// `Corrupt` when something that is compared is missing or damaged. Nothing may be deleted then.
pub(crate) async fn may_delete_records(
    runtime: &Runtime,
    log: &Log,
    complete: &[SnapshotRef],
    covered: u64,
    draw: u128,
) -> Result<bool> {
    match log.bucket.get_within(&differs_key(&log.prefix), HINT_BYTES_MAX).await {
        Ok(None) => {}
        Ok(Some(known)) => {
            report(log, &String::from_utf8_lossy(&known.bytes));
            return Ok(false);
        }
        // Whatever it says, it is there.
        Err(error @ StoreError::TooLarge { .. }) => {
            report(log, &error.to_string());
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    }
    let _one_at_a_time = runtime.verifying.acquire(log.object.tenant()).await;
    let outcome = match choose(log, complete, covered, draw).await? {
        Some(pair) => compare(runtime, log, &pair).await?,
        None => Outcome::Unchecked(
            "there is no older snapshot from which these records continue, or there are too many records",
        ),
    };
    let (label, may_delete) = match &outcome {
        Outcome::Same => ("same", true),
        Outcome::Unchecked(why) => {
            tracing::debug!(object = %log.object, why, "cannot compare a snapshot with the records that it covers");
            ("unchecked", true)
        }
        Outcome::Different(what) => {
            report(log, what);
            // Where it can't be written, the next sweep compares again.
            log.bucket.put(&differs_key(&log.prefix), Bytes::from(format!("{what}\n"))).await?;
            ("different", false)
        }
    };
    metrics::counter!("dotdo_snapshot_checks_total", "outcome" => label).increment(1);
    Ok(may_delete)
}

/// Reports a difference in a metric and as an error in the log.
fn report(log: &Log, what: &str) {
    metrics::counter!("dotdo_snapshots_differ_total").increment(1);
    tracing::error!(
        object = %log.object,
        what = what.trim_end(),
        marker = %differs_key(&log.prefix),
        "a snapshot differs from the records that it covers: this is a bug in dotdo, or the bucket was changed; nothing of this object is deleted until its marker is deleted"
    );
}

/// The newest covered snapshot, with the oldest base from which its records are complete. If that
/// is too much, a covered snapshot chosen at random, with the oldest base that is near enough.
async fn choose(
    log: &Log,
    complete: &[SnapshotRef],
    covered: u64,
    draw: u128,
) -> Result<Option<Pair>> {
    let mut targets: Vec<SnapshotRef> =
        complete.iter().copied().filter(|snapshot| snapshot.sequence <= covered).collect();
    targets.sort_unstable();
    let Some(&newest) = targets.last() else { return Ok(None) };
    let run = stretch(log, newest.sequence, VERIFIED_RECORDS_MAX).await?;
    if !run.goes_on {
        return Ok(pair(&targets, newest, &run));
    }
    let count = u128::try_from(targets.len()).unwrap_or(1);
    let drawn = targets[usize::try_from(draw % count).unwrap_or(0)];
    let run = stretch(log, drawn.sequence, VERIFIED_RECORDS_MAX).await?;
    Ok(pair(&targets, drawn, &run))
}

/// The snapshot, with the oldest base, or none, from which the records of `run` are complete.
fn pair(snapshots: &[SnapshotRef], snapshot: SnapshotRef, run: &Stretch) -> Option<Pair> {
    if run.bytes > VERIFIED_BYTES_MAX {
        return None;
    }
    if run.from == 1 {
        return Some(Pair { base: None, snapshot });
    }
    let base = snapshots
        .iter()
        .find(|base| base.sequence + 1 >= run.from && base.sequence < snapshot.sequence)?;
    Some(Pair { base: Some(*base), snapshot })
}

async fn compare(runtime: &Runtime, log: &Log, pair: &Pair) -> Result<Outcome> {
    let read = |snapshot| snapshot::read(log.snapshots(), snapshot);
    let snapshot = read(pair.snapshot).await?;
    let base = match pair.base {
        Some(base) => Some(read(base).await?),
        None => None,
    };
    let base_bytes = base.as_ref().map_or(0, Document::bytes);
    if snapshot.bytes().saturating_add(base_bytes) > VERIFIED_BYTES_MAX {
        return Ok(Outcome::Unchecked("its files are too large"));
    }
    let difference = difference(runtime, log, base, snapshot).await?;
    Ok(difference.map_or(Outcome::Same, Outcome::Different))
}

/// How `snapshot` differs from `base`, or nothing, with the records up to it; `None` when it does
/// not. It takes the memory of one database at a time.
///
/// # Errors
///
/// Those of a restore.
pub(crate) async fn difference(
    runtime: &Runtime,
    log: &Log,
    base: Option<Document>,
    snapshot: Document,
) -> Result<Option<String>> {
    let from = base.as_ref().map(|base| base.reference);
    let name = snapshot.reference;
    let expected = digest(runtime, log, base, name.sequence).await?;
    let found = digest(runtime, log, Some(snapshot), name.sequence).await?;
    let from = from.map_or_else(|| "nothing".to_owned(), |base| format!("the snapshot {base}"));
    Ok(expected.difference(&found).map(|what| {
        format!(
            "the snapshot {name} differs from {from} with the records up to {} in {what}",
            name.sequence
        )
    }))
}

async fn digest(runtime: &Runtime, log: &Log, base: Option<Document>, to: u64) -> Result<Digest> {
    let mut room = runtime.budget.count(Use::TimeTravel, &log.object, 0);
    let from = base.as_ref().map_or(1, |base| base.reference.sequence + 1);
    let sources = Sources { base, records: from..=to };
    let database = replay_from(runtime, log, sources, &mut room).await?.database;
    room.set(RESIDENT_BYTES + database.bytes());
    offload(runtime.executor.as_ref(), || Digest::of(&database))
}
