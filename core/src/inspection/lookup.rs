//! The rows of a table with a key, without a restore where that pays.

use super::Inspection;
use super::answers::Answer;
use super::query::{answer, disclosed};
use super::state::{State, state};
use crate::activation::{Runtime, Wanted, look_up, place_of_former};
use crate::budget::Use;
use crate::change::Value;
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::id::ObjectId;
use crate::limits::ANSWER_ROWS_MAX;
use crate::log::Log;
use crate::sqlite::{KeyStatement, Speaker};

/// The size of a snapshot's files, in bytes, from which on a row is looked up in them: a lookup is
/// two round trips longer than a restore, in which time about this much is read and decoded.
const RESTORED_BELOW: u64 = 4 << 20;

/// Which rows are wanted, by the key of a table.
///
/// The key is the primary key; without one, that of the first unique index, or else of the first
/// index, or else the rowid.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::RowQuery;
/// use dotdo::sql::Value;
///
/// let query = RowQuery { table: "orders".to_owned(), key: vec![Value::Integer(1)] };
/// let answer = engine.inspection().rows(&object, query).await?;
/// assert_eq!(answer.rows, [[Value::Integer(1), Value::Text("tea".into())]]);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowQuery {
    /// The table, as it is called in the schema.
    pub table: String,
    /// A value for each column of its key. They are compared as SQLite compares them with `=`.
    pub key: Vec<Value>,
}

impl Inspection {
    /// The rows of a table with a key, in their newest state.
    ///
    /// Of a large object, only what is needed to find them is read: in the newest snapshot, the ends
    /// of the table's files, a part of the index by the key, and the pages with the rows; and the
    /// records after it. All others are restored.
    ///
    /// # Errors
    ///
    /// `Invalid` for a key of another table, or with too few or too many values; those of
    /// [`Inspection::query`].
    pub async fn rows(&self, object: &ObjectId, query: RowQuery) -> Result<Answer> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(rows(self.runtime(), &log, &query, RESTORED_BELOW)).await
    }
}

pub(super) async fn rows(
    runtime: &Runtime,
    log: &Log,
    query: &RowQuery,
    restored_below: u64,
) -> Result<Answer> {
    let mut state = match partial(runtime, log, query, restored_below).await? {
        Some(state) => state,
        None => state(runtime, log, None).await?,
    };
    let is_table = state.database.shapes().iter().any(|shape| shape.name == query.table);
    if !is_table {
        let text = format!("no such table: {}", query.table);
        return Err(Error::invalid(text).with_code("NO_SUCH_TABLE"));
    }
    let KeyStatement { sql, names } = state.database.select_by_key(&query.table)?;
    if names.len() != query.key.len() {
        return Err(Error::invalid(format!(
            "expected a value for each of {}, the key of {:?}, got {}",
            names.join(", "),
            query.table,
            query.key.len()
        )));
    }
    state.begin(runtime, &log.object).await?;
    let sequence = state.sequence;
    let found = offload(runtime.executor.as_ref(), || {
        let cursor = state.database.exec_as(Speaker::Class, &sql, query.key.clone())?;
        answer(cursor, ANSWER_ROWS_MAX)
    });
    Ok(Answer { sequence, ..found.map_err(disclosed)? })
}

/// A state with the wanted rows only; `None` when a restore is needed.
pub(super) async fn partial(
    runtime: &Runtime,
    log: &Log,
    query: &RowQuery,
    restored_below: u64,
) -> Result<Option<State>> {
    let place = place_of_former(runtime, &log.object).await?;
    let mut room = runtime.budget.count(Use::TimeTravel, &log.object, 0);
    let wanted = Wanted { table: &query.table, key: &query.key, restored_below };
    let found = look_up(runtime, log, wanted, &mut room).await?;
    Ok(found.map(|found| State::new(runtime, (found.database, found.sequence), room, place)))
}
