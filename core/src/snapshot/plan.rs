//! A snapshot that is ready for upload: files in memory, and the tracker's state for when they are
//! in the bucket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::kept::Kept;
use super::reference::{SnapshotRef, snapshots_key};
use super::revise::{Revised, Surroundings, revise};
use super::stored::Document;
use super::table::TableBase;
use super::tracker::{Dirty, Handle, Tracker};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::limits::KEY_BYTES_MAX;
use crate::millis;
use crate::sqlite::Database;
use crate::store::Key;

/// The input of a plan.
#[derive(Debug, Clone)]
pub(crate) struct PlanContext<'a> {
    /// The object.
    pub(crate) object: &'a ObjectId,
    /// The key below which everything of the object lies.
    pub(crate) prefix: &'a Key,
    /// The bucket's [`location`](crate::store::Bucket::location).
    pub(crate) location: &'a str,
    /// The sequence number of the last record in the database.
    pub(crate) sequence: u64,
    /// The time by the machine's clock.
    pub(crate) now_ms: i64,
    /// The time of the newest change in the database: engines that look for the newest state before
    /// their own beginning find everything that was acknowledged by then.
    pub(crate) changed_ms: i64,
    /// A fresh random id.
    pub(crate) uuid: Uuid,
    /// Maximum age of the states of a table's own history.
    pub(crate) retention: Duration,
}

/// A snapshot that is not in the bucket yet.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) document: Document,
    pub(super) prefix: Key,
    pub(super) files: Vec<(Key, Bytes)>,
    /// The metadata of changed tables. An engine that finds one reads the files that it names.
    pub(super) metadata: Vec<(Key, Bytes)>,
    pub(super) tables: Vec<PlannedTable>,
    /// How long its shared files certainly exist; `None` without a base.
    pub(super) kept: Option<Kept>,
}

#[derive(Debug)]
pub(super) struct PlannedTable {
    /// `None` until the tracker knows the table.
    pub(super) handle: Option<Handle>,
    pub(super) base: Arc<TableBase>,
    pub(super) taken: Dirty,
}

/// What a tracker needs to know about a published snapshot.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(super) reference: SnapshotRef,
    pub(super) location: Arc<str>,
    pub(super) kept: Option<Kept>,
    pub(super) tables: Vec<(Handle, Arc<TableBase>)>,
}

impl Plan {
    pub(super) fn new(tracker: &Tracker, db: &Database, context: &PlanContext<'_>) -> Result<Self> {
        let reference = SnapshotRef { sequence: context.sequence, uuid: context.uuid };
        let snapshots = snapshots_key(context.prefix);
        let location = format!("{}/{snapshots}", context.location);
        let surroundings = Surroundings {
            directory: reference,
            location: &location,
            moved: tracker.location.as_deref().is_some_and(|known| known != location),
            changed_ms: context.changed_ms,
            oldest_ms: context.now_ms.saturating_sub(millis::signed(context.retention)),
        };
        let (mut files, mut metadata) = (Vec::new(), Vec::new());
        let mut tables = Vec::new();
        for shape in db.shapes() {
            let tracked = tracker.tables.get(&shape.name);
            let base = match revise(db, shape, tracked, &surroundings)? {
                Revised::Same(table) => table,
                Revised::Changed { table, files: more, metadata: bytes } => {
                    files.extend(more.into_iter().map(|(key, bytes)| (snapshots.join(key), bytes)));
                    metadata.push((snapshots.join(&table.metadata), bytes));
                    table
                }
            };
            tables.push(PlannedTable {
                handle: tracked.map(|tracked| tracked.handle),
                base,
                taken: Dirty::Nothing,
            });
        }
        let document = Document {
            reference,
            record_hash: [0; 32],
            time_ms: context.now_ms,
            base: tracker.base(),
            object: context.object.clone(),
            header: db.header().clone(),
            tables: tables.iter().map(|table| Arc::clone(&table.base)).collect(),
            location,
            _paid: None,
        };
        let (prefix, kept) = (context.prefix.clone(), tracker.kept);
        let plan = Self { document, prefix, files, metadata, tables, kept };
        plan.check_keys()?;
        Ok(plan)
    }

    /// The tables that the tracker does not know yet, with their names.
    pub(super) fn new_tables(&mut self) -> impl Iterator<Item = (String, &mut PlannedTable)> {
        self.tables
            .iter_mut()
            .filter(|table| table.handle.is_none())
            .map(|table| (table.base.shape.name.clone(), table))
    }

    /// The reference of the planned snapshot.
    pub(crate) fn reference(&self) -> SnapshotRef {
        self.document.reference
    }

    /// The files, besides the tables' metadata, `snapshot.json` and `latest`.
    pub(crate) fn files(&self) -> &[(Key, Bytes)] {
        &self.files
    }

    /// The bytes that a record needs to start from this snapshot.
    ///
    /// # Errors
    ///
    /// `TooLarge` when there are too many files for one description.
    pub(crate) fn description(&self) -> Result<Bytes> {
        self.document.encode_for_record()
    }

    /// The description once the record that starts from this snapshot exists.
    pub(crate) fn named_by(&self, record_hash: [u8; 32], time_ms: i64) -> Document {
        self.document.clone().completed_by(record_hash, time_ms)
    }

    /// How many tables with such names there are, and how many rows they have.
    pub(crate) fn counts(&self, is_counted: impl Fn(&str) -> bool) -> (u64, u64) {
        let tables = self.document.tables.iter().filter(|table| is_counted(&table.shape.name));
        tables.fold((0, 0), |(tables, rows), table| (tables + 1, rows + table.live_rows()))
    }

    /// The size of these files and of the metadata, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().chain(&self.metadata).map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// What [`Tracker::complete`] needs once the snapshot is published.
    pub(crate) fn completed(self) -> Completed {
        let tables =
            self.tables.into_iter().filter_map(|table| Some((table.handle?, table.base))).collect();
        Completed {
            reference: self.document.reference,
            location: self.document.location.into(),
            kept: self.kept,
            tables,
        }
    }

    fn check_keys(&self) -> Result<()> {
        let mut all = self.files.iter().chain(&self.metadata);
        match all.find(|(key, _)| key.as_str().len() > KEY_BYTES_MAX) {
            None => Ok(()),
            Some((key, _)) => Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the snapshot of {} needs a key of {} bytes, but buckets accept {KEY_BYTES_MAX}",
                    self.document.object,
                    key.as_str().len()
                ),
            )),
        }
    }
}
