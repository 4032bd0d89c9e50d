//! Routes requests to objects: a pure function of the caller's tenant, method, URI and headers.
//!
//! Promises: the same request of a tenant always reaches the same object, which is one of that
//! tenant, whatever the request says; an id is percent-decoded exactly once, wherever it is; an
//! object sees its own name only from the server, never from the client. Must not know: how callers
//! are authenticated, the server that received the request.

mod administered;
mod at;
mod object_headers;

use std::collections::BTreeSet;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, request};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use self::administered::administered;
pub use self::administered::{Administered, Subject};
use self::at::version;
pub use self::at::{At, parse_at};
pub use self::object_headers::{
    AT_HEADER, ID_HEADER, OBJECT_AT, OBJECT_HEADERS, OBJECT_ID, OBJECT_TYPE, ObjectHeader,
    TYPE_HEADER, names_object,
};
use crate::error::{Error, Result};
use crate::id::{ClassNames, ObjectId, Tenant};

/// The header with the name of a request, by which it is found in logs. [`Target`] has an example.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What an id may not contain literally when it is the value of a header.
const ESCAPED_IN_HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Maximum number of characters of an invalid value in an error.
const QUOTED_CHARS_MAX: usize = 64;

/// What the paths of Iceberg's REST catalog begin with.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{CATALOG, Route, Router, Tenant};
/// use dotdo::http::{HeaderMap, Method, Uri};
///
/// let uri: Uri = format!("{CATALOG}config?warehouse=shop").parse().expect("a path");
/// let router = Router::new(["Shop"], None);
/// let route = router.route(&Tenant::local(), &Method::GET, &uri, &HeaderMap::new())?;
/// assert_eq!(route, Route::Catalog("config".to_owned()));
/// # Ok::<(), dotdo::Error>(())
/// ```
pub const CATALOG: &str = "/iceberg/v1/";

/// The destination of a request.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Route, Router, Tenant};
/// use dotdo::http::{HeaderMap, Method, Uri};
///
/// let router = Router::new(["Shop"], Some("Shop"));
/// let route = |path| {
///     router.route(
///         &Tenant::local(),
///         &Method::GET,
///         &Uri::from_static(path),
///         &HeaderMap::new(),
///     )
/// };
/// assert!(matches!(route("/do/Shop/north/orders")?, Route::Object(_)));
/// assert!(matches!(route("/objects?class=Shop")?, Route::Administration(_)));
/// assert_eq!(route("/health")?, Route::Health);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// To an object.
    Object(Target),
    /// `/health`: whether the process is up.
    Health,
    /// `/ready`: whether the store can be used.
    Ready,
    /// `/metrics`: metrics for Prometheus.
    Metrics,
    /// DELETE of `/tenant`, which is the caller's own, or of `/tenants/{org}/{tenant}`: the end of
    /// a tenant.
    Tenant(Tenant),
    /// `/classes`, `/objects…` and `/requests`, also below `/tenants/{org}/{tenant}`:
    /// administration.
    Administration(Administered),
    /// [`CATALOG`] and what follows: Iceberg's REST catalog of the caller's tenant. What follows, as
    /// it came.
    Catalog(String),
}

/// An object, and the request as the object sees it.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{ID_HEADER, REQUEST_ID_HEADER, Route, Router, Tenant};
/// use dotdo::http::{HeaderValue, Request};
///
/// let (mut head, ()) = Request::get("/do/north/orders?open").body(())?.into_parts();
/// let router = Router::new(["Shop"], Some("Shop"));
/// let route = router.route(&Tenant::local(), &head.method, &head.uri, &head.headers)?;
/// let Route::Object(target) = route else { panic!("the path names an object") };
/// target.rewrite(&mut head, HeaderValue::from_static("r-17"));
/// assert_eq!(head.uri, "/orders?open");
/// assert_eq!(head.headers[ID_HEADER], "north");
/// assert_eq!(head.headers[REQUEST_ID_HEADER], "r-17");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The object.
    pub object: ObjectId,
    /// The path below the object and the whole query.
    pub path_and_query: PathAndQuery,
    /// The version to read; `None` for the newest.
    pub at: Option<At>,
}

