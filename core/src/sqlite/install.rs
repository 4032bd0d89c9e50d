//! Changes a database's schema to a given one, exactly.
//!
//! Ordinary tables and indexes are made by their statements. Triggers, views and virtual tables are
//! written into `sqlite_schema` as they are, because running their statements would fire modules
//! and check what is already known to hold. The order of the rows is kept too, because the order in
//! which triggers fire depends on it.

use std::collections::HashMap;

use super::catalog::{CatalogRow, SEQUENCES, read_rows};
use super::database::Database;
use super::error::{corrupt, damaged};
use super::memory::Caller;
use super::statement::Statement;
use super::value::quote;
use crate::change::{Schema, SchemaKind, SchemaObject, ValueRef};
use crate::{Error, Result};

impl Database {
    /// Creates the ordinary tables of `schema` for which `wanted` holds.
    pub(super) fn create_tables(
        &self,
        schema: &Schema,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for object in schema
            .objects
            .iter()
            .filter(|object| object.is_ordinary_table() && wanted(&object.name))
        {
            self.define(object)?;
        }
        Ok(())
    }

    /// Creates the missing indexes of `schema`, then everything else of it, in its order.
    pub(super) fn complete_schema(&self, schema: &Schema) -> Result<()> {
        let present = read_rows(&self.handle)?;
        let is_missing = |object: &&SchemaObject| {
            object.kind == SchemaKind::Index
                && object.sql.is_some()
                && !present.iter().any(|row| row.object == **object)
        };
        for object in schema.objects.iter().filter(is_missing) {
            self.define(object)?;
        }
        self.make_sequences_exist(schema)?;
        self.arrange(schema)
    }

    /// Writes AUTOINCREMENT's counters.
    pub(super) fn write_sequences(
        &self,
        sequences: &std::collections::BTreeMap<String, i64>,
    ) -> Result<()> {
        self.handle.execute("DELETE FROM main.sqlite_sequence")?;
        for (name, value) in sequences {
            let values = [ValueRef::Text(name.as_bytes()), ValueRef::Integer(*value)];
            self.own_run("INSERT INTO main.sqlite_sequence(name, seq) VALUES(?, ?)", values)?;
        }
        Ok(())
    }

    /// Runs the statement of a table or an index. The schema comes from a bucket, so no other
    /// statement is run.
    fn define(&self, object: &SchemaObject) -> Result<()> {
        let sql = object.sql.as_deref().unwrap_or_default();
        // Their names are SQLite's own, which it lets nobody else use otherwise.
        let is_statistics = object.is_statistics();
        if is_statistics {
            self.handle.execute("PRAGMA writable_schema=ON")?;
        }
        self.guard.peek().recorded.set(true);
        let prepared = Statement::prepare(&self.handle, sql, Caller::Own);
        let ran = prepared.and_then(|(statement, used)| match statement {
            Some(mut statement) if used == sql.len() => statement.run([]),
            _ => Err(Error::internal("expected one statement")),
        });
        self.guard.peek().recorded.set(false);
        if is_statistics {
            self.handle.execute("PRAGMA writable_schema=OFF")?;
        }
        ran.map_err(|error| {
            let message =
                format!("the schema's statement for {} fails: {}", object.name, error.message());
            damaged(error, message)
        })
    }

    /// Creates `sqlite_sequence`, which SQLite creates with the first AUTOINCREMENT table and keeps
    /// forever.
    fn make_sequences_exist(&self, schema: &Schema) -> Result<()> {
        let present = read_rows(&self.handle)?;
        if !schema.has_sequences() || present.iter().any(|row| row.object.name == SEQUENCES) {
            return Ok(());
        }
        let mut name = String::from("counted");
        while schema.objects.iter().any(|object| object.name.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        let name = quote(&name);
        self.handle.execute(&format!(
            "CREATE TABLE main.{name}(i INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE main.{name}"
        ))
    }

    /// Replaces the rows of `sqlite_schema` if they differ from `schema`.
    fn arrange(&self, schema: &Schema) -> Result<()> {
        let present = read_rows(&self.handle)?;
        if present.iter().map(|row| &row.object).eq(&schema.objects) {
            return Ok(());
        }
        let roots: HashMap<(SchemaKind, &str), i64> = present
            .iter()
            .map(|row| ((row.object.kind, row.object.name.as_str()), row.root))
            .collect();
        let mut rows = Vec::with_capacity(schema.objects.len());
        for object in &schema.objects {
            let stored = object.is_ordinary_table()
                || object.name == SEQUENCES
                || object.kind == SchemaKind::Index;
            let root = if stored {
                roots.get(&(object.kind, object.name.as_str())).copied()
            } else {
                Some(0)
            };
            let missing = || {
                corrupt(format!("the schema has {}, which none of its tables creates", object.name))
            };
            rows.push(CatalogRow { object: object.clone(), root: root.ok_or_else(missing)? });
        }
        if present
            .iter()
            .any(|row| row.root != 0 && !rows.iter().any(|wanted| wanted.root == row.root))
        {
            return Err(corrupt("the schema lacks a table or an index that its statements create"));
        }
        self.rewrite_schema(&rows)
    }

    /// Replaces all rows of `sqlite_schema`.
    pub(super) fn rewrite_schema(&self, rows: &[CatalogRow]) -> Result<()> {
        self.handle.execute("PRAGMA writable_schema=ON; DELETE FROM main.sqlite_schema")?;
        let mut statement =
            self.handle.prepare("INSERT INTO main.sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES(?, ?, ?, ?, ?)")?;
        for CatalogRow { object, root } in rows {
            let kind: &[u8] = match object.kind {
                SchemaKind::Table => b"table",
                SchemaKind::Index => b"index",
                SchemaKind::View => b"view",
                SchemaKind::Trigger => b"trigger",
            };
            statement.run([
                ValueRef::Text(kind),
                ValueRef::Text(object.name.as_bytes()),
                ValueRef::Text(object.table.as_bytes()),
                ValueRef::Integer(*root),
                object.sql.as_ref().map_or(ValueRef::Null, |sql| ValueRef::Text(sql.as_bytes())),
            ])?;
        }
        drop(statement);
        self.reload_schema()
    }
}
