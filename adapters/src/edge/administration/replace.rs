//! What gives an object another state: a restore, a clone, its end; a snapshot now, and the roll-up of
//! a class.

use dotdo_core::{
    At, Body, Deleted, Error, ObjectId, Replaced, Response, Result, RolledUp, millis, parse_at,
};
use http::StatusCode;
use serde::Deserialize;

use super::Call;
use super::precondition::precondition;
use super::query::Query;
use crate::edge::json::json;

/// The body of a request for a restore.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    at: Option<serde_json::Value>,
    from: Option<From>,
}

/// Another object of the tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    class: String,
    id: String,
}

pub(super) async fn restore(call: &Call<'_>, object: &ObjectId, body: Body) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let Asked { at, from } = body.json().await?;
    if at.is_none() && from.is_none() {
        return Err(Error::invalid("expected `at`, `from` or both; the object is as it is"));
    }
    let at = at.as_ref().map(moment).transpose()?;
    let from = from.map(|from| named(call, &from)).transpose()?;
    let precondition = precondition(&call.head.headers)?;
    let administration = call.engine.administration();
    let from = (from.as_ref().unwrap_or(object), at);
    administration.restore_state(object, from, precondition).await.map(replaced)
}

/// The object whose class may have any name that it has had.
fn named(call: &Call<'_>, from: &From) -> Result<ObjectId> {
    call.engine.administration().object(&call.tenant, (&from.class, &from.id))
}

pub(super) async fn delete(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let precondition = precondition(&call.head.headers)?;
    let deleted = call.engine.administration().delete_object(object, precondition).await?;
    let Deleted { sequence, restorable_until_ms } = deleted;
    let until = millis::text(restorable_until_ms);
    Ok(json(
        serde_json::json!({ "state": "deleted", "sequence": sequence, "restorableUntil": until }),
    ))
}

pub(super) async fn snapshot(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let made = call.engine.administration().snapshot_now(object).await?;
    let mut response = json(serde_json::json!({ "name": made.name, "sequence": made.sequence }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Has all objects of a class in its roll-up.
pub(super) async fn roll_up(call: &Call<'_>, class: &str) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let done = call.engine.administration().roll_up(&call.tenant, class).await?;
    let RolledUp { objects, changed, copied, removed, failed } = done;
    Ok(json(serde_json::json!({
        "objects": objects, "changed": changed, "copied": copied, "removed": removed, "failed": failed
    })))
}

/// The response for an object with a new state.
pub(super) fn replaced(done: Replaced) -> Response {
    let Replaced { sequence, tables, rows, is_new } = done;
    let mut response =
        json(serde_json::json!({ "sequence": sequence, "tables": tables, "rows": rows }));
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// A time or a record in JSON.
///
/// # Errors
///
/// `Invalid` for what is neither.
pub(super) fn moment(at: &serde_json::Value) -> Result<At> {
    match at {
        serde_json::Value::String(text) => parse_at(text),
        serde_json::Value::Number(number) => parse_at(&number.to_string()),
        _ => Err(Error::invalid("expected a time or a number for `at`")),
    }
}
