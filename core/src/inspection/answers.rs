//! What the operations answer. As JSON the fields have these names in camel case; those that are
//! `None` are left out.

use serde::Serialize;

use crate::change::Value;

/// A class of which a tenant has objects.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let classes = engine.inspection().classes(object.tenant()).await?;
/// assert_eq!(classes[0].class, "Shop");
/// assert!(classes[0].registered, "this program can answer requests to them");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassItem {
    /// Its name.
    pub class: String,
    /// Whether this program has the class.
    pub registered: bool,
}

/// A page of a list of objects, as [`Inspection::objects`](crate::Inspection::objects) returns it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::ObjectQuery;
///
/// let mut query = ObjectQuery { limit: 100, ..ObjectQuery::default() };
/// let mut ids = Vec::new();
/// loop {
///     let page = engine.inspection().objects(object.tenant(), &query).await?;
///     ids.extend(page.items.into_iter().map(|item| item.id));
///     if page.next.is_none() {
///         break;
///     }
///     query.after = page.next;
/// }
/// assert_eq!(ids, ["north"]);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectPage {
    /// The objects, in the order in which the store has their keys.
    pub items: Vec<ObjectItem>,
    /// Where the next page begins ([`ObjectQuery::after`](crate::ObjectQuery::after)); `None` after
    /// the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An object in a list. [`ObjectPage`] has an example.
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

/// What [`Inspection::describe`](crate::Inspection::describe) finds out about an object from the
/// bucket.
///
/// As JSON, it and its parts have the names of their fields in camel case, without those that are
/// `None`.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let found = engine.inspection().describe(&object, None).await?;
/// assert_eq!((found.class.as_str(), found.id.as_str()), ("Shop", "north"));
/// assert_eq!(found.database.sequence, found.log.head);
/// assert!(found.alarm.is_some() && found.schedules.is_some());
/// # Ok(())
/// # });
/// ```
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

/// The log of an object.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let log = engine.inspection().describe(&object, None).await?.log;
/// println!("records {} to {}, the last of {}", log.first, log.head, log.written_at);
/// assert!(log.first <= log.head && log.bytes > 0);
/// # Ok(())
/// # });
/// ```
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

/// The owner that wrote an object's newest record.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let owner = engine.inspection().describe(&object, None).await?.owner;
/// assert_eq!(owner.epoch, 1, "nobody else has owned the object");
/// assert!(!owner.released && owner.lease_ms > 0);
/// # Ok(())
/// # });
/// ```
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
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// engine.administration().snapshot_now(&object).await?;
/// let snapshots = engine.inspection().describe(&object, None).await?.snapshots;
/// let newest = snapshots.newest.expect("there is one now");
/// assert!(snapshots.count >= 1 && newest.rows >= 2);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotsItem {
    /// The number of complete ones.
    pub count: usize,
    /// The newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<SnapshotItem>,
}

/// A snapshot.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let made = engine.administration().snapshot_now(&object).await?;
/// let newest = engine.inspection().snapshots(&object).await?.remove(0);
/// assert_eq!((newest.name, newest.sequence), (made.name, made.sequence));
/// assert!(newest.tables > 0 && newest.bytes > 0);
/// # Ok(())
/// # });
/// ```
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

/// The database of an object.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let at = dotdo::At::Sequence(1);
/// let database = engine.inspection().describe(&object, Some(at)).await?.database;
/// assert_eq!(database.sequence, 1);
/// assert!(database.bytes > 0 && database.tables.iter().any(|table| table.name == "orders"));
/// # Ok(())
/// # });
/// ```
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

/// A table of an object's database.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let tables = engine.inspection().describe(&object, None).await?.database.tables;
/// let orders = tables.iter().find(|table| table.name == "orders").expect("it is made");
/// assert_eq!(orders.rows, Some(2));
/// let [id, item] = &orders.columns[..] else { panic!("it has two columns") };
/// assert!(id.primary_key && id.name == "id" && item.r#type == "TEXT");
/// # Ok(())
/// # });
/// ```
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

/// A column of a table. [`TableItem`] has an example.
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

/// The messages of an object that wait for their delivery.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// # let request = dotdo::http::Request::post("/tell").body(dotdo::Body::empty())?;
/// # engine.fetch(&object, None, request).await?;
/// # engine.finish_background().await;
/// let messages = engine.inspection().describe(&object, None).await?.messages;
/// assert_eq!(messages.waiting, 1, "its receiver has answered with an error");
/// assert!(messages.oldest.is_some());
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessagesItem {
    /// How many.
    pub waiting: u64,
    /// When the oldest was sent, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
}

/// An alarm that is set.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let found = engine.inspection().describe(&object, None).await?;
/// let alarm = found.alarm.expect("each order sets one");
/// assert_eq!((alarm.retries, alarm.error), (0, None));
/// assert_eq!(alarm.at, alarm.next);
/// # Ok(())
/// # });
/// ```
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

/// The schedules of an object that has at least one.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let schedules = engine.inspection().describe(&object, None).await?.schedules;
/// let schedules = schedules.expect("an order has made one");
/// assert_eq!((schedules.count, schedules.failing), (1, 0));
/// assert_eq!(schedules.next, "report");
/// assert_eq!(schedules.cron.as_deref(), Some("@daily"));
/// # Ok(())
/// # });
/// ```
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

/// The rows of a statement that [`Inspection::query`](crate::Inspection::query) has run.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Statement;
/// use dotdo::sql::Value;
///
/// let sql = "SELECT item FROM orders ORDER BY id".to_owned();
/// let statement = Statement { sql, limit: 100, ..Statement::default() };
/// let answer = engine.inspection().query(&object, None, statement).await?;
/// assert_eq!(answer.columns, ["item"]);
/// assert_eq!(answer.rows[1], [Value::Text("jam".into())]);
/// assert!(!answer.truncated);
/// # Ok(())
/// # });
/// ```
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
