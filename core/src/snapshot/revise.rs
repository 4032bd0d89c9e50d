//! A table's part of a snapshot: its state in the base, the changes, and the new state.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::columns::Columns;
use super::content::{self, Content};
use super::deletes::{self, DeleteChange, Positions};
use super::described::{self, Gone};
use super::index::RowIndex;
use super::keys::KeySet;
use super::reference::{SnapshotRef, table_folder};
use super::sink::NewFile;
use super::table::{DataFile, DeleteFile, FileRef, PastVersion, TableBase};
use super::tracker::{Dirty, Tracked};
use crate::change::TableShape;
use crate::error::Result;
use crate::iceberg::{EncodedFile, FieldSet, Layout, Operation, Period};
use crate::millis;
use crate::sqlite::Database;

/// How many of the newest states of a table engines can read, whenever they were. Each state costs
/// about 700 bytes in every snapshot that changes the table.
const RECENT_VERSIONS: usize = 8;

/// For how long engines can read the last state of each hour, and of each day, at most; the
/// retention may be shorter.
const HOURLY: Duration = Duration::from_hours(24);
const DAILY: Duration = Duration::from_hours(31 * 24);

/// Context shared by all tables of a snapshot.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) directory: SnapshotRef,
    /// The absolute URI of the object's `snapshots`.
    pub(super) location: &'a str,
    /// Whether the base was written for another location, so that its files name each other by
    /// wrong URIs.
    pub(super) moved: bool,
    /// The time of the new versions.
    pub(super) changed_ms: i64,
    /// Versions before this time are not kept.
    pub(super) oldest_ms: i64,
}

impl Surroundings<'_> {
    /// The versions that stay when there is a new one: the newest, and of those before the last of
    /// each hour and day.
    fn retained(&self, earlier: &[PastVersion]) -> Vec<PastVersion> {
        let newest = earlier.len().saturating_sub(RECENT_VERSIONS - 1);
        let is_younger = |version: &PastVersion, age: Duration| {
            self.changed_ms.saturating_sub(version.timestamp_ms) < millis::signed(age)
        };
        let stays = |(at, version): &(usize, &PastVersion)| {
            let next_ms = earlier.get(at + 1).map(|next| next.timestamp_ms);
            let is_last = |period: Period| period.ends_with(version.timestamp_ms, next_ms);
            version.timestamp_ms >= self.oldest_ms
                && (*at >= newest
                    || (is_last(Period::Hour) && is_younger(version, HOURLY))
                    || (is_last(Period::Day) && is_younger(version, DAILY)))
        };
        let retained = earlier.iter().enumerate().filter(stays);
        retained.map(|(_, version)| version.clone()).collect()
    }
}

/// A table in the new snapshot.
pub(super) enum Revised {
    /// Exactly as in the base.
    Same(Arc<TableBase>),
    /// With new files, whose keys are relative to `snapshots/`, and with the table's metadata, which
    /// names them.
    Changed { table: Arc<TableBase>, files: Vec<(Arc<str>, Bytes)>, metadata: Bytes },
}

/// The state of a table in the new snapshot.
pub(super) fn revise(
    db: &Database,
    shape: &TableShape,
    tracked: Option<&Tracked>,
    around: &Surroundings<'_>,
) -> Result<Revised> {
    let base = tracked
        .filter(|tracked| !matches!(tracked.dirty, Dirty::Everything))
        .and_then(|tracked| tracked.base.as_ref());
    let Some((base, columns)) = base.and_then(|base| Some((base, Columns::evolve(base, shape)?)))
    else {
        let columns = Columns::fresh(shape);
        let content = content::everything(db, shape, Layout::new(shape, &columns.ids), 0)?;
        return Description::new(shape, None, columns, around).finish(content);
    };
    let none = KeySet::new(shape);
    let keys = match tracked.map(|tracked| &tracked.dirty) {
        Some(Dirty::Keys(keys)) => keys,
        _ => &none,
    };
    if keys.is_empty() && !columns.changed && base.shape.name == shape.name && !around.moved {
        return Ok(Revised::Same(Arc::clone(base)));
    }
    let layout = Layout::new(shape, &columns.ids);
    let from_keys = if (base.is_small() && !keys.is_empty())
        || content::fills_new_columns(db, shape, keys, columns.added_from)?
    {
        None
    } else {
        content::changed(db, base, shape, &layout, keys)?
    };
    let content = match from_keys {
        Some(content) => content,
        None => content::everything(db, shape, layout, base.data.len())?,
    };
    Description::new(shape, Some(base), columns, around).finish(content)
}

