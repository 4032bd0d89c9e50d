//! `/objects/{class}/{id}/sql`: a statement on the object's database.

use dotdo_core::{
    Answer, Body, Error, Executed, ObjectId, Response, Result, Statement, Statements,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::replace::moment;
use super::{Call, values};

/// Number of rows that are returned, unless the request says another.
const ROWS: usize = 1000;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    sql: String,
    #[serde(default)]
    params: Vec<Box<RawValue>>,
    #[serde(default)]
    write: bool,
    at: Option<serde_json::Value>,
    limit: Option<usize>,
}

impl Asked {
    /// # Errors
    ///
    /// `Invalid` for a body that is not this JSON; those of reading it.
    pub(super) async fn read(body: Body) -> Result<Self> {
        body.json().await
    }

    /// Whether it may change the object.
    pub(super) fn writes(&self) -> bool {
        self.write
    }

    fn params(&self) -> Result<Vec<dotdo_core::Value>> {
        self.params.iter().map(|param| values::read(param)).collect()
    }
}

/// Runs a statement that changes nothing.
pub(super) async fn query(call: &Call<'_>, object: &ObjectId, asked: Asked) -> Result<Response> {
    let at = asked.at.as_ref().map(moment).transpose()?;
    let limit = asked.limit.unwrap_or(ROWS);
    let statement = Statement { params: asked.params()?, sql: asked.sql, limit };
    let answer = call.engine.inspection().query(object, at, statement).await?;
    Ok(values::response(&answer))
}

/// Runs statements that may change the object, as one request of it.
pub(super) async fn execute(call: &Call<'_>, object: &ObjectId, asked: Asked) -> Result<Response> {
    if asked.at.is_some() {
        return Err(Error::invalid(
            "expected `at` or `write`, got both: the past can't be changed",
        ));
    }
    let rows_max = asked.limit.unwrap_or(ROWS);
    let statements = Statements { params: asked.params()?, sql: asked.sql, rows_max };
    let Executed { rows, sequence } =
        call.engine.administration().execute(object, statements).await?;
    Ok(values::response(&Answer {
        columns: rows.columns,
        rows: rows.rows,
        truncated: rows.truncated,
        rows_read: rows.rows_read,
        rows_written: rows.rows_written,
        sequence,
    }))
}