/// Finds the destination of a request by its path and headers.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Route, Router, Tenant};
/// use dotdo::http::{HeaderMap, Method, Uri};
///
/// let router = Router::new(["Shop", "Account"], Some("Shop"));
/// for (path, class, id) in
///     [("/do/north", "Shop", "north"), ("/do/Account/ada", "Account", "ada")]
/// {
///     let (tenant, uri) = (Tenant::local(), Uri::from_static(path));
///     let route = router.route(&tenant, &Method::GET, &uri, &HeaderMap::new())?;
///     let Route::Object(target) = route else { panic!("{path} names an object") };
///     assert_eq!(target.object, tenant.object(class, id)?);
/// }
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Router {
    classes: BTreeSet<String>,
    default_class: Option<String>,
    names: ClassNames,
}

impl Router {
    /// A router for `classes`, with `default_class` for requests that do not name one.
    pub fn new<'a>(
        classes: impl IntoIterator<Item = &'a str>,
        default_class: Option<&str>,
    ) -> Self {
        Self::of_names(classes, default_class, ClassNames::default())
    }

    /// The same, for classes that have other `names`, too.
    pub(crate) fn of_names<'a>(
        classes: impl IntoIterator<Item = &'a str>,
        default_class: Option<&str>,
        names: ClassNames,
    ) -> Self {
        Self {
            classes: classes.into_iter().map(str::to_owned).collect(),
            default_class: default_class.map(str::to_owned),
            names,
        }
    }

    /// The classes' names, sorted.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(String::as_str)
    }

    /// The destination of a request of a caller of `tenant`.
    ///
    /// A header `X-DO-ID` (or `X-DOTDO-ID`) names the id; the object then sees the whole path, and
    /// the class is that of `X-DO-Type` (or `X-DOTDO-Type`) or the default one. Without it the path
    /// is `/do/{class}/{id}/…` when its first segment is exactly, also in its encoding, a class and
    /// another segment follows, and `/do/{id}/…` otherwise, or whenever `X-DO-Type` names the
    /// class.
    ///
    /// # Errors
    ///
    /// `Invalid` for an id that is empty, too long or can't be decoded, for headers that contradict
    /// each other, and for `X-DO-At` that is neither a number nor a time or is sent with anything
    /// but GET or HEAD. `NotFound` when there is no id or no such class, `Gone` for a class that has
    /// ended.
    pub fn route(
        &self,
        tenant: &Tenant,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Route> {
        let class = OBJECT_TYPE.value(headers)?;
        let target = if let Some(id) = OBJECT_ID.value(headers)? {
            let rest =
                uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (class.or(self.default_class.as_deref()), id, rest)
        } else if let Some(path) = uri.path().strip_prefix("/do/").filter(|path| !path.is_empty()) {
            let Split { class: named, id, rest } = self.split(class.is_some(), path);
            (class.or(named).or(self.default_class.as_deref()), id, below(rest, uri.query())?)
        } else if let Some(administered) = administered(tenant, &self.names, uri.path()) {
            return administered.map(Route::Administration);
        } else if let Some(rest) = uri.path().strip_prefix(CATALOG) {
            return Ok(Route::Catalog(rest.to_owned()));
        } else {
            return reserved(tenant, method, uri.path());
        };
        let (class, id, path_and_query) = target;
        let object = tenant.object(self.known(class)?, &decode(id)?)?;
        Ok(Route::Object(Target { object, path_and_query, at: version(method, headers)? }))
    }

    /// Splits the path after `/do/`.
    fn split<'a>(&self, class_given: bool, path: &'a str) -> Split<'a> {
        let (first, rest) = cut(path);
        match rest.strip_prefix('/') {
            Some(after) if !class_given && (self.has(first) || self.names.has_ended(first)) => {
                let (id, rest) = cut(after);
                Split { class: Some(first), id, rest }
            }
            _ => Split { class: None, id: first, rest },
        }
    }

    /// Whether a class has, or has had, this name.
    fn has(&self, class: &str) -> bool {
        self.classes.contains(self.names.newest(class))
    }

    /// The name under which the class is stored, if there is one with this name.
    fn known<'a>(&'a self, class: Option<&'a str>) -> Result<&'a str> {
        let message = match class {
            Some(class) if self.has(class) => return Ok(self.names.stored(class)),
            Some(class) => {
                self.names.check_alive(class)?;
                format!("no class is named {:?}", shown(class))
            }
            None => "the request names no class, and there is no default class".to_owned(),
        };
        let known: Vec<&str> = self.classes().collect();
        Err(Error::not_found(message)
            .with_code("UNKNOWN_CLASS")
            .with_details(serde_json::json!({ "availableTypes": known })))
    }
}

