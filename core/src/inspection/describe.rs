//! What an object is: its log, its owner, its snapshots, and what is in its database.

use super::Inspection;
use super::answers::{
    AlarmItem, ColumnItem, DatabaseItem, Description, LogItem, MessagesItem, OwnerItem,
    SchedulesItem, SnapshotItem, SnapshotsItem, TableItem,
};
use super::state::{State, state};
use crate::activation::{Runtime, no_such_object};
use crate::alarms::SCHEDULE;
use crate::change::{SchemaKind, Value};
use crate::error::Result;
use crate::executor::offload;
use crate::id::ObjectId;
use crate::limits::STORE_PAGE_MAX;
use crate::log::{Log, Record, fetch};
use crate::millis;
use crate::router::At;
use crate::snapshot::{self, Document};
use crate::sqlite::{Cursor, is_shortage};
use crate::store::Bucket as _;

/// Names of tables, in the order of the schema.
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";

/// The columns that `SELECT *` shows: hidden ones of virtual tables are not.
const COLUMNS: &str = "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1";

/// A table, if the database has it.
const TABLE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?";

impl Inspection {
    /// What an object is now, and what its database has at `at`, or now.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such object, or no such state of it; `Busy` when too many
    /// restore; those of a restore; `Gone` when the tenant is closed.
    pub async fn describe(&self, object: &ObjectId, at: Option<At>) -> Result<Description> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(describe(self.runtime(), &log, at)).await
    }

    /// The complete snapshots of an object, newest first.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such object; those of the store; `Corrupt` for a description that
    /// is damaged; `Gone` when the tenant is closed.
    pub async fn snapshots(&self, object: &ObjectId) -> Result<Vec<SnapshotItem>> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(snapshots(&log)).await
    }
}

async fn snapshots(log: &Log) -> Result<Vec<SnapshotItem>> {
    let known = snapshot::list(log.snapshots()).await?;
    if known.is_empty() {
        log_item(log).await?;
    }
    let mut items = Vec::with_capacity(known.len());
    for entry in known {
        items.push(snapshot_item(&snapshot::read(log.snapshots(), entry.reference).await?));
    }
    Ok(items)
}

async fn describe(runtime: &Runtime, log: &Log, at: Option<At>) -> Result<Description> {
    let log_item = log_item(log).await?;
    let owner = owner_item(log, log_item.head).await?;
    let known = snapshot::list(log.snapshots()).await?;
    let newest = match known.first() {
        Some(entry) => Some(snapshot::read(log.snapshots(), entry.reference).await?),
        None => None,
    };
    let mut state = state(runtime, log, at).await?;
    state.begin(runtime, &log.object).await?;
    let (database, messages, alarm, schedules) = offload(runtime.executor.as_ref(), || {
        let (database, messages) = (database_item(&mut state)?, messages_item(&mut state)?);
        let (alarm, schedules) = (alarm_item(&mut state)?, schedules_item(&mut state)?);
        Ok::<_, crate::Error>((database, messages, alarm, schedules))
    })?;
    Ok(Description {
        class: log.object.class().to_owned(),
        id: log.object.id().to_owned(),
        log: log_item,
        owner,
        snapshots: SnapshotsItem { count: known.len(), newest: newest.as_ref().map(snapshot_item) },
        database,
        messages,
        alarm,
        schedules,
    })
}

/// The log by its keys.
async fn log_item(log: &Log) -> Result<LogItem> {
    let mut item = LogItem { first: 0, head: 0, bytes: 0, written_at: String::new() };
    let mut after = None;
    loop {
        let page = log.bucket.list(&log.folder(), after.as_ref(), STORE_PAGE_MAX).await?;
        for entry in &page {
            let Some(sequence) = log.sequence_of(&entry.key) else { continue };
            if item.head == 0 {
                item.head = sequence;
                item.written_at = millis::text(entry.modified_ms);
            }
            item.first = sequence;
            item.bytes = item.bytes.saturating_add(entry.bytes);
        }
        if page.len() < STORE_PAGE_MAX {
            break;
        }
        after = page.into_iter().next_back().map(|entry| entry.key);
    }
    if item.head == 0 { Err(no_such_object(&log.object)) } else { Ok(item) }
}

async fn owner_item(log: &Log, head: u64) -> Result<OwnerItem> {
    let newest = fetch(log, head..=head, None, &mut log.room()).await?;
    let record: Option<&Record> = newest.first().map(|found| &found.record);
    let record = record.ok_or_else(|| no_such_object(&log.object))?;
    Ok(OwnerItem {
        instance: record.writer.to_string(),
        address: record.address.clone(),
        epoch: record.epoch,
        lease_ms: record.lease_ms,
        released: record.lease_ms == 0,
    })
}

/// A snapshot as its description has it.
pub(super) fn snapshot_item(document: &Document) -> SnapshotItem {
    let (tables, rows) = document.counts();
    SnapshotItem {
        name: document.reference.to_string(),
        sequence: document.reference.sequence,
        time: millis::text(document.time_ms),
        tables,
        rows,
        bytes: document.bytes(),
        base: document.base.map(|base| base.to_string()),
    }
}

