//! SQL on an object's database without its class.

use crate::change::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_ROWS_MAX};
use crate::object::{Body, Request, Response, Sql};
use crate::sqlite::Database;

/// SQL to be run on an object: one or more statements, of which the last one has the parameters and
/// the rows.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Statements;
/// use dotdo::sql::Value;
///
/// let statements = Statements {
///     sql:
///         "CREATE INDEX items ON orders (item); SELECT count(*) FROM orders WHERE item = ?"
///             .to_owned(),
///     params: vec![Value::Text("tea".into())],
///     rows_max: 100,
/// };
/// let found = engine.administration().execute(&object, statements).await?;
/// assert_eq!(found.rows.rows, [[Value::Integer(1)]]);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// The statements' text.
    pub sql: String,
    /// The parameters of the last one.
    pub params: Vec<Value>,
    /// How many rows are wanted at most.
    pub rows_max: usize,
}

/// What the last of some statements has returned.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Statements;
/// use dotdo::sql::Value;
///
/// let sql = "SELECT id, item FROM orders ORDER BY id".to_owned();
/// let statements = Statements { sql, rows_max: 1, ..Statements::default() };
/// let rows = engine.administration().execute(&object, statements).await?.rows;
/// assert_eq!(rows.columns, ["id", "item"]);
/// assert_eq!(rows.rows, [[Value::Integer(1), Value::Text("tea".into())]]);
/// assert!(rows.truncated, "there are two orders");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatementRows {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows, as many as were wanted and fit.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows.
    pub truncated: bool,
    /// A lower bound of the rows that it has read.
    pub rows_read: u64,
    /// How many rows it has inserted, updated and deleted.
    pub rows_written: u64,
}

impl Statements {
    /// The request that runs them in its turn.
    pub(super) fn request(self) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(self);
        request
    }

    /// Runs them inside the open transaction; the rows are in the response's extensions.
    ///
    /// # Errors
    ///
    /// Those of [`Statements::rows`].
    pub(crate) fn run(&self, database: &mut Database) -> Result<Response> {
        let rows = self.rows(database)?;
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(rows);
        Ok(response)
    }

    /// Runs them inside the open transaction.
    ///
    /// # Errors
    ///
    /// `Invalid` for what the statements do wrong; otherwise those of [`Sql::exec`].
    pub(crate) fn rows(&self, database: &mut Database) -> Result<StatementRows> {
        let mut cursor =
            Sql::new(database).exec(&self.sql, self.params.as_slice()).map_err(told)?;
        let mut answer =
            StatementRows { columns: cursor.column_names().to_vec(), ..StatementRows::default() };
        let (rows_max, mut bytes) = (self.rows_max.min(ANSWER_ROWS_MAX), 0);
        while let Some(row) = cursor.next_values().map_err(told)? {
            bytes += row.iter().map(Value::bytes).sum::<usize>();
            if answer.rows.len() == rows_max || bytes > ANSWER_BYTES_MAX {
                answer.truncated = true;
                break;
            }
            answer.rows.push(row);
        }
        (answer.rows_read, answer.rows_written) = (cursor.rows_read(), cursor.rows_written());
        Ok(answer)
    }
}

/// The error of a statement as its author reads it, who may see the whole database.
fn told(error: Error) -> Error {
    if error.kind() != ErrorKind::Handler {
        return error.disclosed();
    }
    let told = Error::invalid(error.message()).with_code(error.code());
    match error.details() {
        Some(details) => told.with_details(details.clone()),
        None => told,
    }
}
