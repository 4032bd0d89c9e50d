//! Finds how two databases differ.
//!
//! Promises: values are the same when their storage class and every bit are.

use std::collections::BTreeMap;

use dotdo::commands::{SqliteFile, SqliteTable};
use dotdo::sql::ValueRef;

use crate::failure::Failure;

/// Dotdo's own tables that belong to the history of an object, not to its state.
const HISTORY: [&str; 4] =
    ["_dotdo_outbox", "_dotdo_inbox", "_dotdo_requests", "_dotdo_alarm_marker"];

/// How two databases differ.
pub(super) struct Difference {
    pub(super) schema: Vec<SchemaChange>,
    pub(super) tables: Vec<TableChange>,
}

/// A part of the schema that only one side has, or that both have differently.
pub(super) struct SchemaChange {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) change: Change,
}

/// What has to be done to the first side to get the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
}

/// The rows of a table that differ.
pub(super) struct TableChange {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<RowChange>,
}

/// A row that differs.
pub(super) struct RowChange {
    pub(super) key: Vec<Cell>,
    pub(super) before: Option<Vec<Cell>>,
    pub(super) after: Option<Vec<Cell>>,
}

/// A value, compared bit by bit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    /// The bits of a number.
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl RowChange {
    pub(super) fn change(&self) -> Change {
        match (&self.before, &self.after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        }
    }
}

impl From<&ValueRef<'_>> for Cell {
    fn from(value: &ValueRef<'_>) -> Self {
        match *value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number.to_bits()),
            ValueRef::Text(text) => Self::Text(text.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

/// Compares two databases.
pub(super) fn compare(a: &SqliteFile, b: &SqliteFile) -> Result<Difference, Failure> {
    let mut tables = Vec::new();
    let (of_a, of_b) = (a.tables(), b.tables());
    let is_state = |table: &&SqliteTable| !HISTORY.contains(&&*table.name);
    for table in of_a.iter().filter(is_state) {
        let other = of_b.iter().find(|other| other.name == table.name);
        tables.extend(table_change((a, table), other.map(|other| (b, other)))?);
    }
    for table in of_b.iter().filter(is_state) {
        if !of_a.iter().any(|other| other.name == table.name) {
            let rows = rows(b, table, None)?.into_iter();
            let rows = rows.map(|(key, after)| RowChange { key, before: None, after: Some(after) });
            tables.extend(TableChange::of(table, rows.collect()));
        }
    }
    Ok(Difference { schema: schema_changes(a, b), tables })
}

fn schema_changes(a: &SqliteFile, b: &SqliteFile) -> Vec<SchemaChange> {
    let known = |file: &SqliteFile| -> BTreeMap<(String, String), Option<String>> {
        let objects = file.schema().into_iter();
        let objects = objects.filter(|object| !HISTORY.contains(&&*object.table));
        objects.map(|object| ((object.kind.to_owned(), object.name), object.sql)).collect()
    };
    let (a, b) = (known(a), known(b));
    let mut changes = Vec::new();
    let mut found = |(kind, name): &(String, String), change| {
        changes.push(SchemaChange { kind: kind.clone(), name: name.clone(), change });
    };
    for (object, sql) in &a {
        match b.get(object) {
            None => found(object, Change::Removed),
            Some(other) if other != sql => found(object, Change::Changed),
            Some(_) => {}
        }
    }
    b.keys()
        .filter(|object| !a.contains_key(*object))
        .for_each(|object| found(object, Change::Added));
    changes
}

/// How the rows of a table differ from those of the same table on the other side.
fn table_change(
    (a, table): (&SqliteFile, &SqliteTable),
    other: Option<(&SqliteFile, &SqliteTable)>,
) -> Result<Option<TableChange>, Failure> {
    let Some((b, other)) = other else {
        let rows = rows(a, table, None)?.into_iter();
        let rows = rows.map(|(key, before)| RowChange { key, before: Some(before), after: None });
        return Ok(TableChange::of(table, rows.collect()));
    };
    let names = |table: &SqliteTable| -> Vec<String> {
        table.columns.iter().map(|column| column.name.clone()).collect()
    };
    let common: Vec<String> =
        names(table).into_iter().filter(|name| names(other).contains(name)).collect();
    let mut before = rows(a, table, Some(&common))?;
    let mut changes = Vec::new();
    for (key, after) in rows(b, other, Some(&common))? {
        match before.remove(&key) {
            Some(before) if before == after => {}
            before => changes.push(RowChange { key, before, after: Some(after) }),
        }
    }
    changes.extend(before.into_iter().map(|(key, before)| RowChange {
        key,
        before: Some(before),
        after: None,
    }));
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(if changes.is_empty() {
        None
    } else {
        Some(TableChange { name: table.name.clone(), columns: common, rows: changes })
    })
}

impl TableChange {
    /// The change of a table that only one side has; `None` without rows.
    fn of(table: &SqliteTable, rows: Vec<RowChange>) -> Option<Self> {
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        (!rows.is_empty()).then(|| Self { name: table.name.clone(), columns, rows })
    }
}

/// The rows of a table by key, with the values of some columns or all.
fn rows(
    file: &SqliteFile,
    table: &SqliteTable,
    columns: Option<&[String]>,
) -> Result<BTreeMap<Vec<Cell>, Vec<Cell>>, Failure> {
    let position = |name: &String| table.columns.iter().position(|column| column.name == *name);
    let wanted: Vec<usize> = match columns {
        Some(columns) => columns.iter().filter_map(position).collect(),
        None => (0..table.columns.len()).collect(),
    };
    let mut keys: Vec<(usize, usize)> = table
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| column.key.map(|place| (place, at)))
        .collect();
    keys.sort_unstable();
    let mut found = BTreeMap::new();
    file.rows(&table.name, |rowid, values| {
        let cell = |at: usize| values.get(at).map_or(Cell::Null, Cell::from);
        let key = match rowid {
            Some(rowid) => vec![Cell::Integer(rowid)],
            None => keys.iter().map(|(_, at)| cell(*at)).collect(),
        };
        found.insert(key, wanted.iter().map(|at| cell(*at)).collect());
        Ok(())
    })?;
    Ok(found)
}
