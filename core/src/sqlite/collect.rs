//! Collects the net changes of a transaction by reading the touched keys again.

use std::sync::Arc;

use super::catalog::Table;
use super::database::Database;
use super::layout::{Layout, TrackId};
use super::recorder::Keys;
use super::statement::Statement;
use super::value::order_all;
use crate::Result;
use crate::change::{Changes, KeyShape, Row, RowKey, TableChanges, Value, ValueRef};

impl Database {
    /// Compares the open transaction's state with the committed one.
    pub(super) fn collect(&mut self) -> Result<Changes> {
        let layout = Arc::clone(&self.recorder.peek().layout);
        let mut changes = Changes::default();
        if !Arc::ptr_eq(&layout, &self.committed) {
            changes.renames = self.renames(&layout);
            let schema = layout.catalog.schema();
            changes.schema =
                (schema != self.header.schema || !changes.renames.is_empty()).then_some(schema);
        }
        changes.tables = self.collect_tables(&layout)?;
        let sequences = self.read_sequences(&layout.catalog)?;
        changes.sequences = (sequences != self.header.sequences).then_some(sequences);
        let user_version = self.own_integer("PRAGMA user_version")? as i32;
        let application_id = self.own_integer("PRAGMA application_id")? as i32;
        changes.user_version = (user_version != self.header.user_version).then_some(user_version);
        changes.application_id =
            (application_id != self.header.application_id).then_some(application_id);
        Ok(changes)
    }

    /// The renames of tables that existed before and still exist.
    fn renames(&self, layout: &Layout) -> Vec<(String, String)> {
        let tracks = &self.recorder.peek().tracks;
        let kept = |id: &TrackId| {
            tracks[id.0].origin.is_some() && layout.ids.values().any(|other| other == id)
        };
        let renames = layout.renames.iter().filter(|(id, _, _)| kept(id));
        renames.map(|(_, from, to)| (from.clone(), to.clone())).collect()
    }

    fn collect_tables(&mut self, layout: &Layout) -> Result<Vec<TableChanges>> {
        let mut tables = Vec::new();
        for table in &layout.catalog.tables {
            let TrackId(id) = layout.ids[&table.shape.name];
            let track = &mut self.recorder.get().tracks[id];
            if track.origin.is_none() {
                tables.push(self.collect_all(table)?);
            } else if !track.keys.is_empty() {
                track.keys.sort();
                // Taken out, so that the recorder is not borrowed while SQLite runs; put back, so
                // that the changes can be collected again.
                let keys = std::mem::replace(&mut track.keys, Keys::All);
                let changes = self.collect_keys(table, &keys);
                self.recorder.get().tracks[id].keys = keys;
                tables.push(changes?);
            }
        }
        Ok(tables)
    }

    fn collect_all(&self, table: &Table) -> Result<TableChanges> {
        let mut upserts = Vec::new();
        self.scan_table(table, &mut |rowid, values| {
            upserts.push(Row {
                rowid,
                values: values.iter().copied().map(ValueRef::to_owned).collect(),
            });
            Ok(())
        })?;
        Ok(TableChanges {
            table: table.shape.name.clone(),
            rewritten: true,
            deletes: Vec::new(),
            upserts,
        })
    }

    fn collect_keys(&self, table: &Table, keys: &Keys) -> Result<TableChanges> {
        let mut changes = TableChanges {
            table: table.shape.name.clone(),
            rewritten: false,
            deletes: Vec::new(),
            upserts: Vec::new(),
        };
        self.with_own(table.lookup(), |statement| match keys {
            Keys::Rowids { list, .. } => list.iter().try_for_each(|rowid| {
                match read_by_rowid(statement, table, *rowid)? {
                    Some(row) => changes.upserts.push(row),
                    None => changes.deletes.push(RowKey::Rowid(*rowid)),
                }
                Ok(())
            }),
            Keys::Primary { list, .. } => list.iter().try_for_each(|key| {
                match read_by_key(statement, table, key)? {
                    Some(row) => changes.upserts.push(row),
                    None => changes.deletes.push(RowKey::Primary(key.clone())),
                }
                Ok(())
            }),
            Keys::All => Ok(()),
        })?;
        Ok(changes)
    }
}

/// Reads the row with this rowid.
pub(super) fn read_by_rowid(
    statement: &mut Statement,
    table: &Table,
    rowid: i64,
) -> Result<Option<Row>> {
    statement.reset();
    statement.bind(1, ValueRef::Integer(rowid))?;
    Ok(statement.step()?.then(|| read_row(statement, table)))
}

/// Reads the row with exactly these key values. Values that are equal only by a collation or as
/// numbers are other keys.
pub(super) fn read_by_key(
    statement: &mut Statement,
    table: &Table,
    key: &[Value],
) -> Result<Option<Row>> {
    statement.reset();
    for (index, value) in key.iter().enumerate() {
        statement.bind(index + 1, value.as_ref())?;
    }
    let KeyShape::Primary(columns) = &table.shape.key else { return Ok(None) };
    while statement.step()? {
        let row = read_row(statement, table);
        let found: Vec<Value> = columns.iter().map(|column| row.values[*column].clone()).collect();
        if order_all(&found, key).is_eq() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// The current row of a lookup or scan.
fn read_row(statement: &Statement, table: &Table) -> Row {
    let hidden = usize::from(table.rowid_column().is_some());
    let values: Vec<Value> =
        (hidden..statement.columns()).map(|index| statement.value(index).to_owned()).collect();
    let rowid = match &table.shape.key {
        KeyShape::Rowid { alias: None } => Some(statement.integer(0)),
        KeyShape::Rowid { alias: Some(column) } => Some(statement.integer(*column)),
        KeyShape::Primary(_) => None,
    };
    Row { rowid, values }
}