/// Names the new files, and writes the table's manifests and metadata.
struct Description<'a> {
    shape: &'a TableShape,
    base: Option<&'a TableBase>,
    columns: Columns,
    around: &'a Surroundings<'a>,
    folder: String,
    uuid: Uuid,
    snapshot_id: i64,
    sequence: i64,
    files: Vec<(Arc<str>, Bytes)>,
}

impl<'a> Description<'a> {
    fn new(
        shape: &'a TableShape,
        base: Option<&'a Arc<TableBase>>,
        columns: Columns,
        around: &'a Surroundings<'a>,
    ) -> Self {
        let uuid =
            base.map_or_else(|| table_uuid(around.directory.uuid, &shape.name), |base| base.uuid);
        Self {
            shape,
            base: base.map(|base| &**base),
            columns,
            around,
            folder: table_folder(&shape.name),
            uuid,
            snapshot_id: snapshot_id(around.directory.uuid, uuid),
            sequence: base.map_or(0, |base| base.version().sequence) + 1,
            files: Vec::new(),
        }
    }

    fn finish(mut self, content: Content) -> Result<Revised> {
        let old: &[DataFile] = self.base.map_or(&[], |base| &base.data);
        let mut data: Vec<DataFile> = old
            .iter()
            .zip(&content.keep)
            .filter(|(_, keep)| **keep)
            .map(|(data, _)| data.clone())
            .collect();
        let removed: Vec<FileRef> = old
            .iter()
            .zip(&content.keep)
            .filter(|(_, keep)| !**keep)
            .map(|(data, _)| data.file.clone())
            .collect();
        for (number, file) in content.added.into_iter().enumerate() {
            data.push(self.data_file(number, file));
        }
        let deletes = deletes::revise(self.base, &data, content.gone, self.around.moved);
        let is_append =
            removed.is_empty() && deletes.written.is_empty() && deletes.removed.is_empty();
        let deletes = self.delete_files(deletes)?;
        let mut table = TableBase {
            shape: self.shape.clone(),
            ids: self.columns.ids.clone(),
            uuid: self.uuid,
            metadata: self.key("metadata", described::METADATA),
            last_column_id: self.columns.last_column_id,
            schema_id: self.columns.schema_id,
            past_schemas: Vec::new(),
            versions: Vec::new(),
            data,
            deletes: deletes.kept,
        };
        if table.is_small() {
            table.data[0].index = Arc::new(RowIndex::None);
        }
        table.versions =
            self.versions(&table, if is_append { Operation::Append } else { Operation::Overwrite });
        table.past_schemas = self.past_schemas(&table);
        self.write_manifests(&table, &removed, &deletes.removed)?;
        let metadata = described::metadata(&table, self.around.location)?;
        Ok(Revised::Changed { table: Arc::new(table), files: self.files, metadata })
    }

    /// The key of a new file in a part of the table's folder.
    fn key(&self, part: &str, end: &str) -> Arc<str> {
        format!("{}/{part}/{}{end}", self.folder, self.around.directory.stem()).into()
    }

