//! A table's `metadata.json` (<https://iceberg.apache.org/spec/#table-metadata>).
//!
//! The document is generated from our own state and validated by the iceberg crate: the crate's
//! builder gives columns new field ids and sorts by hash, and files of a table must keep their ids.

use bytes::Bytes;
use iceberg::spec::TableMetadata;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::encode_error;
use super::layout::FieldSet;
use super::manifest::iceberg_schema;
use crate::error::Result;

/// The operation of a snapshot on its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It only added files.
    Append,
    /// It changed or deleted rows.
    Overwrite,
}

impl Operation {
    /// The name in Iceberg's JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
        }
    }
}

/// An Iceberg snapshot of one table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    /// Identifies it within the table.
    pub(crate) snapshot_id: i64,
    /// The previous snapshot.
    pub(crate) parent: Option<i64>,
    /// Iceberg's sequence number: one more than the one before.
    pub(crate) sequence: i64,
    /// When it was made.
    pub(crate) timestamp_ms: i64,
    /// The absolute URI of its manifest list.
    pub(crate) manifest_list: String,
    /// The schema that was current.
    pub(crate) schema_id: i32,
    /// What it did.
    pub(crate) operation: Operation,
    /// The last record of the log that is in it.
    pub(crate) log_sequence: u64,
    /// Rows in its data files, deleted ones included.
    pub(crate) records: u64,
    /// Rows in its delete files.
    pub(crate) deletes: u64,
}

/// The contents of a table's metadata.
#[derive(Debug)]
pub(crate) struct TableDocument<'a> {
    /// The table's name in SQLite.
    pub(crate) name: &'a str,
    /// The permanent id of the table.
    pub(crate) uuid: Uuid,
    /// The absolute URI below which its files lie.
    pub(crate) location: &'a str,
    /// All schemas that `versions` name, and the current one last.
    pub(crate) schemas: &'a [FieldSet],
    /// The highest field id ever used.
    pub(crate) last_column_id: i32,
    /// The retained snapshots, oldest first; the last is the current one.
    pub(crate) versions: &'a [Version],
}

/// The bytes of the table's `metadata.json`.
///
/// # Errors
///
/// `Internal` when the iceberg crate does not accept what was written.
///
/// # Panics
///
/// When there is no schema or no version.
pub(crate) fn write_metadata(table: &TableDocument<'_>) -> Result<Bytes> {
    let schemas = table.schemas.iter().map(schema_json).collect::<Result<Vec<_>>>()?;
    let schema = table.schemas.last().expect("a table has a schema");
    let current = table.versions.last().expect("a table that is written has a version");
    let oldest = table.versions.first().map(|version| version.snapshot_id);
    let log = |version: &Version| json!({"snapshot-id": version.snapshot_id, "timestamp-ms": version.timestamp_ms});
    let document = json!({
        "format-version": 2,
        "table-uuid": table.uuid,
        "location": table.location,
        "last-sequence-number": current.sequence,
        "last-updated-ms": current.timestamp_ms,
        "last-column-id": table.last_column_id,
        "schemas": schemas,
        "current-schema-id": schema.id,
        "partition-specs": [{"spec-id": 0, "fields": []}],
        "default-spec-id": 0,
        "last-partition-id": 999,
        "properties": {"dotdo.table": table.name, "write.format.default": "parquet"},
        "current-snapshot-id": current.snapshot_id,
        "snapshots": table.versions.iter().map(|version| version_json(version, oldest)).collect::<Vec<_>>(),
        "snapshot-log": table.versions.iter().map(log).collect::<Vec<_>>(),
        "metadata-log": [],
        "sort-orders": [{"order-id": 0, "fields": []}],
        "default-sort-order-id": 0,
        "refs": {"main": {"snapshot-id": current.snapshot_id, "type": "branch"}},
    });
    let bytes =
        serde_json::to_vec(&document).map_err(|error| encode_error("table metadata", error))?;
    let _: TableMetadata = serde_json::from_slice(&bytes)
        .map_err(|error| encode_error("valid table metadata", error))?;
    Ok(bytes.into())
}

fn schema_json(set: &FieldSet) -> Result<Json> {
    serde_json::to_value(iceberg_schema(set)?).map_err(|error| encode_error("a schema", error))
}

/// The JSON of a snapshot. A parent that is no longer kept is left out.
fn version_json(version: &Version, oldest: Option<i64>) -> Json {
    let mut json = json!({
        "snapshot-id": version.snapshot_id,
        "sequence-number": version.sequence,
        "timestamp-ms": version.timestamp_ms,
        "manifest-list": version.manifest_list,
        "schema-id": version.schema_id,
        "summary": {
            "operation": version.operation.name(),
            "total-records": version.records.to_string(),
            "total-position-deletes": version.deletes.to_string(),
            "dotdo.sequence": version.log_sequence.to_string(),
        },
    });
    if let Some(parent) = version.parent.filter(|_| oldest != Some(version.snapshot_id)) {
        json["parent-snapshot-id"] = parent.into();
    }
    json
}
