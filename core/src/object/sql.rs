//! The interface to the object's SQL database: statements in, rows out as users' types.
//!
//! A request is one transaction: all statements of a handler are committed together or not at all.
//! Foreign keys are on. Not allowed are `ATTACH`, `BEGIN` and `COMMIT` (`SAVEPOINT` works),
//! temporary objects, most pragmas, modules other than FTS5 and R-Tree, and writes to reserved
//! names with `_dotdo_`, which are readable. docs/SQL.md has the whole list.

mod decode;
mod params;

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

pub use params::{IntoParams, IntoValue};

use crate::change::{Value, ValueRef};
use crate::sqlite::{Cursor, Database, Speaker};
use crate::{Error, Result};

/// The stable code for rows of an unexpected type.
const UNEXPECTED_ROWS: &str = "UNEXPECTED_ROWS";

/// The database of the object that handles a request.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, Result};
///
/// fn add(ctx: &mut Context, name: &str) -> Result<u64> {
///     let mut sql = ctx.sql();
///     sql.reborrow().exec("INSERT INTO people (name) VALUES (?)", (name,))?;
///     sql.exec("SELECT count(*) FROM people", ())?.one()
/// }
/// ```
pub struct Sql<'a> {
    database: &'a mut Database,
    speaker: Speaker,
}

/// The rows of a statement, to be read one by one or all at once.
///
/// Rows become any type that serde can deserialize: a struct or a map by the columns' names, a
/// tuple by their order, a scalar or an `Option` of one when there is a single column. Within a
/// row, an `INTEGER` becomes an integer, a float or (0 and 1) a bool; a `REAL` a float; a `TEXT` a
/// string or a unit variant, and, where a struct, map or list is expected, it is parsed as JSON; a
/// `BLOB` a `Vec<u8>`; `NULL` a `None`.
///
/// ```
/// # use dotdo_core as dotdo;
/// #[derive(serde::Deserialize)]
/// struct Line {
///     sku: String,
///     cents: u32,
///     tags: Vec<String>,
/// }
///
/// fn lines(ctx: &mut dotdo::Context) -> dotdo::Result<Vec<Line>> {
///     ctx.sql().exec("SELECT sku, cents, tags FROM lines", ())?.rows()
/// }
///
/// fn first(ctx: &mut dotdo::Context) -> dotdo::Result<Option<String>> {
///     ctx.sql().exec("SELECT sku FROM lines ORDER BY sku LIMIT 1", ())?.first()
/// }
/// ```
pub struct SqlCursor<'a> {
    cursor: Cursor<'a>,
    columns: Vec<String>,
}

impl<'a> Sql<'a> {
    pub(crate) fn new(database: &'a mut Database) -> Self {
        Self { database, speaker: Speaker::Class }
    }

    /// The database for dotdo's own statements, which may write reserved tables.
    pub(crate) fn own(database: &'a mut Database) -> Self {
        Self { database, speaker: Speaker::Dotdo }
    }

    /// Runs one or more SQL statements. The parameters are for the last one, and the cursor reads
    /// its rows. All changes are made when this returns, whether rows are read or not.
    ///
    /// Parameters are `[]`, a tuple, an array, a slice or a `Vec` of anything that is
    /// [`IntoValue`].
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn rename(ctx: &mut dotdo::Context, id: i64, name: Option<&str>) -> dotdo::Result<bool> {
    ///     let update = "UPDATE people SET name = ? WHERE id = ? RETURNING id";
    ///     let renamed: Option<i64> = ctx.sql().exec(update, (name, id))?.first()?;
    ///     Ok(renamed.is_some())
    /// }
    /// ```
    ///
    /// # Errors
    /// `Handler` with the code `SQL_ERROR` for an invalid statement or a violated constraint,
    /// `SQL_REFUSED` for a statement that is not allowed; `Full`, `TooLarge` and `TimedOut` at the
    /// limits. After a `Full` or a `TimedOut`, SQLite may have rolled the whole transaction back;
    /// then every later statement and the commit fail alike.
    ///
    /// SQLite's messages are for the class and the log: a client gets the code and a general
    /// message, unless the class returns the error as [`Error::disclosed`].
    pub fn exec(self, sql: &str, params: impl IntoParams) -> Result<SqlCursor<'a>> {
        let cursor = self.database.exec_as(self.speaker, sql, params.into_params()?)?;
        let columns = cursor.column_names();
        Ok(SqlCursor { cursor, columns })
    }