    /// Adds a new file of rows or deletes, and returns how the snapshot refers to it.
    fn file(&mut self, end: &str, bytes: Bytes, rows: u64) -> FileRef {
        let key = self.key("data", end);
        let file = FileRef {
            key: Arc::clone(&key),
            bytes: bytes.len() as u64,
            blake3: blake3::hash(&bytes),
            rows,
            added_by: self.snapshot_id,
            sequence: self.sequence,
        };
        self.files.push((key, bytes));
        file
    }

    fn data_file(&mut self, number: usize, file: NewFile) -> DataFile {
        let EncodedFile { bytes, rows, metrics } = file.encoded;
        DataFile {
            file: self.file(&format!("-{number}.parquet"), bytes, rows),
            index: Arc::new(file.index),
            metrics: metrics.map(Arc::new),
            point: file.point.map(Arc::new),
        }
    }

    fn delete_files(&mut self, change: DeleteChange) -> Result<deletes::DeleteFiles> {
        let mut kept = change.kept;
        for (number, (of, positions)) in change.written.into_iter().enumerate() {
            let written = deletes::encode(&of, &positions, self.around.location)?;
            let file =
                self.file(&format!("-{number}-deletes.parquet"), written.bytes, written.rows);
            let positions = Arc::new(Positions::from([(Arc::clone(&of), positions)]));
            kept.push(DeleteFile { file, of: Some(of), positions });
        }
        Ok(deletes::DeleteFiles { kept, removed: change.removed })
    }

    /// The retained versions, with the new one.
    fn versions(&self, table: &TableBase, operation: Operation) -> Vec<PastVersion> {
        let earlier: &[PastVersion] = match self.base {
            Some(base) if !self.around.moved => &base.versions,
            _ => &[],
        };
        let mut versions = self.around.retained(earlier);
        let after = earlier.last().map_or(i64::MIN, |version| version.timestamp_ms + 1);
        versions.push(PastVersion {
            snapshot_id: self.snapshot_id,
            sequence: self.sequence,
            timestamp_ms: self.around.changed_ms.max(after),
            manifest_list: self.key("metadata", described::LIST),
            schema_id: self.columns.schema_id,
            operation,
            log_sequence: self.around.directory.sequence,
            records: table.data.iter().map(|data| data.file.rows).sum(),
            deletes: table.deletes.iter().map(|deletes| deletes.file.rows).sum(),
        });
        versions
    }

    /// The schemas that retained versions still name, besides the current one.
    fn past_schemas(&self, table: &TableBase) -> Vec<FieldSet> {
        let Some(base) = self.base else { return Vec::new() };
        let mut schemas = base.past_schemas.clone();
        schemas.push(base.fields());
        schemas.retain(|set| {
            set.id != table.schema_id
                && table.versions.iter().any(|version| version.schema_id == set.id)
        });
        schemas
    }

    fn write_manifests(
        &mut self,
        table: &TableBase,
        removed_data: &[FileRef],
        removed_deletes: &[FileRef],
    ) -> Result<()> {
        let location = self.around.location;
        let gone = Gone {
            data: described::gone(removed_data, location),
            deletes: described::gone(removed_deletes, location),
        };
        self.files.extend(described::manifests(table, location, &gone)?);
        Ok(())
    }
}

/// An id for a new table: random, because the snapshot's is.
fn table_uuid(snapshot: Uuid, name: &str) -> Uuid {
    let hash = blake3::Hasher::new().update(snapshot.as_bytes()).update(name.as_bytes()).finalize();
    let bytes = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
    uuid::Builder::from_custom_bytes(*bytes).into_uuid()
}

/// Iceberg's id of a table's state: positive, and different for every snapshot and table.
fn snapshot_id(snapshot: Uuid, table: Uuid) -> i64 {
    let hash =
        blake3::Hasher::new().update(snapshot.as_bytes()).update(table.as_bytes()).finalize();
    let bytes = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
    (i64::from_be_bytes(*bytes) & i64::MAX).max(1)
}
