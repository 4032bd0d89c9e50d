//! A request to the routes.

use dotdo::bytes::Bytes;
use dotdo::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What is encoded in a segment of a path and in a query: all but the unreserved characters of RFC
/// 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request to the routes of administration.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(super) method: Method,
    target: String,
    pub(super) body: Bytes,
    pub(super) content_type: Option<&'static str>,
}

impl Ask {
    /// GET of the path with these segments.
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// POST to the path with these segments.
    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments)
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let target = path(segments);
        Self { method, target, body: Bytes::new(), content_type: None }
    }

    /// One more parameter, if it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let separator = if self.target.contains('?') { '&' } else { '?' };
            let value = utf8_percent_encode(value, RESERVED);
            self.target = format!("{}{separator}{name}={value}", self.target);
        }
        self
    }

    /// With a body of JSON.
    pub(crate) fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string().into();
        self.content_type = Some("application/json");
        self
    }

    /// Whether it changes nothing, so that it may be sent again.
    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Path and query behind `prefix`.
    pub(super) fn target(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.target)
    }
}

/// The path with these segments.
pub(super) fn path(segments: &[&str]) -> String {
    segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, RESERVED))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_values_are_encoded() {
        let ask = Ask::get(&["objects", "Counter", "a/b ü"])
            .query("at", None)
            .query("prefix", Some("x&y"));
        assert_eq!(
            ask.query("limit", Some("5")).target("/tenants/acme/shop"),
            "/tenants/acme/shop/objects/Counter/a%2Fb%20%C3%BC?prefix=x%26y&limit=5"
        );
    }
}
