//! A table in a snapshot, on which the next snapshot is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use uuid::Uuid;

use super::index::RowIndex;
use super::point::PointIndex;
use crate::change::TableShape;
use crate::iceberg::{FieldSet, Layout, Metrics, Operation};

/// Limits of a small table.
const SMALL_BYTES: u64 = 32 << 10;
const SMALL_ROWS: u64 = 2000;

/// A file below `snapshots/`, as a snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileRef {
    /// Its key, relative to `snapshots/`.
    pub(super) key: Arc<str>,
    /// Its length, in bytes.
    pub(super) bytes: u64,
    /// The checksum of its content.
    pub(super) blake3: blake3::Hash,
    /// Number of rows.
    pub(super) rows: u64,
    /// The Iceberg snapshot that added it.
    pub(super) added_by: i64,
    /// Iceberg's sequence number of that snapshot.
    pub(super) sequence: i64,
}

/// A file of rows.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    pub(super) file: FileRef,
    pub(super) index: Arc<RowIndex>,
    /// What is known of its columns; `None` for files of before manifests had it.
    pub(super) metrics: Option<Arc<Metrics>>,
    /// Where its rows are found by their keys, if it is large.
    pub(super) point: Option<Arc<PointIndex>>,
}

/// A file of position deletes.
#[derive(Debug, Clone)]
pub(super) struct DeleteFile {
    pub(super) file: FileRef,
    /// The key of the only data file whose rows it deletes; `None` if there may be several, as in
    /// files of the time when tables had no folders.
    pub(super) of: Option<Arc<str>>,
    /// The rows that it deletes, by the key of their data file.
    pub(super) positions: Arc<BTreeMap<Arc<str>, RoaringBitmap>>,
}

/// A state of the table that engines can still go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PastVersion {
    pub(super) snapshot_id: i64,
    pub(super) sequence: i64,
    pub(super) timestamp_ms: i64,
    /// The key of the manifest list, relative to `snapshots/`.
    pub(super) manifest_list: Arc<str>,
    pub(super) schema_id: i32,
    pub(super) operation: Operation,
    /// The last record of the log that is in it.
    pub(super) log_sequence: u64,
    pub(super) records: u64,
    pub(super) deletes: u64,
}

/// A table in a snapshot.
#[derive(Debug, Clone)]
pub(super) struct TableBase {
    pub(super) shape: TableShape,
    /// The field ids of the shape's columns.
    pub(super) ids: Vec<i32>,
    /// The Iceberg table's own id.
    pub(super) uuid: Uuid,
    /// The key of its `metadata.json`, relative to `snapshots/`.
    pub(super) metadata: Arc<str>,
    /// The highest field id that was ever used.
    pub(super) last_column_id: i32,
    /// The id of the current schema, which follows from shape and ids.
    pub(super) schema_id: i32,
    /// Schemas that `versions` still need, besides the current one.
    pub(super) past_schemas: Vec<FieldSet>,
    /// The retained versions, oldest first; the last is the current one.
    pub(super) versions: Vec<PastVersion>,
    /// Its data files, oldest first.
    pub(super) data: Vec<DataFile>,
    /// Its delete files, oldest first.
    pub(super) deletes: Vec<DeleteFile>,
}

impl TableBase {
    /// How the table's rows lie in files.
    pub(super) fn layout(&self) -> Layout {
        Layout::new(&self.shape, &self.ids)
    }

    /// The current schema.
    pub(super) fn fields(&self) -> FieldSet {
        FieldSet { id: self.schema_id, fields: self.layout().fields() }
    }

    /// The current version.
    pub(super) fn version(&self) -> &PastVersion {
        self.versions.last().expect("a table in a snapshot has a version")
    }

    /// The positions of rows of the data file `key` that are gone.
    pub(super) fn dead_rows(&self, key: &str) -> RoaringBitmap {
        let mut dead = RoaringBitmap::new();
        for bitmap in self.deletes.iter().filter_map(|file| file.positions.get(key)) {
            dead |= bitmap;
        }
        dead
    }

    /// Number of rows that are not deleted.
    pub(super) fn live_rows(&self) -> u64 {
        let version = self.version();
        version.records.saturating_sub(version.deletes)
    }

    /// The table's files of rows and of deletes.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileRef> {
        self.data
            .iter()
            .map(|data| &data.file)
            .chain(self.deletes.iter().map(|deletes| &deletes.file))
    }

    /// The number of its rows.
    pub(super) fn rows(&self) -> u64 {
        let written: u64 = self.data.iter().map(|data| data.file.rows).sum();
        written.saturating_sub(self.deletes.iter().map(|deletes| deletes.file.rows).sum())
    }

    /// Whether the table is one small file, which is rewritten whenever the table changes. That is
    /// cheaper than a second file and a delete file, better for readers, and needs no index.
    pub(super) fn is_small(&self) -> bool {
        matches!(&self.data[..], [only] if only.file.bytes <= SMALL_BYTES && only.file.rows <= SMALL_ROWS)
            && self.deletes.is_empty()
    }
}
