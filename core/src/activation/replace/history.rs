//! The tables by which an object keeps its promises to others: they belong to its history and not to
//! its state, so they stay when the state is replaced.

use std::collections::BTreeMap;

use crate::alarms::MARKER;
use crate::change::{
    Changes, Header, Row, Schema, SchemaKind, SchemaObject, TableChanges, ValueRef,
};
use crate::error::Result;
use crate::sockets::{SOCKET_ANSWER, SOCKETS};
use crate::sqlite::Database;

const OUTBOX: &str = "_dotdo_outbox";
const INBOX: &str = "_dotdo_inbox";
const REQUESTS: &str = "_dotdo_requests";

/// SQLite's table of the counters of AUTOINCREMENT.
const SEQUENCES: &str = "sqlite_sequence";

/// Whether a table belongs to an object's history and not to its state.
pub(crate) fn is_history(table: &str) -> bool {
    [OUTBOX, INBOX, REQUESTS, MARKER, SOCKETS, SOCKET_ANSWER].contains(&table)
}

/// What is kept of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Whole,
    /// The table and its counter, without its rows.
    Empty,
}

/// An object's history.
pub(super) struct History {
    objects: Vec<SchemaObject>,
    tables: Vec<TableChanges>,
    counters: BTreeMap<String, i64>,
}

impl History {
    /// All of the history in `database`: what a new state keeps.
    ///
    /// # Errors
    ///
    /// Those of reading the database.
    pub(super) fn of(database: &Database) -> Result<Self> {
        Self::read(database, |_| Some(Kept::Whole))
    }

    /// What is left of it when the object is deleted: which messages were accepted, so that none is
    /// accepted twice, and the number of the last one that was sent, so that none is used twice.
    ///
    /// # Errors
    ///
    /// Those of reading the database.
    pub(super) fn after_deletion(database: &Database) -> Result<Self> {
        Self::read(database, |table| match table {
            INBOX => Some(Kept::Whole),
            OUTBOX => Some(Kept::Empty),
            _ => None,
        })
    }

    fn read(database: &Database, keep: impl Fn(&str) -> Option<Kept>) -> Result<Self> {
        let header = database.header();
        let kept = |table: &str| if is_history(table) { keep(table) } else { None };
        let objects =
            header.schema.objects.iter().filter(|object| kept(&object.table).is_some()).cloned();
        let counters = header.sequences.iter().filter(|(table, _)| kept(table).is_some());
        let mut tables = Vec::new();
        for shape in database.shapes() {
            let Some(kept) = kept(&shape.name) else { continue };
            let mut upserts = Vec::new();
            if kept == Kept::Whole {
                database.scan(&shape.name, &mut |rowid, values| {
                    let values = values.iter().map(|value| ValueRef::to_owned(*value));
                    upserts.push(Row { rowid, values: values.collect() });
                    Ok(())
                })?;
            }
            let (table, deletes) = (shape.name.clone(), Vec::new());
            tables.push(TableChanges { table, rewritten: true, deletes, upserts });
        }
        Ok(Self {
            objects: objects.collect(),
            tables,
            counters: counters.map(|(table, last)| (table.clone(), *last)).collect(),
        })
    }

    /// Whether messages wait to be delivered.
    pub(super) fn has_messages(&self) -> bool {
        self.tables.iter().any(|table| table.table == OUTBOX && !table.upserts.is_empty())
    }

    /// The changes that put this history in the place of the one that a database with this `header`
    /// has.
    pub(super) fn changes(self, header: &Header) -> Changes {
        let Self { objects, tables, mut counters } = self;
        let others = header.schema.objects.iter().filter(|object| !is_history(&object.table));
        let mut schema: Vec<SchemaObject> = others.cloned().collect();
        let counts = objects.iter().any(|object| object.name == OUTBOX);
        if counts && !schema.iter().any(|object| object.name == SEQUENCES) {
            schema.push(sequences());
        }
        schema.extend(objects);
        let schema = Schema { objects: schema };
        let others = header.sequences.iter().filter(|(table, _)| !is_history(table));
        counters.extend(others.map(|(table, last)| (table.clone(), *last)));
        Changes {
            schema: (schema != header.schema).then_some(schema),
            tables,
            sequences: (counters != header.sequences).then_some(counters),
            ..Changes::default()
        }
    }
}

fn sequences() -> SchemaObject {
    SchemaObject {
        kind: SchemaKind::Table,
        name: SEQUENCES.to_owned(),
        table: SEQUENCES.to_owned(),
        sql: Some("CREATE TABLE sqlite_sequence(name,seq)".to_owned()),
    }
}
