//! Responses with JSON.

use dotdo_core::Response;
use http::{HeaderValue, header};

/// A 200 with JSON.
pub(crate) fn json(value: serde_json::Value) -> Response {
    let mut response = Response::new(value.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
