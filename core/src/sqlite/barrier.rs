//! Checks that a schema can be restored exactly and does not use reserved names, before it is
//! committed.
//!
//! The authorizer refuses statements by their actions. These checks look at the resulting schema,
//! including what SQLite creates by itself and new names of renamed tables, which the authorizer
//! does not get.

use std::collections::{BTreeMap, HashMap};

use super::catalog::{Catalog, SEQUENCES};
use super::database::{Database, Purpose};
use super::error::{OUT_OF_MEMORY, refused};
use super::guard::{RESERVED, Speaker, is_reserved, refuse_reserved};
use crate::change::{Changes, Header, Schema, SchemaKind, SchemaObject};
use crate::{Error, ErrorKind, Result};

impl Database {
    /// Fails when the statement that led from `before` to `after` has created something that is not
    /// allowed.
    pub(super) fn check_new_objects(&self, before: &Catalog, after: &Catalog) -> Result<()> {
        let is_class = self.guard.peek().speaker == Speaker::Class;
        let (old, new) = (by_name(before), by_name(after));
        for object in new
            .iter()
            .filter(|(name, object)| old.get(*name) != Some(object))
            .map(|(_, object)| object)
        {
            if object.name.starts_with("sqlite_")
                && !is_sqlites_own(object)
                && !object.is_statistics()
            {
                return Err(refused(format!(
                    "{}, which SQLite creates by itself and a restore does not",
                    object.name
                )));
            }
            if is_class {
                refuse_names(object)?;
                self.refuse_reference(object)?;
            }
        }
        let gone =
            old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(_, object)| object);
        if is_class { gone.into_iter().try_for_each(|object| refuse_names(object)) } else { Ok(()) }
    }

    /// Fails when a foreign key refers to one of dotdo's tables: dotdo's changes there must not
    /// depend on users' rows.
    fn refuse_reference(&self, object: &SchemaObject) -> Result<()> {
        if !object.is_ordinary_table() {
            return Ok(());
        }
        let mut statement =
            self.handle.prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1, 'main')")?;
        statement.bind(1, crate::change::ValueRef::Text(object.name.as_bytes()))?;
        while statement.step()? {
            if let Some(parent) = statement.text(0).filter(|parent| is_reserved(parent)) {
                return Err(refused(format!(
                    "a foreign key to {parent}: names with {RESERVED}_ are reserved"
                )));
            }
        }
        Ok(())
    }

    /// Fails when the open transaction's `changes` lead to a schema that a restore can't create, or
    /// decrease one of dotdo's counters.
    ///
    /// The schema is restored without rows: from the previous state, as a record is applied, and
    /// into a new database, as a snapshot is loaded. Then every statement that a restore, a change
    /// of rows or a snapshot needs for its tables is prepared.
    pub(super) fn rehearse(&self, changes: &Changes) -> Result<()> {
        if let Some(sequences) = &changes.sequences {
            check_counters(&self.header.sequences, sequences)?;
        }
        match &changes.schema {
            Some(schema) => self.restore_schema(schema, changes).map_err(unrestorable),
            None => Ok(()),
        }
    }

    fn restore_schema(&self, schema: &Schema, changes: &Changes) -> Result<()> {
        if !self.header.schema.objects.is_empty() {
            let mut replica = Self::load(&self.limits, self.header.clone())?.finish()?;
            replica.apply(&without_rows(changes))?;
            self.compare(&replica)?;
        }
        let sequences = changes.sequences.clone().unwrap_or_else(|| self.header.sequences.clone());
        let mut loaded = Self::load(
            &self.limits,
            Header { schema: schema.clone(), sequences, ..Header::default() },
        )?
        .finish()?;
        self.compare(&loaded)?;
        loaded.set_purpose(Purpose::Replay)?;
        let known = |name: &str| self.committed.catalog.table(name);
        for table in &self.recorder.peek().layout.catalog.tables {
            if known(&table.shape.name).is_some_and(|known| std::sync::Arc::ptr_eq(known, table)) {
                continue;
            }
            for sql in
                [table.lookup(), table.delete(), table.upsert(), &table.insert(), &table.scan()]
            {
                loaded.handle.prepare(sql)?;
            }
        }
        Ok(())
    }

    /// Fails when a restored database's tables are not those of the open transaction.
    fn compare(&self, restored: &Self) -> Result<()> {
        if restored.shapes() == self.recorder.peek().layout.catalog.shapes {
            return Ok(());
        }
        Err(Error::internal("the tables have other columns or keys after a restore"))
    }
}

type Names<'c> = HashMap<(SchemaKind, &'c str), &'c SchemaObject>;

fn by_name(catalog: &Catalog) -> Names<'_> {
    catalog
        .rows
        .iter()
        .map(|row| ((row.object.kind, row.object.name.as_str()), &row.object))
        .collect()
}

/// Whether SQLite creates it together with its table, so that a restore need not.
fn is_sqlites_own(object: &SchemaObject) -> bool {
    match object.kind {
        SchemaKind::Table => object.name == SEQUENCES,
        SchemaKind::Index => object.sql.is_none(),
        SchemaKind::View | SchemaKind::Trigger => false,
    }
}

fn refuse_names(object: &SchemaObject) -> Result<()> {
    match [&object.name, &object.table].into_iter().find(|name| is_reserved(name)) {
        Some(name) => Err(refused(refuse_reserved(name))),
        None => Ok(()),
    }
}

/// Fails when a counter of dotdo's tables would decrease: a used number is never used again.
fn check_counters(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Result<()> {
    let went_back = |(name, counter): &(&String, &i64)| {
        is_reserved(name) && after.get(*name).is_none_or(|after| after < *counter)
    };
    match before.iter().find(went_back) {
        Some((name, _)) => Err(refused(refuse_reserved(name))),
        None => Ok(()),
    }
}

/// The same changes of the schema, for tables without rows.
fn without_rows(changes: &Changes) -> Changes {
    let mut bare = changes.clone();
    bare.tables.retain(|table| table.rewritten);
    bare.tables.iter_mut().for_each(|table| table.upserts.clear());
    bare
}

fn unrestorable(error: Error) -> Error {
    if error.code() == OUT_OF_MEMORY {
        return error;
    }
    let message = format!(
        "the schema could not be restored, so the request was rolled back: {}",
        error.message()
    );
    Error::new(ErrorKind::Handler, message)
        .with_code("SCHEMA_NOT_RESTORABLE")
        .confidential("the object's class made a schema that can't be stored")
        .with_source(error)
}