/// The parts of a path after `/do/`.
struct Split<'a> {
    /// The class that the path names, if any.
    class: Option<&'a str>,
    /// The id, still percent-encoded.
    id: &'a str,
    rest: &'a str,
}

impl Target {
    /// Turns the head of a client's request into the one that the object sees.
    ///
    /// The URI becomes the path below the object; `x-do-id`, `x-do-type` and `x-request-id` are
    /// replaced by the server's; a host that came in the URI (HTTP/2, proxies) becomes the `host`
    /// header.
    pub fn rewrite(&self, head: &mut request::Parts, request_id: HeaderValue) {
        if let Some(authority) = head.uri.authority()
            && !head.headers.contains_key(http::header::HOST)
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            head.headers.insert(http::header::HOST, host);
        }
        head.uri = Uri::from(self.path_and_query.clone());
        OBJECT_ID.replace(&mut head.headers, id_value(self.object.id()));
        let class = HeaderValue::from_str(self.object.class())
            .expect("a class name has letters, digits and _ only");
        OBJECT_TYPE.replace(&mut head.headers, class);
        head.headers.insert(REQUEST_ID_HEADER, request_id);
    }
}

/// The id as the value of a header; decoding it once gives the id.
fn id_value(id: &str) -> HeaderValue {
    let text = utf8_percent_encode(id, ESCAPED_IN_HEADER).to_string();
    HeaderValue::try_from(text).expect("what is left is visible ASCII")
}

/// The text up to the first slash, and the rest with the slash.
fn cut(path: &str) -> (&str, &str) {
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// The path and query below the object.
fn below(rest: &str, query: Option<&str>) -> Result<PathAndQuery> {
    let path = if rest.is_empty() { "/" } else { rest };
    let parsed = match query {
        Some(query) => {
            PathAndQuery::from_maybe_shared(bytes::Bytes::from(format!("{path}?{query}")))
        }
        None if path == "/" => return Ok(PathAndQuery::from_static("/")),
        None => PathAndQuery::try_from(path),
    };
    parsed
        .map_err(|cause| Error::invalid(format!("cannot parse the path below the object: {cause}")))
}

/// Routes that do not belong to objects.
fn reserved(tenant: &Tenant, method: &Method, path: &str) -> Result<Route> {
    let route = match path {
        "/health" => Route::Health,
        "/ready" => Route::Ready,
        "/metrics" => Route::Metrics,
        _ => {
            if let Some(tenant) = tenant_of(tenant, path) {
                let tenant = tenant?;
                if method == Method::DELETE {
                    return Ok(Route::Tenant(tenant));
                }
                return Err(
                    Error::not_found(format!("{path} answers DELETE only")).with_code("NO_OBJECT")
                );
            }
            return Err(no_object(path));
        }
    };
    if method != Method::GET && method != Method::HEAD {
        return Err(
            Error::not_found(format!("{path} answers GET and HEAD only")).with_code("NO_OBJECT")
        );
    }
    Ok(route)
}

/// The tenant that a path names: `/tenant` is the caller's own, `/tenants/{org}/{tenant}` any, each
/// name percent-encoded. `None` for other paths.
fn tenant_of(own: &Tenant, path: &str) -> Option<Result<Tenant>> {
    if path == "/tenant" {
        return Some(Ok(own.clone()));
    }
    let (org, name) = path.strip_prefix("/tenants/")?.split_once('/')?;
    let named = || Tenant::new(&decode(org)?, &decode(name)?);
    (!name.contains('/')).then(named)
}

/// The error for a path that names nothing.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::ErrorKind;
/// use dotdo::engine::no_object;
///
/// let error = no_object("/favicon.ico");
/// assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_OBJECT"));
/// ```
pub fn no_object(path: &str) -> Error {
    Error::not_found(format!(
        "the path {:?} does not name an object; use /do/{{id}}/…, /do/{{class}}/{{id}}/… or the header X-DO-ID",
        shown(path)
    ))
    .with_code("NO_OBJECT")
}

/// Percent-decodes an id, once.
fn decode(text: &str) -> Result<String> {
    let bad =
        |what: &str| Error::invalid(format!("the id {:?} {what}", shown(text))).with_code("BAD_ID");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|two| Some((hex(two[0])? << 4) | hex(two[1])?));
        bytes.push(
            digits.ok_or_else(|| {
                bad("expects two hex digits after a %; write a percent sign as %25")
            })?,
        );
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad("is not UTF-8 once percent-decoded"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The part of a client's text that an error may repeat.
fn shown(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
