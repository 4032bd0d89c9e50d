//! Filling a new database: tables, their rows, then all that rows don't need.

use super::database::{Database, Limits, Purpose};
use super::replay::check_width;
use super::statement::Statement;
use crate::change::{Header, ValueRef};
use crate::{Error, ErrorKind, Result};

/// A database that is being filled.
pub(crate) struct Loader {
    database: Database,
    header: Header,
}

/// Puts rows into one table.
pub(crate) struct TableLoader<'a> {
    statement: Statement,
    name: &'a str,
    columns: usize,
    hidden_rowid: bool,
}

impl Database {
    /// Begins to fill a new database that will have this header. Rows come table by table; [`Loader::finish`] does the rest.
    ///
    /// # Errors
    /// `Corrupt` when the header's statements fail.
    pub(crate) fn load(limits: &Limits, header: Header) -> Result<Loader> {
        let mut database = Self::open(limits)?;
        database.handle.execute("PRAGMA journal_mode=OFF")?;
        database.own_run("BEGIN", [])?;
        database.create_tables(&header.schema, |_| true)?;
        database.adopt()?;
        Ok(Loader { database, header })
    }
}

impl Loader {
    /// Takes the rows of a table; in the order of its key they go in fastest.
    ///
    /// # Errors
    /// `Corrupt` when the header has no such table.
    pub(crate) fn table(&mut self, name: &str) -> Result<TableLoader<'_>> {
        let table = self.database.committed.catalog.table(name);
        let missing = || Error::new(ErrorKind::Corrupt, format!("The schema has no table {name} for the rows."));
        let table = table.ok_or_else(missing)?;
        let statement = self.database.handle.prepare(&table.insert())?;
        let shape = &table.shape;
        Ok(TableLoader { statement, name: &shape.name, columns: shape.columns.len(), hidden_rowid: shape.has_hidden_rowid() })
    }

    /// Makes indexes, triggers, views, virtual tables and counters, and hands the database over.
    ///
    /// # Errors
    /// `Corrupt` when the rows and the header don't fit each other.
    pub(crate) fn finish(self) -> Result<Database> {
        let Self { mut database, header } = self;
        database.forget_own();
        database.complete_schema(&header.schema)?;
        if header.schema.has_sequences() {
            database.write_sequences(&header.sequences)?;
        }
        let (version, id) = (header.user_version, header.application_id);
        database.handle.execute(&format!("PRAGMA user_version={version}; PRAGMA application_id={id}"))?;
        database.own_run("COMMIT", [])?;
        database.handle.execute("PRAGMA journal_mode=MEMORY")?;
        database.forget_own();
        database.adopt()?;
        if database.header != header {
            return Err(Error::new(ErrorKind::Corrupt, "The restored database has another schema or other counters than its header."));
        }
        database.set_purpose(Purpose::Serve)?;
        Ok(database)
    }
}

impl TableLoader<'_> {
    /// Puts in one row: the rowid for tables that have one, and the values of the shape's columns.
    ///
    /// # Errors
    /// `Corrupt` when the row does not fit the table or its key is there already.
    pub(crate) fn row(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> Result<()> {
        check_width(self.name, self.columns == values.len() && (rowid.is_some() || !self.hidden_rowid))?;
        let hidden = rowid.filter(|_| self.hidden_rowid).map(ValueRef::Integer);
        let outcome = self.statement.run(hidden.into_iter().chain(values.iter().copied()));
        outcome.map_err(|error| {
            let message = format!("A row can't be put into the table {}: {}", self.name, error.message());
            Error::new(ErrorKind::Corrupt, message).with_source(error)
        })
    }
}