    /// Borrows the database for one statement, so that this value can be used again.
    pub fn reborrow(&mut self) -> Sql<'_> {
        Sql { database: self.database, speaker: self.speaker }
    }

    /// The size of the database in bytes: its pages, used or free.
    pub fn database_size(&self) -> u64 {
        self.database.page_bytes()
    }
}

impl SqlCursor<'_> {
    /// The names of the columns, in order.
    pub fn column_names(&self) -> &[String] {
        &self.columns
    }

    /// The next row.
    ///
    /// # Errors
    /// `Handler` with the code `UNEXPECTED_ROWS` when the row is not a `T`; those of [`Sql::exec`].
    #[expect(
        clippy::should_implement_trait,
        reason = "each row may become another type, which an iterator can't offer"
    )]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.cursor.next()? {
            Some(row) => decode::row(&self.columns, &row).map(Some),
            None => Ok(None),
        }
    }

    /// The only row.
    ///
    /// # Errors
    /// As [`SqlCursor::next`]; `Handler` with the code `UNEXPECTED_ROWS`, saying how many rows there are,
    /// if there is not exactly one.
    pub fn one<T: DeserializeOwned>(&mut self) -> Result<T> {
        let Some(row) = self.next()? else { return Err(not_one(0)) };
        let mut count = 1;
        while self.cursor.next()?.is_some() {
            count += 1;
        }
        if count == 1 { Ok(row) } else { Err(not_one(count)) }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`SqlCursor::next`].
    pub fn first<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        self.next()
    }

    /// All rows that were not read yet.
    ///
    /// # Errors
    /// As [`SqlCursor::next`].
    pub fn rows<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        while let Some(row) = self.next()? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// All rows that were not read yet as JSON objects.
    ///
    /// Integers are exact. Infinite reals, which JSON lacks, are the strings `"Infinity"` and
    /// `"-Infinity"`. Blobs are base64 strings with padding. Invalid UTF-8 becomes U+FFFD. Text
    /// that contains JSON stays text. Of columns with the same name the last one wins.
    ///
    /// # Errors
    /// Those of [`Sql::exec`].
    pub fn json(&mut self) -> Result<Vec<serde_json::Map<String, serde_json::Value>>> {
        let mut rows = Vec::new();
        while let Some(row) = self.cursor.next()? {
            let values = (0..row.len()).map(|index| json(row.value(index)));
            rows.push(self.columns.iter().cloned().zip(values).collect());
        }
        Ok(rows)
    }

    /// The next row, as SQLite values.
    ///
    /// # Errors
    /// Those of [`Sql::exec`].
    pub(crate) fn next_values(&mut self) -> Result<Option<Vec<Value>>> {
        let row = self.cursor.next()?;
        Ok(row.map(|row| (0..row.len()).map(|index| row.value(index).to_owned()).collect()))
    }

    /// All rows that were not read yet, as SQLite values.
    ///
    /// # Errors
    /// Those of [`Sql::exec`].
    pub fn values(&mut self) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        while let Some(row) = self.cursor.next()? {
            rows.push((0..row.len()).map(|index| row.value(index).to_owned()).collect());
        }
        Ok(rows)
    }

    /// Number of rows that the last statement has read so far: the rows that it returned, or the
    /// rows of its full table scans if those are more. It is a lower bound, because SQLite does not
    /// count rows that an index found and the statement skipped.
    pub fn rows_read(&self) -> u64 {
        self.cursor.rows_read()
    }

    /// Number of rows that the last statement has inserted, updated and deleted, including triggers
    /// and cascades, rows that `REPLACE` removes, and the internal rows of FTS5 and R-Tree.
    pub fn rows_written(&self) -> u64 {
        self.cursor.rows_written()
    }

    /// The size of the database in bytes, as [`Sql::database_size`].
    pub fn database_size(&self) -> u64 {
        self.cursor.database_bytes()
    }
}

/// The error for rows of an unexpected type.
fn mismatch(message: impl std::fmt::Display) -> Error {
    Error::handler(message).with_code(UNEXPECTED_ROWS).confidential(
        "the rows in the object's database do not have the types that its class expects",
    )
}

fn not_one(count: u64) -> Error {
    mismatch(format!("expected exactly one row, got {count}"))
}

fn json(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(value) => value.into(),
        ValueRef::Real(value) => match serde_json::Number::from_f64(value) {
            Some(number) => number.into(),
            None => (if value > 0.0 { "Infinity" } else { "-Infinity" }).into(),
        },
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into(),
        ValueRef::Blob(bytes) => STANDARD.encode(bytes).into(),
    }
}
