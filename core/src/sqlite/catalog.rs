//! The schema in SQLite's form, and the properties of each ordinary table that are needed to read
//! and write its rows exactly.

mod statements;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use self::statements::Statements;
use super::handle::Handle;
use crate::change::{
    Affinity, Column, KeyShape, Schema, SchemaKind, SchemaObject, TableShape, ValueRef,
};
use crate::{Error, Result};

/// The table of AUTOINCREMENT's counters. It is part of the schema; its rows are
/// [`crate::change::Header::sequences`].
pub(super) const SEQUENCES: &str = "sqlite_sequence";

/// The tables of `ANALYZE`, with the definitions that SQLite gives them. They are ordinary but for
/// their names, which nobody else may use.
pub(super) const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// Whether it is the name of a table of `ANALYZE`.
pub(super) fn is_statistics(name: &str) -> bool {
    STATISTICS.iter().any(|(known, _)| *known == name)
}

/// The schema at one moment.
#[derive(Default)]
pub(super) struct Catalog {
    pub(super) rows: Vec<CatalogRow>,
    /// The ordinary tables in schema order, parallel to `shapes`.
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) shapes: Vec<TableShape>,
}

/// One row of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CatalogRow {
    pub(super) object: SchemaObject,
    /// The b-tree's root page; 0 for what has none.
    pub(super) root: i64,
}

/// An ordinary table.
pub(super) struct Table {
    pub(super) shape: TableShape,
    pub(super) root: i64,
    pub(super) definition: String,
    /// All columns, generated ones too: `DROP COLUMN` alone makes them fewer.
    pub(super) columns_total: usize,
    /// Indexes that constraints made; they have no statement of their own.
    pub(super) constraint_indexes: usize,
    /// For `WITHOUT ROWID`: the key's columns counted over all columns, as the preupdate hook
    /// counts, and their collations.
    pub(super) primary: Vec<(i32, String)>,
    /// The name under which the rowid can be reached.
    rowid: Option<&'static str>,
    statements: OnceLock<Statements>,
}

impl Catalog {
    /// Reads the schema. Tables that are the same as in `before` are taken from there.
    pub(super) fn read(handle: &Handle, before: &Self) -> Result<Self> {
        let rows = read_rows(handle)?;
        let known: HashMap<&str, &Arc<Table>> =
            before.tables.iter().map(|table| (table.shape.name.as_str(), table)).collect();
        let mut tables = Vec::new();
        for row in rows.iter().filter(|row| row.is_ordinary_table()) {
            let definition = row.object.sql.as_deref().unwrap_or_default();
            let same = known
                .get(row.object.name.as_str())
                .filter(|table| table.definition == definition && table.root == row.root);
            tables.push(match same {
                Some(table) => Arc::clone(table),
                None => Arc::new(Table::read(handle, row, &rows)?),
            });
        }
        let shapes = tables.iter().map(|table| table.shape.clone()).collect();
        Ok(Self { rows, tables, shapes })
    }

    pub(super) fn schema(&self) -> Schema {
        Schema { objects: self.rows.iter().map(|row| row.object.clone()).collect() }
    }

    pub(super) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.iter().find(|table| table.shape.name == name)
    }

    pub(super) fn has_virtual_tables(&self) -> bool {
        self.rows.iter().any(|row| row.object.is_virtual_table())
    }

    pub(super) fn has_sequences(&self) -> bool {
        self.rows.iter().any(|row| row.object.name == SEQUENCES)
    }
}

/// All rows of `sqlite_schema`, in their order.
pub(super) fn read_rows(handle: &Handle) -> Result<Vec<CatalogRow>> {
    let mut statement = handle
        .prepare("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid")?;
    let mut rows = Vec::new();
    while statement.step()? {
        let kind = match statement.text(0).as_deref() {
            Some("table") => SchemaKind::Table,
            Some("index") => SchemaKind::Index,
            Some("view") => SchemaKind::View,
            Some("trigger") => SchemaKind::Trigger,
            other => {
                return Err(Error::internal(format!(
                    "the schema has an object of the unknown kind {other:?}"
                )));
            }
        };
        let name = statement.text(1).unwrap_or_default();
        let table = statement.text(2).unwrap_or_default();
        rows.push(CatalogRow {
            object: SchemaObject { kind, name, table, sql: statement.text(4) },
            root: statement.integer(3),
        });
    }
    Ok(rows)
}

impl SchemaObject {
    /// Whether it is a table that a module implements: SQLite normalises the start of the
    /// statement.
    pub(crate) fn is_virtual_table(&self) -> bool {
        self.kind == SchemaKind::Table
            && self.sql.as_deref().is_some_and(|sql| sql.starts_with("CREATE VIRTUAL TABLE"))
    }

    /// Whether it is a table of `ANALYZE`.
    pub(super) fn is_statistics(&self) -> bool {
        self.kind == SchemaKind::Table && is_statistics(&self.name)
    }

    /// Whether it is a table with rows of its own, and not SQLite's own bookkeeping.
    pub(crate) fn is_ordinary_table(&self) -> bool {
        self.kind == SchemaKind::Table && !self.is_virtual_table() && self.name != SEQUENCES
    }
}

impl Schema {
    /// Whether `sqlite_sequence` exists.
    pub(super) fn has_sequences(&self) -> bool {
        self.objects.iter().any(|object| object.name == SEQUENCES)
    }

    /// The table of that name.
    pub(super) fn table(&self, name: &str) -> Option<&SchemaObject> {
        self.objects.iter().find(|object| object.kind == SchemaKind::Table && object.name == name)
    }
}

