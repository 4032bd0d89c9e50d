//! The headers that name the object of a request, with all their aliases. All code that reads,
//! removes or forwards them uses this module, so that no alias is missed.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};

/// A header with several names.
#[derive(Debug, Clone, Copy)]
pub struct ObjectHeader {
    /// The spelling in documents.
    pub shown: &'static str,
    /// All its names. The first is the one that objects see.
    pub names: &'static [&'static str],
}

/// The object's id. In both directions percent-encoded: `%`, space, control characters and
/// everything outside ASCII.
pub const OBJECT_ID: ObjectHeader =
    ObjectHeader { shown: "X-DO-ID", names: &["x-do-id", "x-dotdo-id"] };
/// The object's class.
pub const OBJECT_TYPE: ObjectHeader =
    ObjectHeader { shown: "X-DO-Type", names: &["x-do-type", "x-dotdo-type"] };
/// The version of the object that is to be read: a sequence number or an RFC 3339 time.
pub const OBJECT_AT: ObjectHeader = ObjectHeader { shown: "X-DO-At", names: &["x-do-at"] };

/// All headers that describe a request's object.
pub const OBJECT_HEADERS: [ObjectHeader; 3] = [OBJECT_ID, OBJECT_TYPE, OBJECT_AT];

/// [`OBJECT_ID`], as objects see it.
pub const ID_HEADER: HeaderName = HeaderName::from_static(OBJECT_ID.names[0]);
/// [`OBJECT_TYPE`], as objects see it.
pub const TYPE_HEADER: HeaderName = HeaderName::from_static(OBJECT_TYPE.names[0]);
/// [`OBJECT_AT`], as objects see it.
pub const AT_HEADER: HeaderName = HeaderName::from_static(OBJECT_AT.names[0]);

/// The headers that decide which object a request is for, instead of its path.
const NAMING: [ObjectHeader; 2] = [OBJECT_ID, OBJECT_TYPE];

/// Whether a header decides which object a request is for.
pub fn names_object(headers: &HeaderMap) -> bool {
    NAMING.iter().any(|header| header.is_in(headers))
}

impl ObjectHeader {
    /// Whether the header is present, under any of its names.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        self.names.iter().any(|name| headers.contains_key(*name))
    }

    /// The value of the header; all its lines must have the same one.
    pub(super) fn value<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>> {
        let mut values = self.names.iter().flat_map(|name| headers.get_all(*name));
        let Some(first) = values.next() else {
            return Ok(None);
        };
        if values.any(|other| other != first) {
            let names = self.names.join(" and ");
            return Err(Error::invalid(format!(
                "the headers {names} have different values; send one of them"
            ))
            .with_code("CONFLICTING_HEADERS"));
        }
        let text = std::str::from_utf8(first.as_bytes());
        let bad = |_| {
            Error::invalid(format!("the header {} is not UTF-8; percent-encode it", self.names[0]))
                .with_code("BAD_HEADER")
        };
        text.map(Some).map_err(bad)
    }

    /// Sets the header to `value`, and removes its other spellings.
    pub(super) fn replace(&self, headers: &mut HeaderMap, value: HeaderValue) {
        for name in self.names {
            headers.remove(*name);
        }
        headers.insert(HeaderName::from_static(self.names[0]), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_names_the_object_and_none_is_left_to_the_client() {
        for header in NAMING {
            for name in header.names {
                let mut headers = HeaderMap::new();
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static("theirs"));
                assert!(names_object(&headers), "{name}");
                assert_eq!(header.value(&headers).expect("one value"), Some("theirs"), "{name}");
                header.replace(&mut headers, HeaderValue::from_static("ours"));
                assert_eq!(
                    (headers.len(), &headers[header.names[0]]),
                    (1, &HeaderValue::from_static("ours")),
                    "{name}"
                );
            }
        }
        assert!(
            !names_object(&HeaderMap::from_iter([(AT_HEADER, HeaderValue::from_static("1"))])),
            "a version names no object"
        );
    }
}
