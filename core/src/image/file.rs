//! A SQLite file for programs that work with what they took out of an object: its schema and rows.

use bytes::Bytes;

use super::{Bounds, explained, import};
use crate::change::{KeyShape, SchemaKind, TableShape, ValueRef};
use crate::error::{Error, Result};
use crate::iceberg::{Layout, RowEncoder};
use crate::sqlite::{Database, Foreign, Limits, Mode, Speaker};

/// A database in memory that was read from a SQLite file, or that will become one.
///
/// It is for the program's own use, outside of any object: there is no limit but the machine's
/// memory. It runs the SQL of objects, so what it makes can be an object's database.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod commands { pub use dotdo_core::*; } pub mod sql { pub use dotdo_core::*; } }
/// use dotdo::commands::SqliteFile;
/// use dotdo::sql::ValueRef;
///
/// let mut made = SqliteFile::new()?;
/// made.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES(7, 'seven')")?;
/// let file = SqliteFile::open(made.bytes()?)?;
/// assert_eq!(file.tables()[0].name, "note");
/// file.rows("note", |rowid, values| {
///     assert_eq!((rowid, values[1]), (Some(7), ValueRef::Text(b"seven")));
///     Ok(())
/// })?;
/// # Ok::<(), dotdo::Error>(())
/// ```
pub struct SqliteFile {
    database: Database,
}

/// One row of `sqlite_schema`. [`SqliteTable`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteObject {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The table that it belongs to; its own name for tables and views.
    pub table: String,
    /// Its definition; `None` for the indexes of constraints.
    pub sql: Option<String>,
}

/// A table with rows. A virtual table has none, but the tables in which it keeps its content do.
///
/// ```
/// # mod dotdo { pub mod commands { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::commands::SqliteFile;
///
/// let mut file = SqliteFile::new()?;
/// file.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)")?;
/// assert_eq!(file.schema()[0].kind, "table");
/// let note = &file.tables()[0];
/// assert_eq!((&*note.name, note.has_hidden_rowid), ("note", false));
/// assert_eq!(note.columns[0].key, Some(0));
/// assert_eq!(note.columns[1].declared, "TEXT");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteTable {
    /// Its name.
    pub name: String,
    /// The columns that are stored: all but generated ones.
    pub columns: Vec<SqliteColumn>,
    /// Whether rows have a rowid that no column shows.
    pub has_hidden_rowid: bool,
}

/// A column that is stored. [`SqliteTable`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteColumn {
    /// Its name.
    pub name: String,
    /// Its type as it was declared; empty when there is none.
    pub declared: String,
    /// Its place in the primary key, from 0; `None` when it is not part of it. Only the keys by
    /// which rows are found count: an `INTEGER PRIMARY KEY`, and that of a `WITHOUT ROWID` table.
    pub key: Option<usize>,
}

impl SqliteFile {
    /// An empty database.
    ///
    /// # Errors
    ///
    /// `Internal` when there is no memory.
    pub fn new() -> Result<Self> {
        Ok(Self { database: Database::new(&limits())? })
    }

    /// Opens the bytes of a file, which are checked from the first page to the last; they may come
    /// from anywhere. Everything in it is kept, dotdo's own tables too.
    ///
    /// # Errors
    ///
    /// `Invalid` (`BAD_DATABASE_FILE`) when it is not a whole SQLite file, or has what no object can
    /// have.
    pub fn open(bytes: impl Into<Bytes>) -> Result<Self> {
        let Bounds { reading, making } = Bounds::default();
        let opened = Foreign::open(bytes.into(), &limits(), reading);
        let copied = opened.and_then(|file| file.copy(&limits(), making, |_| Ok(true)));
        Ok(Self { database: copied.map_err(explained)?.database })
    }

    /// Opens the bytes of a file as an object would take them: without the tables of dotdo that
    /// belong to an object's history. Also says how many tables and rows there are.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteFile::open`], and `Invalid` (`RESERVED_NAME`) for other names that begin
    /// with `_dotdo_`.
    pub fn open_as_state(bytes: impl Into<Bytes>) -> Result<(Self, (u64, u64))> {
        let imported = import(bytes.into(), &limits(), Bounds::default())?;
        Ok((Self { database: imported.database }, imported.counts))
    }

    /// Runs statements in one transaction of their own.
    ///
    /// # Errors
    ///
    /// `Invalid` for what they do wrong; nothing of them is done then.
    pub fn execute(&mut self, sql: &str) -> Result<()> {
        self.database.begin(Mode::ReadWrite)?;
        let done = run(&mut self.database, sql);
        self.undone(done)
    }

