//! Restores a database in memory from the bucket: from a snapshot and the records after it.
//!
//! Promises: exactly the state after a record, or an error that names the key that is missing or
//! damaged; never an empty or a partial database (rule R12). Two dependent round trips, independent
//! of the history: the newest keys and `snapshots/latest` together, then data files and records
//! together.

use crate::activation::leased::LogState;
use crate::activation::rebuild::{Sources, load};
use crate::activation::runtime::Runtime;
use crate::budget::Charge;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::lease::Claim;
use crate::limits::RESIDENT_BYTES;
use crate::log::{Head, Listing, Log, Proof, fetch, list_newest};
use crate::snapshot::{self, Document, SinceSnapshot, SnapshotRef, Tracker};
use crate::sqlite::Database;
use crate::trace::{span, traced};

/// A restored object.
pub(crate) struct Restored {
    pub(crate) database: Database,
    pub(crate) tracker: Tracker,
    pub(crate) log: LogState,
    /// The claim in the newest record; `None` for an object without records.
    pub(crate) claim: Option<Claim>,
    /// The description of the snapshot that it was read from, if only a record was seen to have it.
    pub(crate) unpublished: Option<Document>,
    /// Whether the object was deleted, and something of before is still in the bucket.
    pub(crate) leftovers: bool,
}

/// The listing and the hint of an object, which the first of the two round trips returns.
pub(crate) struct Newest {
    pub(crate) listing: Listing,
    pub(super) hint: Option<Document>,
}

/// Restores the newest state, reusing the result of [`newest`] if it was called already. `asked` is
/// a moment before that.
///
/// Files may be deleted during the restore: the process may have been frozen between two requests,
/// or the hint may be older than the retention time. If a file is missing and a listing shows
/// another snapshot, the restore starts again from that one.
///
/// # Errors
///
/// `Corrupt` with the key of a missing or damaged file; `Unavailable` when the store does not
/// respond.
pub(crate) async fn restore(
    runtime: &Runtime,
    log: &Log,
    asked: Proof,
    known: Option<Newest>,
    room: &mut Charge,
) -> Result<Restored> {
    let started = Instant::now(runtime.clock.as_ref());
    let restored = traced(
        span!("restore", dotdo.class = log.object.class()),
        restore_in_tries(runtime, log, asked, known, room),
    )
    .await;
    match &restored {
        Ok(restored) => {
            metrics::counter!("dotdo_restores_total").increment(1);
            metrics::counter!("dotdo_restored_bytes_total")
                .increment(restored.database.page_bytes());
            metrics::counter!("dotdo_restored_records_total")
                .increment(restored.log.since_snapshot.records);
            metrics::histogram!("dotdo_restore_seconds")
                .record(started.elapsed_at_least(runtime.clock.as_ref()).as_secs_f64());
        }
        Err(error) => {
            metrics::counter!("dotdo_restores_failed_total", "code" => error.code()).increment(1)
        }
    }
    restored
}

async fn restore_in_tries(
    runtime: &Runtime,
    log: &Log,
    asked: Proof,
    mut known: Option<Newest>,
    room: &mut Charge,
) -> Result<Restored> {
    let mut base = Base::Hinted;
    let mut first_error = None;
    for _ in 0..TRIES {
        let Failed { tried, error } = match restore_from(
            runtime,
            log,
            Try { asked, base, known: known.take() },
            room,
        )
        .await
        {
            Ok(restored) => return Ok(restored),
            Err(failed) => failed,
        };
        if error.kind() != ErrorKind::Corrupt {
            return Err(error);
        }
        let first_error = &*first_error.get_or_insert(error);
        let newest = snapshot::list(log.snapshots()).await?.first().map(|entry| entry.reference);
        base = match newest {
            Some(newest) if tried != Some(newest) => Base::Listed(newest),
            _ => return Err(first_error.clone()),
        };
        tracing::info!(object = %log.object, error = %first_error, "a file was deleted during the restore; restoring from the newest snapshot");
    }
    Err(first_error.unwrap_or_else(|| Error::internal("a restore is tried at least once")))
}

/// Maximum number of restarts of a restore after files were deleted.
const TRIES: usize = 3;

/// Which snapshot to start from.
#[derive(Clone, Copy)]
enum Base {
    /// The snapshot that the hint or the newest record names.
    Hinted,
    /// A snapshot that a listing has shown.
    Listed(SnapshotRef),
}

/// One attempt of a restore.
struct Try {
    /// A moment before `known` was read.
    asked: Proof,
    base: Base,
    /// What was read already.
    known: Option<Newest>,
}

