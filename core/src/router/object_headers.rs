//! The headers that name the object of a request, with all their aliases. All code that reads,
//! removes or forwards them uses this module, so that no alias is missed.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};

/// A header with several names.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::OBJECT_ID;
/// use dotdo::http::{HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-dotdo-id", HeaderValue::from_static("north"));
/// assert!(OBJECT_ID.is_in(&headers), "that is another name of {}", OBJECT_ID.shown);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ObjectHeader {
    /// The spelling in documents.
    pub shown: &'static str,
    /// All its names. The first is the one that objects see.
    pub names: &'static [&'static str],
}

/// The object's id. In both directions percent-encoded: `%`, space, control characters and
/// everything outside ASCII.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::OBJECT_ID;
///
/// assert_eq!(OBJECT_ID.shown, "X-DO-ID");
/// assert_eq!(OBJECT_ID.names, ["x-do-id", "x-dotdo-id"]);
/// ```
pub const OBJECT_ID: ObjectHeader =
    ObjectHeader { shown: "X-DO-ID", names: &["x-do-id", "x-dotdo-id"] };
/// The object's class.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::OBJECT_TYPE;
///
/// assert_eq!(OBJECT_TYPE.shown, "X-DO-Type");
/// assert_eq!(OBJECT_TYPE.names, ["x-do-type", "x-dotdo-type"]);
/// ```
pub const OBJECT_TYPE: ObjectHeader =
    ObjectHeader { shown: "X-DO-Type", names: &["x-do-type", "x-dotdo-type"] };
/// The version of the object that is to be read: a sequence number or an RFC 3339 time.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{OBJECT_AT, names_object};
/// use dotdo::http::{HeaderMap, HeaderName, HeaderValue};
///
/// let name = HeaderName::from_static(OBJECT_AT.names[0]);
/// let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("42"))]);
/// assert!(OBJECT_AT.is_in(&headers) && !names_object(&headers));
/// ```
pub const OBJECT_AT: ObjectHeader = ObjectHeader { shown: "X-DO-At", names: &["x-do-at"] };

/// All headers that describe a request's object.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::OBJECT_HEADERS;
/// use dotdo::http::HeaderMap;
///
/// /// Removes what a client says about an object, before a proxy says it itself.
/// fn remove(headers: &mut HeaderMap) {
///     for name in OBJECT_HEADERS.iter().flat_map(|header| header.names) {
///         headers.remove(*name);
///     }
/// }
/// # let mut headers = HeaderMap::from_iter([(dotdo::engine::ID_HEADER, "north".parse().unwrap())]);
/// # remove(&mut headers);
/// # assert!(headers.is_empty());
/// ```
pub const OBJECT_HEADERS: [ObjectHeader; 3] = [OBJECT_ID, OBJECT_TYPE, OBJECT_AT];

/// [`OBJECT_ID`], as objects see it.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{ID_HEADER, Route, Router, Tenant};
/// use dotdo::http::{HeaderMap, HeaderValue, Method, Uri};
///
/// let headers = HeaderMap::from_iter([(ID_HEADER, HeaderValue::from_static("caf%C3%A9"))]);
/// let router = Router::new(["Shop"], Some("Shop"));
/// let uri = Uri::from_static("/orders");
/// let Route::Object(target) =
///     router.route(&Tenant::local(), &Method::GET, &uri, &headers)?
/// else {
///     panic!("the header names an object");
/// };
/// assert_eq!((target.object.id(), target.path_and_query.as_str()), ("café", "/orders"));
/// # Ok::<(), dotdo::Error>(())
/// ```
pub const ID_HEADER: HeaderName = HeaderName::from_static(OBJECT_ID.names[0]);
/// [`OBJECT_TYPE`], as objects see it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::Body;
/// use dotdo::engine::{ID_HEADER, Route, TYPE_HEADER};
/// use dotdo::http::{Method, Request};
///
/// let request = Request::get("/orders").header(ID_HEADER, "north").header(TYPE_HEADER, "Shop");
/// let (head, _) = request.body(Body::empty())?.into_parts();
/// let router = engine.app().router();
/// let route = router.route(object.tenant(), &Method::GET, &head.uri, &head.headers)?;
/// assert!(matches!(route, Route::Object(target) if target.object == object));
/// # Ok(())
/// # });
/// ```
pub const TYPE_HEADER: HeaderName = HeaderName::from_static(OBJECT_TYPE.names[0]);
/// [`OBJECT_AT`], as objects see it.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::At;
/// use dotdo::engine::{AT_HEADER, Route, Router, Tenant};
/// use dotdo::http::Request;
///
/// let request = Request::get("/do/north").header(AT_HEADER, "42").body(())?;
/// let router = Router::new(["Shop"], Some("Shop"));
/// let (uri, headers) = (request.uri(), request.headers());
/// let route = router.route(&Tenant::local(), request.method(), uri, headers)?;
/// assert!(matches!(route, Route::Object(target) if target.at == Some(At::Sequence(42))));
/// # Ok::<(), dotdo::Error>(())
/// ```
pub const AT_HEADER: HeaderName = HeaderName::from_static(OBJECT_AT.names[0]);

/// The headers that decide which object a request is for, instead of its path.
const NAMING: [ObjectHeader; 2] = [OBJECT_ID, OBJECT_TYPE];

/// Whether a header says which object a request is for, instead of the path.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{ID_HEADER, names_object};
/// use dotdo::http::{HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// assert!(!names_object(&headers));
/// headers.insert(ID_HEADER, HeaderValue::from_static("north"));
/// assert!(names_object(&headers), "/health of this request is a path of the object");
/// ```
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
