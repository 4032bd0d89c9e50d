//! A table's `metadata.json` (<https://iceberg.apache.org/spec/#table-metadata>).
//!
//! The document is generated from our own state and validated by the iceberg crate: the crate's
//! builder gives columns new field ids and sorts by hash, and files of a table must keep their ids.

use bytes::Bytes;
use iceberg::spec::TableMetadata;
use jiff::Timestamp;
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
        "refs": refs(table.versions),
    });
    let bytes =
        serde_json::to_vec(&document).map_err(|error| encode_error("table metadata", error))?;
    let _: TableMetadata = serde_json::from_slice(&bytes)
        .map_err(|error| encode_error("valid table metadata", error))?;
    Ok(bytes.into())
}

/// A stretch of time whose last state has a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    /// An hour, in UTC.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Period {
    const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The number of the period in which a time lies.
    fn of(self, time_ms: i64) -> i64 {
        let length_ms = match self {
            Self::Hour => 3_600_000,
            Self::Day => 24 * 3_600_000,
        };
        time_ms.div_euclid(length_ms)
    }

    /// Whether a state of the time `time_ms` is the last one of its period, when the next is of
    /// `next_ms`.
    pub(crate) fn ends_with(self, time_ms: i64, next_ms: Option<i64>) -> bool {
        next_ms.is_none_or(|next_ms| self.of(next_ms) != self.of(time_ms))
    }

    /// The name of its tag, such as `hour-2026-11-30T07` or `day-2026-11-30`; `None` for times that no
    /// calendar has.
    fn tag(self, time_ms: i64) -> Option<String> {
        let format = match self {
            Self::Hour => "hour-%Y-%m-%dT%H",
            Self::Day => "day-%Y-%m-%d",
        };
        let time = Timestamp::from_millisecond(time_ms).ok()?;
        Some(time.strftime(format).to_string())
    }
}

/// The branch `main`, and a tag for each hour and each day in which the table has changed, for its
/// last state in it: that of a period that is not over moves
/// (<https://iceberg.apache.org/spec/#snapshot-references>).
fn refs(versions: &[Version]) -> Json {
    let mut refs = serde_json::Map::new();
    for (at, version) in versions.iter().enumerate() {
        let next_ms = versions.get(at + 1).map(|next| next.timestamp_ms);
        let last = Period::ALL
            .into_iter()
            .filter(|period| period.ends_with(version.timestamp_ms, next_ms));
        for tag in last.filter_map(|period| period.tag(version.timestamp_ms)) {
            refs.insert(tag, json!({"snapshot-id": version.snapshot_id, "type": "tag"}));
        }
    }
    if let Some(current) = versions.last() {
        let main = json!({"snapshot-id": current.snapshot_id, "type": "branch"});
        refs.insert("main".to_owned(), main);
    }
    refs.into()
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