/// A failed restore.
struct Failed {
    /// The snapshot that was being read, if any.
    tried: Option<SnapshotRef>,
    error: Error,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { tried: None, error }
    }
}

/// Restores the newest state from one snapshot.
async fn restore_from(
    runtime: &Runtime,
    log: &Log,
    Try { asked, base, known }: Try,
    room: &mut Charge,
) -> std::result::Result<Restored, Failed> {
    let Newest { listing, hint } = match known {
        Some(known) => known,
        None => newest(log).await?,
    };
    // The lease counts from now and not from `asked`, because the record may have been written
    // after that.
    let observed = Instant::now(runtime.clock.as_ref());
    if listing.head == 0 {
        room.raise(RESIDENT_BYTES).await?;
        return Ok(empty(runtime, asked)?);
    }
    let (base, from) = match base {
        Base::Hinted => choose_start(log, &listing, hint).await?,
        Base::Listed(base) if base.sequence > listing.head => return Err(missing(log, base).into()),
        Base::Listed(base) => {
            (Some(snapshot::read(log.snapshots(), base).await?), base.sequence + 1)
        }
    };
    let tried = base.as_ref().map(|base| base.reference);
    let from = from.min(listing.head);
    let loaded = load(runtime, log, Sources { base, records: from..=listing.head }, room)
        .await
        .map_err(|error| Failed { tried, error })?;
    let newest =
        loaded.records.last().ok_or_else(|| Error::internal("a log with a head has records"))?;
    let leftovers = loaded.has_leftovers(from) || (newest.record.deleted && tried.is_some());
    Ok(Restored {
        log: LogState {
            head: newest.head(),
            snapshot: loaded.base,
            since_snapshot: loaded.since_snapshot(),
            proof: asked,
        },
        claim: Some(Claim::of(&newest.record, listing.head_modified_ms, observed)),
        database: loaded.database,
        tracker: loaded.tracker,
        leftovers,
        unpublished: loaded.unpublished,
    })
}

/// Lists the newest keys of the log, and reads the hint that names the newest snapshot.
///
/// # Errors
///
/// Those of [`restore`].
pub(crate) async fn newest(log: &Log) -> Result<Newest> {
    let (snapshots, listing) = (log.snapshots(), list_newest(log, u64::MAX));
    let (listing, hint): (Listing, Option<Document>) =
        futures_util::try_join!(listing, snapshots.hint())?;
    match &hint {
        // dotdo never deletes the newest record, so something else did; or the hint was written
        // after the listing.
        Some(hint) if hint.reference.sequence > listing.head => Err(missing(log, hint.reference)),
        _ => Ok(Newest { listing, hint }),
    }
}

/// The error when the record with which `snapshot` ends, and all newer ones, are missing.
fn missing(log: &Log, snapshot: SnapshotRef) -> Error {
    Error::corrupt(
        log.key(snapshot.sequence),
        format!("expected a log record, found nothing: the snapshot {snapshot} has its changes"),
    )
}

/// An object without any writes.
fn empty(runtime: &Runtime, asked: Proof) -> Result<Restored> {
    Ok(Restored {
        database: Database::new(&runtime.database_limits())?,
        tracker: Tracker::new(),
        log: LogState {
            head: Head::NONE,
            snapshot: None,
            since_snapshot: SinceSnapshot::default(),
            proof: asked,
        },
        claim: None,
        unpublished: None,
        leftovers: false,
    })
}

/// Where a restore starts: the hint's snapshot if the log reaches back to it, otherwise the one that
/// the newest record names, or a record that starts the state anew.
pub(super) async fn choose_start(
    log: &Log,
    listing: &Listing,
    hint: Option<Document>,
) -> Result<(Option<Document>, u64)> {
    if let Some(hint) = hint {
        let needed = hint.reference.sequence + 1;
        if needed >= listing.unbroken_from
            || list_newest(log, needed).await?.unbroken_from <= needed
        {
            return Ok((Some(hint), needed));
        }
    }
    let newest = fetch(log, listing.head..=listing.head, None, &mut log.room()).await?;
    match newest.first().map(|found| (&found.record.start, found.record.snapshot)) {
        Some((None, Some(reference))) => {
            let document = snapshot::read(log.snapshots(), reference).await?;
            Ok((Some(document), reference.sequence + 1))
        }
        Some((Some(_), _)) => Ok((None, listing.head)),
        _ if listing.unbroken_from > 1 => Ok((None, list_newest(log, 1).await?.unbroken_from)),
        _ => Ok((None, 1)),
    }
}