impl CatalogRow {
    fn is_ordinary_table(&self) -> bool {
        self.object.is_ordinary_table()
    }
}

impl Table {
    fn read(handle: &Handle, row: &CatalogRow, rows: &[CatalogRow]) -> Result<Self> {
        let name = &row.object.name;
        let columns = read_columns(handle, name)?;
        let stored: Vec<&ColumnInfo> = columns.iter().filter(|column| !column.generated).collect();
        let primary = read_primary_index(handle, name)?;
        let key = match &primary {
            Some(PrimaryIndex { columns: key, without_rowid: true }) => KeyShape::Primary(
                key.iter()
                    .filter_map(|(id, _)| stored.iter().position(|column| column.id == *id))
                    .collect(),
            ),
            Some(_) => KeyShape::Rowid { alias: None },
            None => KeyShape::Rowid { alias: stored.iter().position(|column| column.in_key) },
        };
        let is_any = |column: &&ColumnInfo| column.declared.eq_ignore_ascii_case("any");
        let strict = columns.iter().any(|column| is_any(&column)) && is_strict(handle, name)?;
        let rowid = ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|alias| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(alias)));
        let shape = TableShape {
            name: name.clone(),
            columns: stored.iter().map(|column| column.describe(strict)).collect(),
            key,
        };
        if shape.has_hidden_rowid() && rowid.is_none() {
            return Err(Error::invalid(format!(
                "the table {name} has columns named rowid, _rowid_ and oid, which hide its rowid; add an INTEGER PRIMARY KEY"
            )));
        }
        Ok(Self {
            shape,
            root: row.root,
            definition: row.object.sql.clone().unwrap_or_default(),
            columns_total: columns.len(),
            constraint_indexes: rows
                .iter()
                .filter(|other| other.object.is_constraint_index_of(name))
                .count(),
            primary: primary
                .filter(|index| index.without_rowid)
                .map(|index| index.columns)
                .unwrap_or_default(),
            rowid,
            statements: OnceLock::new(),
        })
    }

    /// Whether it has a rowid.
    pub(super) fn has_rowid(&self) -> bool {
        matches!(self.shape.key, KeyShape::Rowid { .. })
    }

    /// Whether `row()` and `scan()` answer the rowid as a column before the others: where no column
    /// shows it.
    pub(super) fn rowid_column(&self) -> Option<&'static str> {
        if self.shape.has_hidden_rowid() { self.rowid } else { None }
    }
}

impl SchemaObject {
    /// Whether it is the index of a constraint of `table`.
    pub(super) fn is_constraint_index_of(&self, table: &str) -> bool {
        self.kind == SchemaKind::Index && self.sql.is_none() && self.table == table
    }
}

struct ColumnInfo {
    id: i32,
    name: String,
    declared: String,
    in_key: bool,
    generated: bool,
}

impl ColumnInfo {
    fn describe(&self, strict: bool) -> Column {
        let affinity = if strict && self.declared.eq_ignore_ascii_case("any") {
            Affinity::Blob
        } else {
            affinity(&self.declared)
        };
        Column { name: self.name.clone(), declared: self.declared.clone(), affinity }
    }
}

fn read_columns(handle: &Handle, table: &str) -> Result<Vec<ColumnInfo>> {
    let mut statement = handle.prepare(
        "SELECT cid, name, type, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
    )?;
    statement.bind(1, ValueRef::Text(table.as_bytes()))?;
    let mut columns = Vec::new();
    while statement.step()? {
        columns.push(ColumnInfo {
            id: statement.integer(0) as i32,
            name: statement.text(1).unwrap_or_default(),
            declared: statement.text(2).unwrap_or_default(),
            in_key: statement.integer(3) > 0,
            generated: statement.integer(4) > 1,
        });
    }
    Ok(columns)
}

struct PrimaryIndex {
    columns: Vec<(i32, String)>,
    without_rowid: bool,
}

/// The index behind the primary key. A rowid table whose key is another name of the rowid has none;
/// the index of a `WITHOUT ROWID` table is the table itself and holds no rowid.
fn read_primary_index(handle: &Handle, table: &str) -> Result<Option<PrimaryIndex>> {
    let sql = "SELECT x.cid, x.coll, x.key FROM pragma_index_list(?1, 'main') AS l, pragma_index_xinfo(l.name, 'main') AS x \
               WHERE l.origin = 'pk' ORDER BY x.seqno";
    let mut statement = handle.prepare(sql)?;
    statement.bind(1, ValueRef::Text(table.as_bytes()))?;
    let mut index: Option<PrimaryIndex> = None;
    while statement.step()? {
        let index =
            index.get_or_insert_with(|| PrimaryIndex { columns: Vec::new(), without_rowid: true });
        let column = statement.integer(0) as i32;
        index.without_rowid &= column >= 0;
        if statement.integer(2) != 0 {
            index.columns.push((column, statement.text(1).unwrap_or_default()));
        }
    }
    Ok(index)
}

fn is_strict(handle: &Handle, table: &str) -> Result<bool> {
    let mut statement =
        handle.prepare("SELECT strict FROM pragma_table_list(?1) WHERE schema = 'main'")?;
    statement.bind(1, ValueRef::Text(table.as_bytes()))?;
    Ok(statement.step()? && statement.integer(0) != 0)
}

/// SQLite's rules, in their order
/// (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
pub(super) fn affinity(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if declared.is_empty() || has("BLOB") {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}
