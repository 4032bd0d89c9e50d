//! Builds a database from a snapshot and the records after it.
//!
//! Promises: exactly the state after the last record. What happened before a record that starts the
//! state anew is not part of it: nothing is replayed across such a record, and nothing before it is
//! needed.

use std::ops::RangeInclusive;

use futures_util::future::OptionFuture;

use crate::activation::runtime::Runtime;
use crate::budget::Charge;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::limits::{RESIDENT_BYTES, RESTORE_FACTOR, RESTORE_TIME_MAX};
use crate::log::{Found, Hash, Log, Record, Start, fetch};
use crate::planted::{Bug, planted};
use crate::snapshot::{self, Document, Fetched, SinceSnapshot, SnapshotRef, Tracker};
use crate::sqlite::{Database, is_shortage};

/// What a database is built from.
pub(crate) struct Sources {
    pub(crate) base: Option<Document>,
    pub(crate) records: RangeInclusive<u64>,
}

/// A database, and its sources.
pub(super) struct Loaded {
    pub(super) database: Database,
    pub(super) tracker: Tracker,
    pub(super) base: Option<SnapshotRef>,
    pub(super) records: Vec<Found>,
    /// The description of the base, if that was read from a record.
    pub(super) unpublished: Option<Document>,
    /// The last record that is in the base.
    folded: u64,
}

/// A former state.
pub(crate) struct Former {
    pub(crate) database: Database,
    /// Whether the object existed: it was not deleted by the last record or before.
    pub(crate) exists: bool,
}

/// Rebuilds a former state.
///
/// # Errors
///
/// `Corrupt` with the key of a missing or damaged file; `Unavailable` when the store does not
/// respond; `Busy` when there is no memory for it.
pub(crate) async fn replay_from(
    runtime: &Runtime,
    log: &Log,
    sources: Sources,
    room: &mut Charge,
) -> Result<Former> {
    let loaded = load(runtime, log, sources, room).await?;
    let exists = loaded.records.last().is_none_or(|newest| !newest.record.deleted);
    Ok(Former { database: loaded.database, exists })
}

/// What the records are applied to.
struct Ground {
    files: Option<Fetched>,
    /// Size of the files, in bytes.
    bytes: u64,
    base: Option<SnapshotRef>,
    /// The last record that is in it.
    folded: u64,
    unpublished: Option<Document>,
}

/// Fetches the snapshot and the records concurrently once there is memory for them, checks them,
/// and combines them.
pub(super) async fn load(
    runtime: &Runtime,
    log: &Log,
    Sources { base, records }: Sources,
    room: &mut Charge,
) -> Result<Loaded> {
    let files_bytes = base.as_ref().map_or(0, Document::bytes);
    room.raise(RESIDENT_BYTES.saturating_add(files_bytes.saturating_mul(RESTORE_FACTOR))).await?;
    let follows = base
        .as_ref()
        .filter(|base| base.reference.sequence + 1 == *records.start())
        .map(|base| Hash(base.record_hash));
    let known = base.as_ref().map(|base| (base.reference, base.record_hash));
    let files = OptionFuture::from(
        base.map(|base| snapshot::fetch(log.bucket.as_ref(), &log.prefix, base)),
    );
    let (records, files) = futures_util::join!(fetch(log, records, follows, room), files);
    let records = records?;
    check_end(log, known, records.first())?;
    let ground = match records.iter().rfind(|found| starts_anew(&found.record)) {
        Some(found) => start_anew(log, found, room).await?,
        None => {
            check_beginning(log, known.is_some(), records.first())?;
            let base = known.map(|(base, _)| base);
            let folded = base.map_or(0, |base| base.sequence);
            Ground {
                files: files.transpose()?,
                bytes: files_bytes,
                base,
                folded,
                unpublished: None,
            }
        }
    };
    combine(runtime, log, (ground, records), room).await
}

/// Whether the state after the record does not follow from the state before it.
pub(super) fn starts_anew(record: &Record) -> bool {
    record.start.is_some() && !planted(Bug::ReplayedAcross)
}

/// What the records from `found` on are applied to, which starts the state anew.
async fn start_anew(log: &Log, found: &Found, room: &mut Charge) -> Result<Ground> {
    let Found { record, hash, .. } = found;
    let Some(Start::Snapshot(description)) = &record.start else {
        let folded = record.sequence - 1;
        return Ok(Ground { files: None, bytes: 0, base: None, folded, unpublished: None });
    };
    let key = log.key(record.sequence);
    let document = log.snapshots().decode(&key, description)?;
    if document.reference.sequence != record.sequence {
        let text = format!(
            "expected the description of a snapshot of this record, got {}",
            document.reference
        );
        return Err(Error::corrupt(key, text));
    }
    let document = document.completed_by(hash.0, record.time_ms);
    let (base, bytes) = (Some(document.reference), document.bytes());
    room.raise(RESIDENT_BYTES.saturating_add(bytes.saturating_mul(RESTORE_FACTOR))).await?;
    let files = snapshot::fetch(log.bucket.as_ref(), &log.prefix, document.clone()).await?;
    let (files, unpublished) = (Some(files), Some(document));
    Ok(Ground { files, bytes, base, folded: record.sequence, unpublished })
}

