//! Values, rows and schemas: the common language of the database, the log and the snapshots.
//!
//! `sqlite/` produces and applies these types and knows no bucket; `log/` and `iceberg/` store them
//! and know no SQLite. Nothing here has behaviour beyond describing data exactly.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A value of one of SQLite's five storage classes, kept bit for bit.
///
/// Text is bytes: SQLite does not insist on UTF-8, and a restored object must not either.
///
/// ```
/// # mod dotdo { pub mod sql { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::sql::Value;
/// use dotdo::{Context, Result};
///
/// fn archive(ctx: &mut Context) -> Result<()> {
///     let rows: Vec<Vec<Value>> = ctx.sql().exec("SELECT id, text FROM notes", ())?.values()?;
///     for row in rows {
///         ctx.sql().exec("INSERT INTO archive VALUES (?, ?)", row)?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// A signed 64-bit integer.
    Integer(i64),
    /// A double. SQLite turns NaN into NULL, so it is never NaN.
    Real(f64),
    /// Text in UTF-8, or other bytes that were stored as text.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A borrowed [`Value`]. [`SqliteFile`](crate::SqliteFile) has an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// NULL.
    Null,
    /// A signed 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Text, not necessarily UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Value {
    /// About how many bytes the value takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(bytes) | Self::Blob(bytes) => bytes.len() + 4,
        }
    }

    /// The value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl ValueRef<'_> {
    /// The value, owned.
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(value),
            Self::Real(value) => Value::Real(value),
            Self::Text(bytes) => Value::Text(bytes.to_vec()),
            Self::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }

    /// Whether both are the same storage class with the same bits (`-0.0` differs from `0.0`).
    pub fn is_identical(self, other: ValueRef<'_>) -> bool {
        match (self, other) {
            (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }
}

/// The kinds of objects in `sqlite_schema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SchemaKind {
    /// A table, also a virtual one.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
}

/// One row of `sqlite_schema`, without the root page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaObject {
    /// What it is.
    pub(crate) kind: SchemaKind,
    /// Its name.
    pub(crate) name: String,
    /// The table that it belongs to (its own name for tables and views).
    pub(crate) table: String,
    /// The statement that SQLite keeps for it; `None` for the automatic indexes of constraints.
    pub(crate) sql: Option<String>,
}

/// Every object of a database's schema, in the order of `sqlite_schema`.
///
/// `sqlite_sequence` is listed once SQLite has created it, but has no [`TableShape`]: its rows are
/// [`Header::sequences`]. Other internal tables don't exist, because users can't run the statements
/// that create them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Schema {
    /// The objects, in SQLite's own order.
    pub(crate) objects: Vec<SchemaObject>,
}

/// SQLite's type affinity of a column
/// (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Affinity {
    /// `INT…`.
    Integer,
    /// `REAL`, `FLOA…`, `DOUB…`.
    Real,
    /// `CHAR…`, `CLOB…`, `TEXT…`.
    Text,
    /// `BLOB…`, and no declared type at all ([`Column::declared`] tells which).
    Blob,
    /// Everything else.
    Numeric,
}

/// A column that is stored in its table's rows; generated columns are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// The column's name, as declared.
    pub(crate) name: String,
    /// The declared type, as written; empty when there is none.
    pub(crate) declared: String,
    /// The affinity that follows from it.
    pub(crate) affinity: Affinity,
}

/// How a table's rows are identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyShape {
    /// A rowid table. `alias` is the index in [`TableShape::columns`] of the `INTEGER PRIMARY KEY`,
    /// when there is one.
    Rowid {
        /// The column that is another name of the rowid.
        alias: Option<usize>,
    },
    /// A `WITHOUT ROWID` table: the primary key's columns (indexes in [`TableShape::columns`]) in
    /// the key's order.
    Primary(Vec<usize>),
}

/// What the log and the snapshots must know of an ordinary table (virtual tables have none; their
/// shadow tables do).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableShape {
    /// The table's name.
    pub(crate) name: String,
    /// The stored columns, in the order of the table.
    pub(crate) columns: Vec<Column>,
    /// How rows are identified.
    pub(crate) key: KeyShape,
}

impl TableShape {
    /// Whether rows have a rowid that no column shows.
    pub(crate) fn has_hidden_rowid(&self) -> bool {
        self.key == KeyShape::Rowid { alias: None }
    }
}