    /// Runs statements of a dump, as [`SqliteFile::execute`] does, but foreign keys are not enforced: a
    /// dump may have rows before those that they refer to.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod commands { pub use dotdo_core::*; } }
    /// use dotdo::commands::SqliteFile;
    ///
    /// let mut file = SqliteFile::new()?;
    /// file.execute("CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a)")?;
    /// assert!(file.execute("INSERT INTO b VALUES(1)").is_err());
    /// file.execute_dump("INSERT INTO b VALUES(1)")?;
    /// file.execute_dump("INSERT INTO a VALUES(1)")?;
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`SqliteFile::execute`].
    pub fn execute_dump(&mut self, sql: &str) -> Result<()> {
        self.database.begin(Mode::ReadWrite)?;
        let done = self.database.without_foreign_keys(|database| run(database, sql));
        self.undone(done)
    }

    /// The outcome of a transaction, of which nothing is left when it failed.
    fn undone(&mut self, done: Result<()>) -> Result<()> {
        done.map_err(|error| {
            self.database.rollback();
            Error::invalid(error.message()).with_code(error.code())
        })
    }

    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// `Internal` when there is no memory.
    pub fn bytes(&self) -> Result<Bytes> {
        self.database.image()
    }

    /// Everything in `sqlite_schema`, in its order.
    pub fn schema(&self) -> Vec<SqliteObject> {
        let objects = &self.database.header().schema.objects;
        let object = |object: &crate::change::SchemaObject| SqliteObject {
            kind: match object.kind {
                SchemaKind::Table => "table",
                SchemaKind::Index => "index",
                SchemaKind::View => "view",
                SchemaKind::Trigger => "trigger",
            },
            name: object.name.clone(),
            table: object.table.clone(),
            sql: object.sql.clone(),
        };
        objects.iter().map(object).collect()
    }

    /// The tables with rows, in the order of the schema.
    pub fn tables(&self) -> Vec<SqliteTable> {
        self.database.shapes().iter().map(table).collect()
    }

    /// AUTOINCREMENT's counters, by table.
    pub fn sequences(&self) -> impl Iterator<Item = (&str, i64)> {
        self.database.header().sequences.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// `PRAGMA user_version`.
    pub fn user_version(&self) -> i32 {
        self.database.header().user_version
    }

    /// `PRAGMA application_id`.
    pub fn application_id(&self) -> i32 {
        self.database.header().application_id
    }

    /// Calls `each` with every row of a table in the order of its key: the rowid, which
    /// `WITHOUT ROWID` tables do not have, and the values of [`SqliteTable::columns`].
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such table; that of `each`, after which no more rows are read.
    pub fn rows(
        &self,
        table: &str,
        mut each: impl FnMut(Option<i64>, &[ValueRef<'_>]) -> Result<()>,
    ) -> Result<()> {
        self.database.scan(table, &mut each)
    }

    /// All rows of a table as a Parquet file, as in the data files of a snapshot: each column has the
    /// type that was declared for it, `_dotdo_rowid` the rowid that no column shows, and
    /// `_dotdo_exact` what does not fit a type.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod commands { pub use dotdo_core::*; } }
    /// use dotdo::commands::SqliteFile;
    ///
    /// let mut file = SqliteFile::new()?;
    /// file.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note VALUES(7, 'seven')")?;
    /// let bytes = file.table_as_parquet("note")?;
    /// assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such table; `Internal` when there is no memory.
    pub fn table_as_parquet(&self, table: &str) -> Result<Bytes> {
        let shape = self.database.shapes().iter().find(|shape| shape.name == table);
        let shape =
            shape.ok_or_else(|| Error::not_found(format!("there is no table {table:?}")))?;
        let layout = Layout::new(shape, &Layout::fresh_ids(shape.columns.len()));
        let mut encoder = RowEncoder::new(&layout)?;
        self.rows(table, |rowid, values| encoder.push(rowid, values))?;
        Ok(encoder.finish()?.bytes)
    }
}

impl std::fmt::Debug for SqliteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteFile").field("tables", &self.database.shapes().len()).finish()
    }
}

/// Runs statements in the open transaction, and commits it.
fn run(database: &mut Database, sql: &str) -> Result<()> {
    let mut cursor = database.exec_as(Speaker::Dotdo, sql, Vec::new())?;
    while cursor.next()?.is_some() {}
    drop(cursor);
    database.commit()
}

fn table(shape: &TableShape) -> SqliteTable {
    let key = |index: usize| match &shape.key {
        KeyShape::Rowid { alias } => (*alias == Some(index)).then_some(0),
        KeyShape::Primary(columns) => columns.iter().position(|column| *column == index),
    };
    let column = |(index, column): (usize, &crate::change::Column)| SqliteColumn {
        name: column.name.clone(),
        declared: column.declared.clone(),
        key: key(index),
    };
    SqliteTable {
        name: shape.name.clone(),
        columns: shape.columns.iter().enumerate().map(column).collect(),
        has_hidden_rowid: shape.has_hidden_rowid(),
    }
}

/// The machine's own limits.
fn limits() -> Limits {
    Limits {
        database_bytes_max: u64::MAX,
        row_bytes_max: i32::MAX.cast_unsigned(),
        temporary_bytes_max: u64::MAX,
    }
}
