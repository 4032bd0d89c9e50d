//! `/objects/{class}/{id}`: what the object is, its snapshots, and whether all of it is whole.

use dotdo_core::{Body, ObjectId, Response, Result};
use http::{HeaderValue, header};

use super::Call;
use super::query::Query;
use crate::edge::json::json;

pub(super) async fn describe(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    let at = Query::of(&call.head.uri, &["at"])?.at()?;
    let description = call.engine.inspection().describe(object, at).await?;
    Ok(json(serde_json::to_value(description)?))
}

pub(super) async fn snapshots(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let items = call.engine.inspection().snapshots(object).await?;
    Ok(json(serde_json::json!({ "items": items })))
}

pub(super) async fn verify(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    Ok(lines(Body::new(call.engine.inspection().verify(object).await?.into_lines())))
}

/// A response of lines of JSON.
pub(super) fn lines(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