/// Fails when the first record is the one with which the snapshot should end, and is another.
pub(super) fn check_end(
    log: &Log,
    known: Option<(SnapshotRef, [u8; 32])>,
    first: Option<&Found>,
) -> Result<()> {
    if let (Some((base, base_hash)), Some(Found { record, hash, .. })) = (known, first)
        && record.sequence == base.sequence
        && hash.0 != base_hash
    {
        let text = format!("expected the record with which the snapshot {base} ends");
        return Err(Error::corrupt(log.key(record.sequence), text));
    }
    Ok(())
}

/// Fails when records before the first are needed.
pub(super) fn check_beginning(log: &Log, has_base: bool, first: Option<&Found>) -> Result<()> {
    match first.map(|found| found.record.sequence) {
        Some(first) if first > 1 && !has_base => {
            let missing = log.key(first - 1);
            Err(Error::corrupt(missing, "expected a log record, found nothing"))
        }
        _ => Ok(()),
    }
}

/// Applies the records to what they start from.
async fn combine(
    runtime: &Runtime,
    log: &Log,
    (ground, records): (Ground, Vec<Found>),
    room: &mut Charge,
) -> Result<Loaded> {
    let Ground { files, bytes, base, folded, unpublished } = ground;
    if let Some(files) = &files {
        // Only now is known what they become.
        room.raise(RESIDENT_BYTES.saturating_add(files.memory_bytes()?)).await?;
    }
    let restraint = runtime.restraint(room, room.bytes().saturating_sub(bytes));
    let loaded = offload(runtime.executor.as_ref(), || -> Result<_> {
        let limits = runtime.database_limits();
        let (mut database, mut tracker) = match files {
            Some(files) => files.decode(&limits, Some(restraint))?,
            None => (Database::new_restrained(&limits, restraint)?, Tracker::new()),
        };
        for found in records.iter().filter(|found| found.record.sequence > folded) {
            replay(log, &mut database, &mut tracker, &found.record)?;
        }
        database.unrestrain();
        Ok((database, tracker))
    });
    let (database, tracker) = loaded.map_err(|error| out_of_time(log, error))?;
    room.set(room.bytes().max(RESIDENT_BYTES + database.bytes()));
    Ok(Loaded { database, tracker, base, records, unpublished, folded })
}

/// A restore that was stopped says so; a statement of its own is nothing that its reader knows.
fn out_of_time(log: &Log, error: Error) -> Error {
    if error.kind() != ErrorKind::TimedOut {
        return error;
    }
    let text = format!(
        "restoring {} takes longer than the {} s that a restore may compute; its definitions compute too much",
        log.object,
        RESTORE_TIME_MAX.as_secs()
    );
    Error::new(ErrorKind::TimedOut, text).with_code("RESTORE_TIMED_OUT").with_source(error)
}

/// Applies the transactions of one record.
///
/// # Errors
///
/// `Corrupt`, naming the record's key, when they don't fit the state.
pub(crate) fn replay(
    log: &Log,
    database: &mut Database,
    tracker: &mut Tracker,
    record: &Record,
) -> Result<()> {
    for changes in &record.transactions {
        database.apply(changes).map_err(|cause| {
            if is_shortage(&cause) {
                return cause;
            }
            let what = format!("cannot apply the record to the previous state: {cause}");
            Error::corrupt(log.key(record.sequence), what)
        })?;
        tracker.observe(changes, database.shapes());
    }
    Ok(())
}

impl Loaded {
    /// Whether the object was deleted and the log, which was read from record `from` on, has records
    /// from before that.
    pub(super) fn has_leftovers(&self, from: u64) -> bool {
        let deleted = self.records.last().is_some_and(|newest| newest.record.deleted);
        deleted && from <= self.folded
    }

    /// Sums of the records after the snapshot.
    pub(super) fn since_snapshot(&self) -> SinceSnapshot {
        let newer = self.records.iter().filter(|found| found.record.sequence > self.folded);
        let mut since = SinceSnapshot::default();
        newer.for_each(|found| {
            since.add(SinceSnapshot::record(
                &found.record.transactions,
                found.record.time_ms,
                found.bytes,
            ))
        });
        since
    }
}
