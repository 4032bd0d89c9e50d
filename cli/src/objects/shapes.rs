//! What the routes answer, as far as the commands use it (docs/design/0026-administration.md).

use serde::Deserialize;
use serde_json::Value;

/// A page of objects.
#[derive(Debug, Deserialize)]
pub(crate) struct Objects {
    pub(crate) items: Vec<Listed>,
    pub(crate) next: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) class: String,
    pub(crate) id: String,
    pub(crate) sequence: u64,
    pub(crate) written_at: Option<String>,
    pub(crate) bytes: Option<u64>,
}

/// Classes that have objects.
#[derive(Debug, Deserialize)]
pub(crate) struct Classes {
    pub(crate) items: Vec<Class>,
}

/// A class that has objects.
#[derive(Debug, Deserialize)]
pub(crate) struct Class {
    pub(crate) class: String,
    pub(crate) registered: bool,
}

/// An object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    pub(crate) log: Log,
    pub(crate) owner: Option<Owner>,
    pub(crate) snapshots: Snapshots,
    pub(crate) database: Database,
    pub(crate) messages: Option<Messages>,
    pub(crate) alarm: Option<Alarm>,
    pub(crate) schedules: Option<Schedules>,
}

/// The records of an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Log {
    pub(crate) first: Option<u64>,
    pub(crate) head: u64,
    pub(crate) bytes: Option<u64>,
    pub(crate) written_at: Option<String>,
}

/// Who has an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    pub(crate) instance: String,
    pub(crate) address: Option<String>,
    pub(crate) epoch: u64,
    pub(crate) lease_ms: u64,
    pub(crate) released: bool,
}

/// The snapshots of an object.
#[derive(Debug, Deserialize)]
pub(crate) struct Snapshots {
    pub(crate) count: u64,
    pub(crate) newest: Option<Snapshot>,
}

/// A list of snapshots.
#[derive(Debug, Deserialize)]
pub(crate) struct SnapshotList {
    pub(crate) items: Vec<Snapshot>,
}

/// A snapshot.
#[derive(Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) sequence: u64,
    pub(crate) time: Option<String>,
    pub(crate) tables: Option<u64>,
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

/// What a database has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    pub(crate) bytes: Option<u64>,
    pub(crate) user_version: Option<i64>,
    pub(crate) tables: Vec<TableOf>,
    #[serde(default)]
    pub(crate) indexes: Vec<Value>,
    #[serde(default)]
    pub(crate) views: Vec<Value>,
    #[serde(default)]
    pub(crate) triggers: Vec<Value>,
}

/// A table of a database.
#[derive(Debug, Deserialize)]
pub(crate) struct TableOf {
    pub(crate) name: String,
    pub(crate) rows: Option<u64>,
    pub(crate) columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) declared: Option<String>,
    #[serde(default)]
    pub(crate) primary_key: Value,
}

/// An alarm that an object has set.
#[derive(Debug, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) at: String,
    pub(crate) next: String,
    pub(crate) retries: u64,
    pub(crate) error: Option<String>,
}

/// The schedules of an object, and the one that runs next.
#[derive(Debug, Deserialize)]
pub(crate) struct Schedules {
    pub(crate) count: u64,
    pub(crate) failing: u64,
    pub(crate) next: String,
    pub(crate) at: String,
    pub(crate) cron: Option<String>,
}

/// Messages that wait in an object.
#[derive(Debug, Deserialize)]
pub(crate) struct Messages {
    pub(crate) waiting: u64,
    pub(crate) oldest: Option<String>,
}

/// The result of a statement.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rows {
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    #[serde(default)]
    pub(crate) rows: Vec<Vec<Value>>,
    #[serde(default)]
    pub(crate) truncated: bool,
    #[serde(default)]
    pub(crate) rows_written: u64,
}

/// An object has a new state.
#[derive(Debug, Deserialize)]
pub(crate) struct Replaced {
    pub(crate) sequence: u64,
    pub(crate) tables: Option<u64>,
    pub(crate) rows: Option<u64>,
}

impl Column {
    /// Whether it is a part of the primary key.
    pub(crate) fn is_key(&self) -> bool {
        match &self.primary_key {
            Value::Bool(is_key) => *is_key,
            Value::Number(position) => position.as_u64() != Some(0),
            _ => false,
        }
    }
}