/// Identifies one row of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RowKey {
    /// The rowid.
    Rowid(i64),
    /// The values of the primary key of a `WITHOUT ROWID` table, in the key's order.
    Primary(Vec<Value>),
}

/// A whole row: the values of [`TableShape::columns`], and the rowid for rowid tables (also where a
/// column aliases it).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The rowid; `None` in `WITHOUT ROWID` tables.
    pub(crate) rowid: Option<i64>,
    /// One value a stored column, in order.
    pub(crate) values: Vec<Value>,
}

/// The net change of one table's rows: first the deletes, then the upserts; a key is in at most one
/// of both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableChanges {
    /// The table's name after the change.
    pub(crate) table: String,
    /// The table's former content, if any, is replaced by `upserts`. Every new table is listed like
    /// this, even one without rows: a table of the same name and definition may have been dropped
    /// before.
    pub(crate) rewritten: bool,
    /// Keys whose rows are gone.
    pub(crate) deletes: Vec<RowKey>,
    /// Rows that are new or different; a row with the same key is replaced.
    pub(crate) upserts: Vec<Row>,
}

impl TableChanges {
    fn bytes(&self) -> usize {
        let values =
            self.upserts.iter().flat_map(|row| &row.values).map(Value::bytes).sum::<usize>();
        values + 16 * (self.deletes.len() + self.upserts.len())
    }
}

/// What a committed transaction changed. Applying it to the state before gives exactly the state
/// after.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Changes {
    /// The whole schema after the change, when it changed.
    pub(crate) schema: Option<Schema>,
    /// Tables that were renamed in place, old name first, in order; their rows stayed. Only with
    /// `schema`. A table whose name another one takes is gone. Tables of the former schema that are
    /// not in the new one after all renames are gone too.
    pub(crate) renames: Vec<(String, String)>,
    /// Changed rows, a table each.
    pub(crate) tables: Vec<TableChanges>,
    /// The whole of `sqlite_sequence` (AUTOINCREMENT counters by table) when it changed.
    pub(crate) sequences: Option<BTreeMap<String, i64>>,
    /// `PRAGMA user_version`, when it changed.
    pub(crate) user_version: Option<i32>,
    /// `PRAGMA application_id`, when it changed.
    pub(crate) application_id: Option<i32>,
}

impl Changes {
    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Maps the names of the tables `before` that still exist, with all rows that are not listed as
    /// changed, to their names after the change. All others were dropped, even if a new table has
    /// the name.
    ///
    /// Needed by every cache that is keyed by table names.
    pub(crate) fn kept_tables<'n>(
        &self,
        before: impl IntoIterator<Item = &'n str>,
    ) -> HashMap<String, String> {
        let mut names: HashMap<String, String> =
            before.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect();
        for (from, to) in &self.renames {
            // A table whose name another one takes is gone, even if the other one is not in
            // `names`.
            names.retain(|_, name| name != to);
            names.values_mut().filter(|name| *name == from).for_each(|name| name.clone_from(to));
        }
        let rewritten: HashSet<&str> = self
            .tables
            .iter()
            .filter(|table| table.rewritten)
            .map(|table| table.table.as_str())
            .collect();
        names.retain(|_, name| !rewritten.contains(name.as_str()));
        if let Some(schema) = &self.schema {
            let there: HashSet<&str> = schema
                .objects
                .iter()
                .filter(|object| object.kind == SchemaKind::Table)
                .map(|object| object.name.as_str())
                .collect();
            names.retain(|_, name| there.contains(name.as_str()));
        }
        names
    }

    /// About how many bytes the changed rows take; for grouping, not for billing.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(TableChanges::bytes).sum()
    }

    /// How many rows were changed or deleted; a change that is no row's counts as one.
    pub(crate) fn weight(&self) -> u64 {
        (self.rows() as u64).max(u64::from(!self.is_empty()))
    }

    /// How many rows were changed or deleted.
    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.deletes.len() + table.upserts.len()).sum()
    }
}

/// The parts of a database's state that are not rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Header {
    /// The whole schema.
    pub(crate) schema: Schema,
    /// `sqlite_sequence`.
    pub(crate) sequences: BTreeMap<String, i64>,
    /// `PRAGMA user_version`.
    pub(crate) user_version: i32,
    /// `PRAGMA application_id`.
    pub(crate) application_id: i32,
}
