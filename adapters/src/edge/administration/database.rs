//! `/objects/{class}/{id}/database`: the database as a SQLite file.

use bytes::Bytes;
use dotdo_core::{ObjectId, Response, Result};
use http::{HeaderName, HeaderValue, header};

use super::Call;
use super::precondition::precondition;
use super::query::Query;
use super::replace::replaced;

/// The header that says which record is the last in a file.
const SEQUENCE: HeaderName = HeaderName::from_static("dotdo-sequence");

/// The media type of SQLite files (IANA).
const SQLITE: HeaderValue = HeaderValue::from_static("application/vnd.sqlite3");

pub(super) async fn take(call: &Call<'_>, object: &ObjectId) -> Result<Response> {
    let at = Query::of(&call.head.uri, &["at"])?.at()?;
    let file = call.engine.inspection().file(object, at).await?;
    let sequence = HeaderValue::from(file.sequence);
    let mut response = Response::new(file.into_body());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, SQLITE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(SEQUENCE, sequence);
    Ok(response)
}

/// Makes a file the state of the object.
pub(super) async fn put(call: &Call<'_>, object: &ObjectId, file: Bytes) -> Result<Response> {
    let precondition = precondition(&call.head.headers)?;
    let administration = call.engine.administration();
    administration.import(object, file, precondition).await.map(replaced)
}
