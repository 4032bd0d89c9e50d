//! One statement on the state of an object, read-only.

use super::Inspection;
use super::answers::Answer;
use super::state::state;
use crate::activation::Runtime;
use crate::change::{Value, ValueRef};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::id::ObjectId;
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_ROWS_MAX};
use crate::log::Log;
use crate::router::At;
use crate::sqlite::{Cursor, Speaker};

/// Memory of a value besides its bytes.
const VALUE_BYTES: usize = size_of::<Value>();

/// The stable code of a statement that would change something.
const READ_ONLY: &str = "READ_ONLY";

/// A statement, and what is wanted of its rows.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Statement;
/// use dotdo::sql::Value;
///
/// let statement = Statement {
///     sql: "SELECT count(*) FROM orders WHERE item = ?".to_owned(),
///     params: vec![Value::Text("tea".into())],
///     limit: 1,
/// };
/// let answer = engine.inspection().query(&object, None, statement).await?;
/// assert_eq!(answer.rows, [[Value::Integer(1)]]);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// The SQL. Of several statements, the rows of the last are returned.
    pub sql: String,
    /// The parameters of the last statement.
    pub params: Vec<Value>,
    /// Maximum number of rows, at most 100,000.
    pub limit: usize,
}

impl Inspection {
    /// Runs a statement on the state of an object at `at`, or now. It can't change anything.
    ///
    /// # Errors
    ///
    /// `Invalid` for a statement that is wrong (`SQL_ERROR`), not allowed (`SQL_REFUSED`), or would
    /// change something (`READ_ONLY`); `TimedOut` when it takes longer than a handler may;
    /// `NotFound` when there is no such object, or no such state of it; those of a restore; `Gone`
    /// when the tenant is closed.
    pub async fn query(
        &self,
        object: &ObjectId,
        at: Option<At>,
        statement: Statement,
    ) -> Result<Answer> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(query(self.runtime(), &log, at, statement)).await
    }
}

async fn query(
    runtime: &Runtime,
    log: &Log,
    at: Option<At>,
    statement: Statement,
) -> Result<Answer> {
    let mut state = state(runtime, log, at).await?;
    state.begin(runtime, &log.object).await?;
    let (sequence, limit) = (state.sequence, statement.limit);
    let answer = offload(runtime.executor.as_ref(), || {
        let cursor =
            state.database.exec_as(Speaker::Class, &statement.sql, statement.params.clone())?;
        answer(cursor, limit)
    });
    let answer = answer.map_err(disclosed)?;
    Ok(Answer { sequence, ..answer })
}

/// The rows of a statement, at most `limit` of them.
///
/// # Errors
///
/// Those of the statement.
pub(super) fn answer(mut cursor: Cursor<'_>, limit: usize) -> Result<Answer> {
    let limit = limit.min(ANSWER_ROWS_MAX);
    let columns = cursor.column_names();
    let (mut rows, mut bytes, mut truncated) = (Vec::new(), 0, false);
    while let Some(row) = cursor.next()? {
        bytes += (0..row.len()).map(|index| weight(row.value(index))).sum::<usize>();
        if rows.len() == limit || bytes > ANSWER_BYTES_MAX {
            truncated = true;
            break;
        }
        rows.push((0..row.len()).map(|index| row.value(index).to_owned()).collect());
    }
    let (rows_read, rows_written) = (cursor.rows_read(), cursor.rows_written());
    Ok(Answer { columns, rows, truncated, rows_read, rows_written, sequence: 0 })
}

fn weight(value: ValueRef<'_>) -> usize {
    VALUE_BYTES
        + match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            _ => 0,
        }
}

/// The error of a statement as its author reads it, who may see the whole database.
pub(super) fn disclosed(error: Error) -> Error {
    match (error.kind(), error.code()) {
        (ErrorKind::Invalid, "SQL_REFUSED") => {
            Error::invalid("the statement would change something; allow it with `write`")
                .with_code(READ_ONLY)
        }
        (ErrorKind::Handler, code @ ("SQL_ERROR" | "SQL_REFUSED")) => {
            Error::invalid(error.message()).with_code(code)
        }
        _ => error,
    }
}
