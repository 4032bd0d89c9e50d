//! A request to the routes.

use dotdo::bytes::Bytes;
use dotdo::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::objects::options::Existing;

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
    /// What the object must be, as a header.
    pub(super) condition: Option<(&'static str, String)>,
    /// Whether the object may have changed once it was sent.
    pub(super) changes: bool,
    is_repeatable: bool,
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

    /// PUT to the path with these segments.
    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, segments).changing()
    }

    /// DELETE of the path with these segments.
    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments).changing()
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let target = path(segments);
        let (body, content_type, condition) = (Bytes::new(), None, None);
        let (changes, is_repeatable) = (false, false);
        Self { method, target, body, content_type, condition, changes, is_repeatable }
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

    /// With a SQLite file as the body.
    pub(crate) fn database(mut self, file: Vec<u8>) -> Self {
        self.body = file.into();
        self.content_type = Some("application/vnd.sqlite3");
        self
    }

    /// Refused when the object exists and is to be kept.
    pub(crate) fn over(mut self, existing: Existing) -> Self {
        if existing == Existing::Kept {
            self.condition = Some(("if-none-match", "*".to_owned()));
        }
        self
    }

    /// Refused when the object has changed after this record.
    pub(crate) fn unchanged_after(mut self, record: u64) -> Self {
        self.condition = Some(("if-match", format!("\"{record}\"")));
        self
    }

    /// As a request that changes the object.
    pub(crate) fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    /// As a request that may be sent again, whatever became of it.
    pub(crate) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// Whether it may be sent again: it changes nothing, or the same again.
    pub(super) fn may_repeat(&self) -> bool {
        self.method == Method::GET || self.is_repeatable
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
