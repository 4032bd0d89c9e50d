//! Fills a new database: tables, their rows, then indexes, triggers and views.

use super::catalog::{CatalogRow, read_rows};
use super::database::{Database, Limits, Purpose};
use super::error::{corrupt, damaged};
use super::recorded::check_recorded;
use super::replay::check_width;
use super::restraint::Restraint;
use super::statement::Statement;
use super::value::quote;
use crate::Result;
use crate::change::{Header, KeyShape, SchemaKind, SchemaObject, TableShape, ValueRef};

/// A database that is being filled.
pub(crate) struct Loader {
    database: Database,
    header: Header,
    /// Tables that have no constraints while rows are loaded; they get their indexes at the end.
    bare: Vec<String>,
    /// The rows of `sqlite_schema` with all constraints, while a table has none.
    complete: Option<Vec<CatalogRow>>,
}

/// Loads rows into one table.
pub(crate) struct TableLoader<'a> {
    statement: Statement,
    name: &'a str,
    columns: usize,
    hidden_rowid: bool,
}

impl Database {
    /// Starts to fill a new database that will have this header. Rows are loaded table by table;
    /// [`Loader::finish`] does the rest.
    ///
    /// # Errors
    /// `Corrupt` when the header's statements fail.
    pub(crate) fn load(limits: &Limits, header: Header) -> Result<Loader> {
        Self::load_restrained(limits, header, None)
    }

    /// As [`Database::load`], within `restraint`, which lasts until [`Database::unrestrain`].
    ///
    /// # Errors
    /// `Corrupt` when the header's statements fail, and what the restraint refuses with.
    pub(crate) fn load_restrained(
        limits: &Limits,
        header: Header,
        restraint: Option<Restraint>,
    ) -> Result<Loader> {
        check_recorded(&header.schema)?;
        let mut database = Self::open(limits)?;
        if let Some(restraint) = restraint {
            database.restrain(restraint);
        }
        database.handle.execute("PRAGMA journal_mode=OFF")?;
        database.own_run("BEGIN", [])?;
        database.create_tables(&header.schema, |_| true)?;
        database.adopt()?;
        Ok(Loader { database, header, bare: Vec::new(), complete: None })
    }
}

impl Loader {
    /// Prepares a table for many rows: the indexes of its constraints are built once, from all
    /// rows, and not row by row. That takes one sort instead of an insertion at a random place for
    /// each row.
    ///
    /// Until [`Loader::finish`], the table is in `sqlite_schema` as bare columns, without
    /// constraints and their indexes. That changes no value, because bare columns have no affinity.
    /// Tables with generated columns stay unchanged.
    ///
    /// # Errors
    /// `Corrupt` when the schema can't be written.
    pub(crate) fn expect_many(&mut self, name: &str) -> Result<()> {
        let Some(table) = self.database.committed.catalog.table(name) else { return Ok(()) };
        let shape = &table.shape;
        let KeyShape::Rowid { alias } = shape.key else { return Ok(()) };
        if table.constraint_indexes == 0
            || table.columns_total != shape.columns.len()
            || self.bare.iter().any(|bare| bare == name)
        {
            return Ok(());
        }
        let definition = bare_definition(shape, alias);
        let rows = read_rows(&self.database.handle)?;
        let is_own_index = |row: &CatalogRow| {
            row.object.kind == SchemaKind::Index
                && row.object.table == name
                && row.object.sql.is_none()
        };
        let mut bare: Vec<CatalogRow> =
            rows.iter().filter(|row| !is_own_index(row)).cloned().collect();
        for row in bare
            .iter_mut()
            .filter(|row| row.object.kind == SchemaKind::Table && row.object.name == name)
        {
            row.object.sql = Some(definition.clone());
        }
        self.database.rewrite_schema(&bare)?;
        self.complete.get_or_insert(rows);
        self.bare.push(name.to_owned());
        Ok(())
    }

    /// Restores the constraints of the bare tables, and fills their indexes.
    fn dress(&mut self) -> Result<()> {
        let Some(rows) = self.complete.take() else { return Ok(()) };
        self.database.rewrite_schema(&rows)?;
        for name in &self.bare {
            self.database.handle.execute(&format!("REINDEX main.{}", quote(name))).map_err(
                |error| {
                    let message = format!(
                        "the rows of the table {name} violate its constraints: {}",
                        error.message()
                    );
                    damaged(error, message)
                },
            )?;
        }
        Ok(())
    }

    /// Starts to load the rows of a table. Loading is fastest in the order of its key.
    ///
    /// # Errors
    /// `Corrupt` when the header has no such table.
    pub(crate) fn table(&mut self, name: &str) -> Result<TableLoader<'_>> {
        let table = self.database.committed.catalog.table(name);
        let missing = || corrupt(format!("the schema has no table {name} for the rows"));
        let table = table.ok_or_else(missing)?;
        let statement = self.database.handle.prepare(&table.insert())?;
        let shape = &table.shape;
        Ok(TableLoader {
            statement,
            name: &shape.name,
            columns: shape.columns.len(),
            hidden_rowid: shape.has_hidden_rowid(),
        })
    }

    /// Creates indexes, triggers, views, virtual tables and counters, and returns the database.
    ///
    /// # Errors
    /// `Corrupt` when the rows and the header don't fit each other.
    pub(crate) fn finish(mut self) -> Result<Database> {
        self.database.forget_own();
        self.dress()?;
        let Self { mut database, header, .. } = self;
        database.complete_schema(&header.schema)?;
        if header.schema.has_sequences() {
            database.write_sequences(&header.sequences)?;
        }
        let (version, id) = (header.user_version, header.application_id);
        database
            .handle
            .execute(&format!("PRAGMA user_version={version}; PRAGMA application_id={id}"))?;
        database.own_run("COMMIT", [])?;
        database.handle.execute("PRAGMA journal_mode=MEMORY")?;
        database.forget_own();
        if header.schema.objects.iter().any(SchemaObject::is_statistics) {
            // The planner reads statistics with the schema.
            database.reload_schema()?;
        }
        database.adopt()?;
        if database.header != header {
            return Err(corrupt(
                "the restored database differs from its header in the schema or the counters",
            ));
        }
        database.set_purpose(Purpose::Serve)?;
        database.check_memory()?;
        Ok(database)
    }
}

/// A definition of the table with only its columns and the alias of its rowid.
fn bare_definition(shape: &TableShape, alias: Option<usize>) -> String {
    let columns = shape.columns.iter().enumerate().map(|(index, column)| {
        let name = quote(&column.name);
        if alias == Some(index) { format!("{name} INTEGER PRIMARY KEY") } else { name }
    });
    format!("CREATE TABLE {}({})", quote(&shape.name), columns.collect::<Vec<_>>().join(", "))
}

impl TableLoader<'_> {
    /// Loads one row: the rowid for tables that have one, and the values of the shape's columns.
    ///
    /// # Errors
    /// `Corrupt` when the row does not fit the table, or its key exists already.
    pub(crate) fn row(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> Result<()> {
        check_width(
            self.name,
            self.columns == values.len() && (rowid.is_some() || !self.hidden_rowid),
        )?;
        let hidden = rowid.filter(|_| self.hidden_rowid).map(ValueRef::Integer);
        let outcome = self.statement.run(hidden.into_iter().chain(values.iter().copied()));
        outcome.map_err(|error| {
            let message =
                format!("cannot insert a row into the table {}: {}", self.name, error.message());
            damaged(error, message)
        })
    }
}
