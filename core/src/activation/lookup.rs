//! Reads the rows of an object with one key, without a restore: from the files of the newest snapshot
//! and the records after it ([why](../../../docs/design/0042-point-lookups.md)).
//!
//! Promises: what SQL finds by the key in the database that it makes is what it would find in the
//! restored object, or there is no such database.

use futures_util::future::{OptionFuture, join};

use super::rebuild::{check_beginning, check_end, starts_anew};
use super::restore::{Newest, choose_start, newest};
use crate::activation::runtime::Runtime;
use crate::budget::Charge;
use crate::change::{Changes, Row, TableChanges, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::limits::RESIDENT_BYTES;
use crate::log::{Found, Hash, Log, fetch};
use crate::snapshot::{Document, POINT_BYTES_MAX, PointKey, find};
use crate::sqlite::Database;

/// What is looked for.
pub(crate) struct Wanted<'a> {
    /// The table.
    pub(crate) table: &'a str,
    /// The values of its key.
    pub(crate) key: &'a [Value],
    /// The size of the files, in bytes, below which a restore is as fast.
    pub(crate) restored_below: u64,
}

/// A database with the rows of one table that have a key, and with some others.
pub(crate) struct Partial {
    pub(crate) database: Database,
    /// The last record in it.
    pub(crate) sequence: u64,
}

/// The memory of what is read and decoded, as a multiple of its size.
const READ_FACTOR: u64 = 4;

/// Reads the rows that are wanted, in their newest state; `None` when only a restore can tell: the
/// object has no snapshot, or a small one, or one without indexes by this key, or its schema has
/// changed since, or something of it can't be read.
///
/// # Errors
///
/// `Unavailable` when the store does not respond; `Busy` when there is no memory for it.
pub(crate) async fn look_up(
    runtime: &Runtime,
    log: &Log,
    wanted: Wanted<'_>,
    room: &mut Charge,
) -> Result<Option<Partial>> {
    match read(runtime, log, &wanted, room).await {
        // It says what is wrong, or finds the files of another snapshot.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::info!(object = %log.object, %error, "cannot look up a row; restoring");
            Ok(None)
        }
        read => read,
    }
}

async fn read(
    runtime: &Runtime,
    log: &Log,
    wanted: &Wanted<'_>,
    room: &mut Charge,
) -> Result<Option<Partial>> {
    let Newest { listing, hint } = newest(log).await?;
    if listing.head == 0 {
        return Ok(None);
    }
    let (base, from) = choose_start(log, &listing, hint).await?;
    let is_worth =
        |base: &Document| base.bytes() >= wanted.restored_below && !base.has_virtual_tables();
    let Some(base) = base.filter(is_worth) else { return Ok(None) };
    room.raise(RESIDENT_BYTES + POINT_BYTES_MAX * READ_FACTOR).await?;
    let restraint = runtime.restraint(room, RESIDENT_BYTES);
    let limits = runtime.database_limits();
    let database = offload(runtime.executor.as_ref(), || base.empty_database(&limits, restraint))?;
    let Some(key) = key(&database, wanted)? else { return Ok(None) };
    let follows = (base.reference.sequence + 1 == from).then_some(Hash(base.record_hash));
    // The record with which the snapshot ends may be large, and nothing of it is needed.
    let is_behind = from <= listing.head;
    let records = is_behind.then(|| fetch(log, from..=listing.head, follows, room));
    let found = find(log.snapshots(), &base, wanted.table, &key);
    let (records, found) = join(OptionFuture::from(records), found).await;
    let records = records.transpose()?.unwrap_or_default();
    let Some(rows) = found? else { return Ok(None) };
    let known = Some((base.reference, base.record_hash));
    check_end(log, known, records.first())?;
    check_beginning(log, true, records.first())?;
    let newer = |found: &&Found| found.record.sequence > base.reference.sequence;
    let newer: Vec<&Found> = records.iter().filter(newer).collect();
    if records.iter().any(|found| found.record.deleted) || newer.iter().any(|found| is_other(found))
    {
        return Ok(None);
    }
    let mut database = database;
    offload(runtime.executor.as_ref(), || -> Result<()> {
        database.apply(&insertion(wanted.table, rows))?;
        let transactions = newer.iter().flat_map(|found| &found.record.transactions);
        transactions.into_iter().try_for_each(|changes| database.apply(changes))
    })
    .map_err(|cause| Error::corrupt(log.key(listing.head), cause.message()).with_source(cause))?;
    database.unrestrain();
    room.set(room.bytes().max(RESIDENT_BYTES + database.bytes()));
    Ok(Some(Partial { database, sequence: listing.head }))
}

/// The key in the form of the files; `None` when it can't be looked up in them.
fn key(database: &Database, wanted: &Wanted<'_>) -> Result<Option<PointKey>> {
    let shape = database.shapes().iter().find(|shape| shape.name == wanted.table);
    let Some(shape) = shape else { return Ok(None) };
    let columns = database.key_columns(wanted.table)?;
    Ok(PointKey::new(shape, &columns, wanted.key))
}

/// Whether the state after the record is not that of before with other rows.
fn is_other(found: &Found) -> bool {
    let is_other = |changes: &Changes| changes.schema.is_some() || !changes.renames.is_empty();
    starts_anew(&found.record) || found.record.transactions.iter().any(is_other)
}

fn insertion(table: &str, rows: Vec<Row>) -> Changes {
    let table = TableChanges {
        table: table.to_owned(),
        rewritten: false,
        deletes: Vec::new(),
        upserts: rows,
    };
    Changes { tables: vec![table], ..Changes::default() }
}
