//! An object's tables as engines read them: the Iceberg tables of its newest snapshot.

use bytes::Bytes;

use super::Inspection;
use crate::activation::no_such_object;
use crate::error::Result;
use crate::id::ObjectId;
use crate::log::{Found, Log, Record, fetch, list_newest};
use crate::snapshot::{self, Document, SnapshotRef};

/// Maximum number of records after a snapshot that are looked at for changes. Owners come and go
/// with a record or two.
const QUIET_RECORDS_MAX: u64 = 8;

/// The Iceberg tables of an object's newest snapshot.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// engine.administration().snapshot_now(&object).await?;
/// let tables = engine.inspection().iceberg_tables(&object).await?;
/// assert!(tables.are_newest && tables.names().any(|name| name == "orders"));
/// let metadata = tables.metadata("orders")?.expect("it is one of them");
/// assert!(metadata.location.ends_with(".metadata.json") && metadata.json.starts_with(b"{"));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct IcebergTables {
    /// Whether they have every acknowledged change. If not, a snapshot of now has them
    /// ([`Administration::snapshot_now`](crate::Administration::snapshot_now)).
    pub are_newest: bool,
    /// `None`: there is no snapshot yet.
    document: Option<Document>,
}

/// The metadata of an Iceberg table. [`IcebergTables`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcebergMetadata {
    /// Its absolute URI.
    pub location: String,
    /// The JSON that is there.
    pub json: Bytes,
}

impl IcebergTables {
    /// The names of the tables, in the order of the schema.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.document.iter().flat_map(Document::table_names)
    }

    /// The metadata of the table `name`; `None` if there is no such table.
    ///
    /// # Errors
    ///
    /// `Internal` when it can't be written.
    pub fn metadata(&self, name: &str) -> Result<Option<IcebergMetadata>> {
        let Some(document) = &self.document else { return Ok(None) };
        let found = document.table_metadata(name)?;
        Ok(found.map(|(location, json)| IcebergMetadata { location, json }))
    }
}

impl Inspection {
    /// The tables of the object's newest snapshot: a listing and two small reads, and one more for
    /// each record after it, if there are few.
    ///
    /// # Errors
    ///
    /// `NotFound` (code `NO_SUCH_OBJECT`) when the object does not exist; those of the store;
    /// `Corrupt` for a snapshot that is damaged; `Gone` when the tenant is closed.
    pub async fn iceberg_tables(&self, object: &ObjectId) -> Result<IcebergTables> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(tables(&log)).await
    }
}

async fn tables(log: &Log) -> Result<IcebergTables> {
    let head = list_newest(log, u64::MAX).await?.head;
    let newest = records(log, head, head).await?;
    let newest = newest.first().map(|found| &found.record);
    let newest = newest.filter(|record| !record.deleted);
    let newest = newest.ok_or_else(|| no_such_object(&log.object))?;
    let document = newest_snapshot(log, newest.snapshot).await?;
    let covered = document.as_ref().map_or(0, |document| document.reference.sequence);
    let are_newest = document.is_some() && is_quiet(log, covered, head).await?;
    Ok(IcebergTables { are_newest, document })
}

/// The records with these numbers; none for number 0, which is no record.
async fn records(log: &Log, first: u64, last: u64) -> Result<Vec<Found>> {
    if last == 0 {
        return Ok(Vec::new());
    }
    fetch(log, first..=last, None, &mut log.room()).await
}

/// The newest snapshot: the one that the hint names, unless the newest record `known` a newer one.
async fn newest_snapshot(log: &Log, known: Option<SnapshotRef>) -> Result<Option<Document>> {
    let hint = log.snapshots().hint().await?;
    let is_old =
        |hint: &Document| known.is_some_and(|known| hint.reference.sequence < known.sequence);
    if let Some(hint) = hint.filter(|hint| !is_old(hint)) {
        return Ok(Some(hint));
    }
    match snapshot::list(log.snapshots()).await?.first() {
        Some(entry) => snapshot::read(log.snapshots(), entry.reference).await.map(Some),
        None => Ok(None),
    }
}

/// Whether no record after `covered` up to `head` changes anything.
async fn is_quiet(log: &Log, covered: u64, head: u64) -> Result<bool> {
    if head <= covered {
        return Ok(true);
    }
    if head - covered > QUIET_RECORDS_MAX {
        return Ok(false);
    }
    let changes = |record: &Record| !record.transactions.is_empty() || record.start.is_some();
    let since = records(log, covered + 1, head).await?;
    Ok(since.iter().all(|found| !changes(&found.record)))
}
