//! `/objects/{class}/{id}/sql`: a statement on the object's database.

use dotdo_core::{Body, Engine, Error, ObjectId, Response, Result, Statement, parse_at};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::values;
use crate::edge::context::RequestContext;

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

/// The object, and where it is.
pub(super) struct What<'a> {
    pub(super) engine: &'a Engine,
    pub(super) object: ObjectId,
}

impl Asked {
    /// # Errors
    ///
    /// `Invalid` for a body that is not this JSON; those of reading it.
    pub(super) async fn read(body: Body) -> Result<Self> {
        body.json().await
    }

    fn statement(&mut self) -> Result<Statement> {
        let params = std::mem::take(&mut self.params);
        Ok(Statement {
            sql: std::mem::take(&mut self.sql),
            params: params.iter().map(|param| values::read(param)).collect::<Result<_>>()?,
            limit: self.limit.unwrap_or(ROWS),
        })
    }
}

impl What<'_> {
    pub(super) async fn run(self, mut asked: Asked, _: &RequestContext) -> Result<Response> {
        let at = match &asked.at {
            None => None,
            Some(serde_json::Value::String(text)) => Some(parse_at(text)?),
            Some(serde_json::Value::Number(number)) => Some(parse_at(&number.to_string())?),
            Some(_) => return Err(Error::invalid("expected a time or a number for `at`")),
        };
        let statement = asked.statement()?;
        if asked.write {
            return Err(Error::invalid("this server runs no statements that write"));
        }
        let answer = self.engine.inspection().query(&self.object, at, statement).await?;
        Ok(values::response(&answer))
    }
}
