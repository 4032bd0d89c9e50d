//! Applies recorded changes: the state before becomes exactly the state after.

use std::collections::HashMap;

use super::catalog::{Catalog, CatalogRow, Table, is_statistics, read_rows};
use super::database::{Database, Purpose};
use super::error::{corrupt, is_shortage};
use super::recorded::check_recorded;
use super::value::quote;
use crate::change::{Changes, RowKey, Schema, SchemaKind, TableChanges, Value, ValueRef};
use crate::{Error, ErrorKind, Result};

impl Database {
    /// Applies `changes` in one transaction of its own. Triggers don't fire, constraints are known
    /// to hold, nothing is recorded.
    ///
    /// # Errors
    /// `Corrupt` when the changes don't fit the state, which is then as it was; `Internal` within a
    /// transaction.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Result<()> {
        self.check()?;
        if self.transaction.is_some() {
            return Err(Error::internal("changes were applied inside a transaction"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.recover_memory()?;
        self.set_purpose(Purpose::Replay)?;
        self.own_run("BEGIN", [])?;
        let outcome = self
            .apply_inside(changes)
            .and_then(|()| self.check_memory())
            .and_then(|()| self.own_run("COMMIT", []));
        if let Err(error) = outcome {
            self.undo_apply();
            return Err(as_corrupt(error));
        }
        self.adopt_changes(changes).map_err(|error| {
            // The rows are those after the changes, and they can't be rolled back any more.
            self.broken.get_or_insert(as_corrupt(error)).clone()
        })
    }

    fn apply_inside(&mut self, changes: &Changes) -> Result<()> {
        if let Some(schema) = &changes.schema {
            check_recorded(schema)?;
            self.change_tables(schema, changes)?;
        }
        let changed = match &changes.schema {
            Some(_) => Some(Catalog::read(&self.handle, &self.committed.catalog)?),
            None => None,
        };
        let catalog = changed.as_ref().unwrap_or(&self.committed.catalog);
        for table_changes in &changes.tables {
            let table = catalog.table(&table_changes.table);
            let table = table
                .ok_or_else(|| misfit(format!("there is no table {}", table_changes.table)))?;
            self.apply_rows(table, table_changes)?;
        }
        if let Some(schema) = &changes.schema {
            self.complete_schema(schema)?;
        }
        self.apply_header(changes, catalog)
    }

    fn apply_header(&self, changes: &Changes, catalog: &Catalog) -> Result<()> {
        let sequences = changes.sequences.as_ref().unwrap_or(&self.header.sequences);
        let has_sequences =
            catalog.has_sequences() || changes.schema.as_ref().is_some_and(Schema::has_sequences);
        if has_sequences {
            self.write_sequences(sequences)?;
        } else if !sequences.is_empty() {
            return Err(misfit("there is no table with AUTOINCREMENT".to_owned()));
        }
        if let Some(version) = changes.user_version {
            self.handle.execute(&format!("PRAGMA user_version={version}"))?;
        }
        if let Some(id) = changes.application_id {
            self.handle.execute(&format!("PRAGMA application_id={id}"))?;
        }
        Ok(())
    }

    /// Changes the ordinary tables from the current schema to `schema`: tables that stay keep their
    /// rows under their new name and definition, all others are created empty. Triggers, views,
    /// virtual tables and some indexes are missing until the schema is completed.
    fn change_tables(&self, schema: &Schema, changes: &Changes) -> Result<()> {
        let plan = Plan::new(&self.committed.catalog, schema, changes);
        let present = read_rows(&self.handle)?;
        let (kept, dropped): (Vec<CatalogRow>, Vec<CatalogRow>) =
            present.into_iter().partition(|row| row.root != 0 && plan.keeps(row, schema));
        let bare: Vec<CatalogRow> =
            kept.iter().chain(dropped.iter().filter(|row| row.root != 0)).cloned().collect();
        self.rewrite_schema(&bare)?;
        for row in dropped
            .iter()
            .filter(|row| row.object.kind == SchemaKind::Index && row.object.sql.is_some())
        {
            self.handle.execute(&format!("DROP INDEX main.{}", quote(&row.object.name)))?;
        }
        for row in dropped.iter().filter(|row| row.object.is_ordinary_table()) {
            self.handle.execute(&format!("DROP TABLE main.{}", quote(&row.object.name)))?;
        }
        self.rewrite_schema(
            &kept.into_iter().map(|row| plan.renamed(row, schema)).collect::<Vec<_>>(),
        )?;
        self.create_tables(schema, |name| !plan.is_target(name))
    }

    fn apply_rows(&self, table: &Table, changes: &TableChanges) -> Result<()> {
        if changes.rewritten {
            self.handle.execute(&format!("DELETE FROM main.{}", quote(&table.shape.name)))?;
        }
        for key in &changes.deletes {
            self.delete_row(table, key)?;
        }
        if changes.upserts.is_empty() {
            return Ok(());
        }
        self.with_own(table.upsert(), |statement| {
            changes.upserts.iter().try_for_each(|row| {
                let fits = row.values.len() == table.shape.columns.len()
                    && row.rowid.is_some() == table.has_rowid();
                check_width(&table.shape.name, fits)?;
                let rowid =
                    row.rowid.filter(|_| table.shape.has_hidden_rowid()).map(ValueRef::Integer);
                statement.run(rowid.into_iter().chain(row.values.iter().map(Value::as_ref)))
            })
        })
    }

    fn delete_row(&self, table: &Table, key: &RowKey) -> Result<()> {
        match key {
            RowKey::Rowid(rowid) if table.has_rowid() => {
                self.own_run(table.delete(), [ValueRef::Integer(*rowid)])
            }
            RowKey::Primary(values)
                if values.len() == table.primary.len() && !table.has_rowid() =>
            {
                self.own_run(table.delete(), values.iter().map(Value::as_ref))
            }
            _ => Err(misfit(format!("a deleted key does not fit the table {}", table.shape.name))),
        }
    }

    /// Makes the state after `changes` the committed one.
    fn adopt_changes(&mut self, changes: &Changes) -> Result<()> {
        if changes.tables.iter().any(|table| is_statistics(&table.table)) {
            // The planner reads statistics with the schema.
            self.reload_schema()?;
        }
        if let Some(schema) = &changes.schema {
            self.forget_prepared();
            self.adopt()?;
            if self.header.schema != *schema {
                let error = misfit("the schema differs afterwards".to_owned());
                self.broken = Some(error.clone());
                return Err(error);
            }
            return Ok(());
        }
        if let Some(sequences) = &changes.sequences {
            self.header.sequences.clone_from(sequences);
        }
        self.header.user_version = changes.user_version.unwrap_or(self.header.user_version);
        self.header.application_id = changes.application_id.unwrap_or(self.header.application_id);
        Ok(())
    }

    fn undo_apply(&mut self) {
        self.forget_own();
        let undone =
            if self.handle.is_autocommit() { Ok(()) } else { self.handle.execute("ROLLBACK") };
        let undone = undone.and_then(|()| self.recover_memory());
        if let Err(error) = undone.and_then(|()| self.reload_schema()) {
            self.broken.get_or_insert(error);
        }
    }
}

/// The tables that keep their rows, and their new names.
struct Plan<'c> {
    /// New names by old ones.
    names: HashMap<String, String>,
    /// Old tables whose definition or name changed; their indexes are made anew.
    changed: Vec<&'c str>,
}

impl<'c> Plan<'c> {
    fn new(before: &'c Catalog, after: &Schema, changes: &Changes) -> Self {
        let names =
            changes.kept_tables(before.tables.iter().map(|table| table.shape.name.as_str()));
        let definition = |name: &str| after.table(name).and_then(|object| object.sql.as_deref());
        let is_changed = |table: &Table| {
            names.get(&table.shape.name).is_none_or(|name| {
                definition(name) != Some(&table.definition) || *name != table.shape.name
            })
        };
        let changed = before
            .tables
            .iter()
            .filter(|table| is_changed(table))
            .map(|table| table.shape.name.as_str())
            .collect();
        Self { names, changed }
    }

