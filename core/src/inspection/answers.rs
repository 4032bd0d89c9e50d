//! What the operations answer. As JSON the fields have these names in camel case; those that are
//! `None` are left out.

use serde::Serialize;

use crate::change::Value;

/// A class that has objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassItem {
    /// Its name.
    pub class: String,
    /// Whether this program has the class.
    pub registered: bool,
}

/// A page of a list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectPage {
    /// The objects, in the order in which the store has their keys.
    pub items: Vec<ObjectItem>,
    /// Where the next page begins ([`ObjectQuery::after`](crate::ObjectQuery::after)); `None` after
    /// the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectItem {
    /// Its class.
    pub class: String,
    /// Its id.
    pub id: String,
    /// The number of its newest record.
    pub sequence: u64,
    /// When that was written, by the store's clock, as RFC 3339.
    pub written_at: String,
    /// The size of all that it has in the bucket, in bytes, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The number of its keys, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
}

/// An object, as its bucket has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its class.
    pub class: String,
    /// Its id.
    pub id: String,
    /// Its log.
    pub log: LogItem,
    /// Who owned it last.
    pub owner: OwnerItem,
    /// Its snapshots.
    pub snapshots: SnapshotsItem,
    /// Its database, at the time that was asked for.
    pub database: DatabaseItem,
    /// Its messages to other objects, at that time.
    pub messages: MessagesItem,
    /// Its alarm, at that time, if one was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmItem>,
    /// Its schedules, at that time, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules: Option<SchedulesItem>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogItem {
    /// The oldest record that is there.
    pub first: u64,
    /// The newest record.
    pub head: u64,
    /// The size of all of them in the bucket, in bytes.
    pub bytes: u64,
    /// When the newest was written, by the store's clock, as RFC 3339.
    pub written_at: String,
}

/// The owner that wrote the newest record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerItem {
    /// The instance.
    pub instance: String,
    /// Where other servers reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The number of owners so far.
    pub epoch: u64,
    /// How long it may answer from memory after that record, in milliseconds.
    pub lease_ms: u64,
    /// Whether it has released the object.
    pub released: bool,
}

/// The snapshots of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotsItem {
    /// The number of complete ones.
    pub count: usize,
    /// The newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<SnapshotItem>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotItem {
    /// Its name: that of its folder.
    pub name: String,
    /// The last record in it.
    pub sequence: u64,
    /// When it was made, by its writer's clock, as RFC 3339.
    pub time: String,
    /// The number of its tables.
    pub tables: u64,
    /// The number of rows in them.
    pub rows: u64,
    /// The size of the files that it reads, those of its bases included, in bytes.
    pub bytes: u64,
    /// The snapshot that it was built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseItem {
    /// The last record in it.
    pub sequence: u64,
    /// Its size, in bytes.
    pub bytes: u64,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// Its tables, in the order of the schema.
    pub tables: Vec<TableItem>,
    /// The names of its indexes.
    pub indexes: Vec<String>,
    /// The names of its views.
    pub views: Vec<String>,
    /// The names of its triggers.
    pub triggers: Vec<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableItem {
    /// Its name.
    pub name: String,
    /// The number of its rows; `None` for a virtual table that can't be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its columns.
    pub columns: Vec<ColumnItem>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnItem {
    /// Its name.
    pub name: String,
    /// Its type as it was declared; empty when there is none.
    pub r#type: String,
    /// Whether it is part of the primary key.
    pub primary_key: bool,
}

/// Messages that wait for their delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessagesItem {
    /// How many.
    pub waiting: u64,
    /// When the oldest was sent, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
}

/// An alarm that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmItem {
    /// The time that was set, as RFC 3339.
    pub at: String,
    /// When it runs next: that time, or later after a failure.
    pub next: String,
    /// How often it has failed.
    pub retries: u64,
    /// The last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Schedules, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchedulesItem {
    /// How many.
    pub count: u64,
    /// How many of them have failed the last time, and are retried.
    pub failing: u64,
    /// The name of the one that runs next.
    pub next: String,
    /// When that is, as RFC 3339.
    pub at: String,
    /// The cron expression by which it is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
}

/// What a statement has returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows than were asked for, or than fit.
    pub truncated: bool,
    /// How many rows were read, as far as SQLite reports it.
    pub rows_read: u64,
    /// How many rows were written.
    pub rows_written: u64,
    /// The last record that the rows are of.
    pub sequence: u64,
}
