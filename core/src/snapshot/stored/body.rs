//! The fields of `snapshot.json`'s body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

type Text<'a> = Cow<'a, str>;

#[derive(Serialize, Deserialize)]
pub(super) struct Body<'a> {
    pub(super) class: Text<'a>,
    pub(super) id: Text<'a>,
    pub(super) sequence: u64,
    pub(super) uuid: Uuid,
    pub(super) record: Text<'a>,
    pub(super) time_ms: i64,
    pub(super) base: Option<Base>,
    pub(super) location: Text<'a>,
    pub(super) schema: Vec<SchemaEntry<'a>>,
    pub(super) sequences: BTreeMap<Text<'a>, i64>,
    pub(super) user_version: i32,
    pub(super) application_id: i32,
    pub(super) tables: Vec<Table<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) sequence: u64,
    pub(super) uuid: Uuid,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SchemaEntry<'a> {
    pub(super) kind: SchemaEntryKind,
    pub(super) name: Text<'a>,
    pub(super) table: Text<'a>,
    pub(super) sql: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum SchemaEntryKind {
    Table,
    Index,
    View,
    Trigger,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Table<'a> {
    pub(super) name: Text<'a>,
    pub(super) uuid: Uuid,
    pub(super) metadata: Text<'a>,
    pub(super) key: TableKey,
    pub(super) columns: Vec<ColumnEntry<'a>>,
    pub(super) last_column_id: i32,
    pub(super) schema_id: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) past_schemas: Vec<PastSchema<'a>>,
    pub(super) versions: Vec<VersionEntry<'a>>,
    pub(super) data: Vec<FileEntry<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) deletes: Vec<FileEntry<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TableKey {
    Rowid(Option<usize>),
    Primary(Vec<usize>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct ColumnEntry<'a> {
    pub(super) id: i32,
    pub(super) name: Text<'a>,
    pub(super) declared: Text<'a>,
    pub(super) affinity: AffinityName,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum AffinityName {
    Integer,
    Real,
    Text,
    Blob,
    Numeric,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PastSchema<'a> {
    pub(super) id: i32,
    pub(super) fields: Vec<PastField<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PastField<'a> {
    pub(super) id: i32,
    pub(super) name: Text<'a>,
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct VersionEntry<'a> {
    pub(super) snapshot_id: i64,
    pub(super) sequence: i64,
    pub(super) time_ms: i64,
    pub(super) manifest_list: Text<'a>,
    pub(super) schema_id: i32,
    pub(super) operation: OperationName,
    pub(super) log_sequence: u64,
    pub(super) records: u64,
    pub(super) deletes: u64,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum OperationName {
    Append,
    Overwrite,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FileEntry<'a> {
    pub(super) key: Text<'a>,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) blake3: Text<'a>,
    pub(super) added_by: i64,
    pub(super) sequence: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<MetricsEntry<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) point: Option<PointEntry<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PointEntry<'a> {
    pub(super) at: u64,
    pub(super) blake3: Text<'a>,
    pub(super) fields: Vec<i32>,
    pub(super) parts: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct MetricsEntry<'a> {
    pub(super) columns: Vec<ColumnMetricsEntry<'a>>,
    pub(super) splits: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ColumnMetricsEntry<'a> {
    pub(super) id: i32,
    pub(super) bytes: u64,
    pub(super) nulls: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lower: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upper: Option<Text<'a>>,
}