fn database_item(state: &mut State) -> Result<DatabaseItem> {
    let (names, mut tables) = (texts(state.ask(TABLES, Vec::new())?)?, Vec::new());
    for name in names {
        tables.push(table_item(state, name)?);
    }
    let header = state.database.header();
    let names = |kind: SchemaKind| {
        let objects = header.schema.objects.iter();
        let declared = objects.filter(|object| object.kind == kind && object.sql.is_some());
        declared.map(|object| object.name.clone()).collect()
    };
    Ok(DatabaseItem {
        sequence: state.sequence,
        bytes: state.database.page_bytes(),
        user_version: header.user_version,
        tables,
        indexes: names(SchemaKind::Index),
        views: names(SchemaKind::View),
        triggers: names(SchemaKind::Trigger),
    })
}

fn table_item(state: &mut State, name: String) -> Result<TableItem> {
    let mut columns = Vec::new();
    let mut cursor = state.ask(COLUMNS, vec![text(&name)])?;
    while let Some(row) = cursor.next()? {
        columns.push(ColumnItem {
            name: shown(row.value(0).to_owned()),
            r#type: shown(row.value(1).to_owned()),
            primary_key: row.value(2) != crate::ValueRef::Integer(0),
        });
    }
    drop(cursor);
    let quoted = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
    let rows = match state.ask(&quoted, Vec::new()).and_then(integer) {
        // A virtual table may be unable to.
        Err(error) if !is_shortage(&error) => None,
        counted => Some(counted?),
    };
    Ok(TableItem { name, rows, columns })
}

fn messages_item(state: &mut State) -> Result<MessagesItem> {
    let mut item = MessagesItem { waiting: 0, oldest: None };
    if texts(state.ask(TABLE, vec![text("_dotdo_outbox")])?)?.is_empty() {
        return Ok(item);
    }
    let mut cursor = state.ask("SELECT count(*), min(time_ms) FROM _dotdo_outbox", Vec::new())?;
    if let Some(row) = cursor.next()? {
        if let Value::Integer(waiting) = row.value(0).to_owned() {
            item.waiting = u64::try_from(waiting).unwrap_or(0);
        }
        if let Value::Integer(oldest) = row.value(1).to_owned() {
            item.oldest = Some(millis::text(oldest));
        }
    }
    Ok(item)
}

fn alarm_item(state: &mut State) -> Result<Option<AlarmItem>> {
    if texts(state.ask(TABLE, vec![text("_dotdo_alarm")])?)?.is_empty() {
        return Ok(None);
    }
    let query = "SELECT due_ms, next_ms, retries, error FROM _dotdo_alarm LIMIT 1";
    let mut cursor = state.ask(query, Vec::new())?;
    let Some(row) = cursor.next()? else { return Ok(None) };
    let number = |column| match row.value(column) {
        crate::ValueRef::Integer(number) => number,
        _ => 0,
    };
    let error = Some(shown(row.value(3).to_owned())).filter(|error| !error.is_empty());
    Ok(Some(AlarmItem {
        at: millis::text(number(0)),
        next: millis::text(number(1)),
        retries: u64::try_from(number(2)).unwrap_or(0),
        error,
    }))
}

fn schedules_item(state: &mut State) -> Result<Option<SchedulesItem>> {
    if texts(state.ask(TABLE, vec![text(SCHEDULE)])?)?.is_empty() {
        return Ok(None);
    }
    let query = format!(
        "SELECT count(*) OVER (), count(*) FILTER (WHERE retries > 0) OVER (), name, next_ms, cron
         FROM {SCHEDULE} ORDER BY next_ms, name LIMIT 1"
    );
    let mut cursor = state.ask(&query, Vec::new())?;
    let Some(row) = cursor.next()? else { return Ok(None) };
    let number = |column| match row.value(column) {
        crate::ValueRef::Integer(number) => number,
        _ => 0,
    };
    Ok(Some(SchedulesItem {
        count: u64::try_from(number(0)).unwrap_or(0),
        failing: u64::try_from(number(1)).unwrap_or(0),
        next: shown(row.value(2).to_owned()),
        at: millis::text(number(3)),
        cron: Some(shown(row.value(4).to_owned())).filter(|cron| !cron.is_empty()),
    }))
}

/// The first values of all rows.
fn texts(mut cursor: Cursor<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    while let Some(row) = cursor.next()? {
        found.push(shown(row.value(0).to_owned()));
    }
    Ok(found)
}

fn integer(mut cursor: Cursor<'_>) -> Result<u64> {
    let found = cursor.next()?.map(|row| row.value(0).to_owned());
    Ok(match found {
        Some(Value::Integer(number)) => u64::try_from(number).unwrap_or(0),
        _ => 0,
    })
}

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

fn shown(value: Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        _ => String::new(),
    }
}
