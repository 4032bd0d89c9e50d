//! `/objects/{class}/{id}/rows`: the rows of a table with a key.

use dotdo_core::{Body, ObjectId, Response, Result, RowQuery};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Call, values};

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    table: String,
    key: Vec<Box<RawValue>>,
}

pub(super) async fn find(call: &Call<'_>, object: &ObjectId, body: Body) -> Result<Response> {
    let Asked { table, key } = body.json().await?;
    let key = key.iter().map(|value| values::read(value)).collect::<Result<_>>()?;
    let answer = call.engine.inspection().rows(object, RowQuery { table, key }).await?;
    Ok(values::response(&answer))
}
