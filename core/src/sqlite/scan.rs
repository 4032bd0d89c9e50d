//! Reads rows for an export or a check.

use super::catalog::Table;
use super::collect::{read_by_key, read_by_rowid};
use super::database::Database;
use crate::change::{KeyShape, Row, RowKey, ValueRef};
use crate::{Error, Result};

/// Takes a row: its rowid and its values.
type Each<'f> = &'f mut dyn FnMut(Option<i64>, &[ValueRef<'_>]) -> Result<()>;

impl Database {
    /// Calls `each` with every row of a table: its rowid (`None` in `WITHOUT ROWID` tables) and the
    /// values of its [`TableShape`](crate::change::TableShape)'s columns.
    ///
    /// The order is the order of the key: ascending rowids, or the primary key's columns in their
    /// own collations, ascending. It depends only on the rows.
    ///
    /// # Errors
    /// `NotFound` if there is no such table; the error of `each`.
    pub(crate) fn scan(&self, table: &str, each: Each<'_>) -> Result<()> {
        self.scan_table(self.table(table)?, each)
    }

    /// Reads one row by its key.
    ///
    /// # Errors
    /// `NotFound` when there is no such table; `Invalid` when the key is of another shape than the
    /// table's.
    pub(crate) fn row(&self, table: &str, key: &RowKey) -> Result<Option<Row>> {
        let table = self.table(table)?;
        self.with_own(table.lookup(), |statement| match (key, &table.shape.key) {
            (RowKey::Rowid(rowid), KeyShape::Rowid { .. }) => {
                read_by_rowid(statement, table, *rowid)
            }
            (RowKey::Primary(values), KeyShape::Primary(columns))
                if values.len() == columns.len() =>
            {
                read_by_key(statement, table, values)
            }
            _ => {
                Err(Error::invalid(format!("the key does not fit the table {}", table.shape.name)))
            }
        })
    }

    pub(super) fn scan_table(&self, table: &Table, each: Each<'_>) -> Result<()> {
        let hidden = usize::from(table.rowid_column().is_some());
        let mut statement = self.handle.prepare(&table.scan())?;
        let mut values = Vec::with_capacity(statement.columns());
        while statement.step()? {
            // The values borrow the statement until its next step, so each row has a list of its
            // own, in the same memory.
            let mut row = recycle(std::mem::take(&mut values));
            row.extend((hidden..statement.columns()).map(|index| statement.value(index)));
            let rowid = match &table.shape.key {
                KeyShape::Rowid { alias: None } => Some(statement.integer(0)),
                KeyShape::Rowid { alias: Some(column) } => Some(statement.integer(*column)),
                KeyShape::Primary(_) => None,
            };
            each(rowid, &row)?;
            values = recycle(row);
        }
        self.check_memory()
    }

    pub(super) fn table(&self, name: &str) -> Result<&Table> {
        match self.committed.catalog.table(name) {
            Some(table) => Ok(table),
            None => Err(Error::not_found(format!("there is no table {name}"))),
        }
    }
}

/// An empty list with the memory of `values`, for values of another lifetime.
fn recycle<'b>(mut values: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    values.clear();
    values.into_iter().map(|_| ValueRef::Null).collect()
}