    /// Whether this b-tree stays.
    fn keeps(&self, row: &CatalogRow, after: &Schema) -> bool {
        let object = &row.object;
        match object.kind {
            SchemaKind::Table => {
                !object.is_ordinary_table() || self.names.contains_key(&object.name)
            }
            SchemaKind::Index if object.sql.is_none() => self.names.contains_key(&object.table),
            SchemaKind::Index => {
                !self.changed.contains(&object.table.as_str()) && after.objects.contains(object)
            }
            SchemaKind::View | SchemaKind::Trigger => false,
        }
    }

    fn is_target(&self, name: &str) -> bool {
        self.names.values().any(|target| target == name)
    }

    /// A kept row with its table's new name and definition.
    fn renamed(&self, mut row: CatalogRow, after: &Schema) -> CatalogRow {
        let object = &mut row.object;
        let Some(table) = self.names.get(&object.table) else { return row };
        if object.kind == SchemaKind::Table {
            object.name.clone_from(table);
            object.sql = after.table(table).and_then(|object| object.sql.clone());
        } else if let Some(number) = object.name.rsplit('_').next().filter(|_| object.sql.is_none())
        {
            object.name = format!("sqlite_autoindex_{table}_{number}");
        }
        object.table.clone_from(table);
        row
    }
}

/// Fails unless a row `fits` its table.
pub(super) fn check_width(table: &str, fits: bool) -> Result<()> {
    if fits { Ok(()) } else { Err(misfit(format!("a row does not fit the table {table}"))) }
}

fn misfit(what: String) -> Error {
    corrupt(format!("the recorded changes do not fit the previous state: {what}"))
}

/// The error of a replay: if SQLite refuses something, the recorded changes are wrong.
fn as_corrupt(error: Error) -> Error {
    match error.kind() {
        _ if is_shortage(&error) => error,
        ErrorKind::Corrupt | ErrorKind::Internal => error,
        _ => misfit(error.message().to_owned()).with_source(error),
    }
}
