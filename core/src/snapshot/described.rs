//! The files by which Iceberg's readers find a table: its metadata, the manifest list and the
//! manifests. They follow from what `snapshot.json` says of the table.

use std::sync::Arc;

use bytes::Bytes;

use super::reference::folder_of;
use super::table::{DataFile, FileRef, PastVersion, TableBase};
use crate::error::Result;
use crate::iceberg::{
    FileEntry, FileStatus, ManifestEntries, TableDocument, Version, write_manifests, write_metadata,
};

/// What the name of a manifest list ends with.
pub(super) const LIST: &str = "-list.avro";

/// What the name of a table's metadata ends with.
pub(super) const METADATA: &str = ".metadata.json";

/// The files that a version of a table does not have any more, as its manifests list them.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone {
    pub(super) data: Vec<FileEntry>,
    pub(super) deletes: Vec<FileEntry>,
}

/// The keys of the manifests of the table's newest version, relative to `snapshots/`.
pub(super) struct ManifestKeys {
    pub(super) data: Arc<str>,
    pub(super) deletes: Arc<str>,
    pub(super) list: Arc<str>,
}

impl ManifestKeys {
    pub(super) fn of(table: &TableBase) -> Self {
        let list = Arc::clone(&table.version().manifest_list);
        let begin = list.strip_suffix(LIST).unwrap_or(&list).to_owned();
        Self {
            data: format!("{begin}-data.avro").into(),
            deletes: format!("{begin}-deletes.avro").into(),
            list,
        }
    }
}

/// The table's metadata, for readers that find the object's `snapshots` at `location`.
///
/// # Errors
///
/// `Internal` when it can't be written.
pub(super) fn metadata(table: &TableBase, location: &str) -> Result<Bytes> {
    let mut schemas = table.past_schemas.clone();
    schemas.push(table.fields());
    let mut parent = None;
    let mut versions = Vec::with_capacity(table.versions.len());
    for version in &table.versions {
        versions.push(iceberg_version(version, parent, location));
        parent = Some(version.snapshot_id);
    }
    let folder = folder_of(&table.metadata).map(|folder| uri(folder, location));
    write_metadata(&TableDocument {
        name: &table.shape.name,
        uuid: table.uuid,
        location: folder.as_deref().unwrap_or(location),
        schemas: &schemas,
        last_column_id: table.last_column_id,
        versions: &versions,
    })
}

/// The manifests and the manifest list of the table's newest version, by their keys.
///
/// # Errors
///
/// `Internal` when they can't be written.
pub(super) fn manifests(
    table: &TableBase,
    location: &str,
    gone: &Gone,
) -> Result<Vec<(Arc<str>, Bytes)>> {
    let keys = ManifestKeys::of(table);
    let version = iceberg_version(table.version(), None, location);
    let live = |file: &FileRef| entry(file, version.snapshot_id, location);
    let with_metrics =
        |data: &DataFile| FileEntry { metrics: data.metrics.clone(), ..live(&data.file) };
    let mut data: Vec<FileEntry> = table.data.iter().map(with_metrics).collect();
    data.extend(gone.data.iter().cloned());
    let of_rows = |key: &Arc<str>| uri(key, location);
    let mut deletes: Vec<FileEntry> = table
        .deletes
        .iter()
        .map(|deletes| FileEntry { of: deletes.of.as_ref().map(of_rows), ..live(&deletes.file) })
        .collect();
    deletes.extend(gone.deletes.iter().cloned());
    let written = write_manifests(
        &version,
        &table.fields(),
        ManifestEntries { files: &data, uri: &uri(&keys.data, location) },
        ManifestEntries { files: &deletes, uri: &uri(&keys.deletes, location) },
    )?;
    let mut files = Vec::new();
    files.extend(written.data.map(|bytes| (keys.data, bytes)));
    files.extend(written.deletes.map(|bytes| (keys.deletes, bytes)));
    files.push((keys.list, written.list));
    Ok(files)
}

/// Files of an earlier version, as a manifest lists them when they are gone.
pub(super) fn gone(files: &[FileRef], location: &str) -> Vec<FileEntry> {
    let gone = |file: &FileRef| FileEntry {
        status: FileStatus::Removed { sequence: file.sequence },
        uri: uri(&file.key, location),
        rows: file.rows,
        bytes: file.bytes,
        of: None,
        metrics: None,
    };
    files.iter().map(gone).collect()
}

fn entry(file: &FileRef, snapshot_id: i64, location: &str) -> FileEntry {
    let status = if file.added_by == snapshot_id {
        FileStatus::Added
    } else {
        FileStatus::Existing { snapshot_id: file.added_by, sequence: file.sequence }
    };
    FileEntry {
        status,
        uri: uri(&file.key, location),
        rows: file.rows,
        bytes: file.bytes,
        of: None,
        metrics: None,
    }
}

fn iceberg_version(version: &PastVersion, parent: Option<i64>, location: &str) -> Version {
    Version {
        snapshot_id: version.snapshot_id,
        parent,
        sequence: version.sequence,
        timestamp_ms: version.timestamp_ms,
        manifest_list: uri(&version.manifest_list, location),
        schema_id: version.schema_id,
        operation: version.operation,
        log_sequence: version.log_sequence,
        records: version.records,
        deletes: version.deletes,
    }
}

fn uri(key: &str, location: &str) -> String {
    format!("{location}/{key}")
}
