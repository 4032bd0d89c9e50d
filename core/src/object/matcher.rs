//! Matches requests with a class's paths.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::object::body::{Request, Response};
use crate::router::REQUEST_ID_HEADER;

/// Compares a request with methods and paths, one after the other.
///
/// A path is compared segment by segment: `{name}` matches any segment that is not empty, and
/// `{*name}` at the end matches the rest of the path. Their values are returned as an array of
/// strings, decoded for `{name}` and as sent for `{*name}`. [`Matcher::get`] also matches `HEAD`.
/// [`Matcher::otherwise`] responds to requests that matched nothing.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, IntoResponse, Json, Matcher, Request, RequestExt, Response, Result};
///
/// async fn fetch(request: Request, ctx: &mut Context) -> Result<Response> {
///     let mut on = Matcher::of(&request);
///     if let Some([]) = on.get("/notes") {
///         Json(ctx.storage().list::<String>(&Default::default())?).into_response()
///     } else if let Some([id]) = on.get("/notes/{id}") {
///         ctx.storage().get::<String>(&id)?.into_response()
///     } else if let Some([id]) = on.put("/notes/{id}") {
///         ctx.storage().put(&id, &request.text().await?)?.into_response()
///     } else {
///         on.otherwise()
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Matcher {
    method: Method,
    path: String,
    request_id: Option<String>,
    tried: Vec<(Method, &'static str)>,
}

impl Matcher {
    /// A matcher for `request`.
    pub fn of(request: &Request) -> Self {
        let request_id = request.headers().get(REQUEST_ID_HEADER);
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            request_id: request_id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            tried: Vec::new(),
        }
    }

    /// The values of the parameters of `pattern`, if the request is a GET or HEAD of a matching
    /// path.
    ///
    /// # Panics
    ///
    /// When the pattern does not have `N` parameters, which the first request shows.
    pub fn get<const N: usize>(&mut self, pattern: &'static str) -> Option<[String; N]> {
        self.on(Method::GET, pattern)
    }

    /// The same for POST.
    pub fn post<const N: usize>(&mut self, pattern: &'static str) -> Option<[String; N]> {
        self.on(Method::POST, pattern)
    }

    /// The same for PUT.
    pub fn put<const N: usize>(&mut self, pattern: &'static str) -> Option<[String; N]> {
        self.on(Method::PUT, pattern)
    }

    /// The same for PATCH.
    pub fn patch<const N: usize>(&mut self, pattern: &'static str) -> Option<[String; N]> {
        self.on(Method::PATCH, pattern)
    }

    /// The same for DELETE.
    pub fn delete<const N: usize>(&mut self, pattern: &'static str) -> Option<[String; N]> {
        self.on(Method::DELETE, pattern)
    }

    /// The same for any method.
    ///
    /// # Panics
    ///
    /// As [`Matcher::get`].
    pub fn on<const N: usize>(
        &mut self,
        method: Method,
        pattern: &'static str,
    ) -> Option<[String; N]> {
        let parameters = segments(pattern).filter(|segment| name_of(segment).is_some()).count();
        assert_eq!(parameters, N, "{pattern} has {parameters} parameters, {N} are taken");
        let is_asked = self.method == method || (self.method == Method::HEAD && method == "GET");
        self.tried.push((method, pattern));
        let found = if is_asked { taken(pattern, &self.path)? } else { return None };
        found.try_into().ok()
    }

    /// The response to a request that matched nothing: 405 with `Allow` if the path matches with
    /// another method, otherwise the error `NotFound`, which lists the paths.
    ///
    /// # Errors
    ///
    /// `NotFound`, which rolls the request back, so match before anything is changed.
    pub fn otherwise(&self) -> Result<Response> {
        let mut allowed: Vec<&str> = Vec::new();
        let fitting = self.tried.iter().filter(|(_, pattern)| taken(pattern, &self.path).is_some());
        for (method, _) in fitting {
            let also_head: &[&str] =
                if method == Method::GET { &["GET", "HEAD"] } else { &[method.as_str()] };
            also_head.iter().for_each(|name| {
                if !allowed.contains(name) {
                    allowed.push(name);
                }
            });
        }
        if allowed.is_empty() {
            Err(self.not_found())
        } else {
            self.not_allowed(&allowed.join(", "))
        }
    }

    fn not_found(&self) -> Error {
        let known: Vec<String> =
            self.tried.iter().map(|(method, pattern)| format!("{method} {pattern}")).collect();
        let shown: String = self.path.chars().take(PATH_CHARS_MAX).collect();
        Error::not_found(format!("expected {}, got {} {shown}", known.join(", "), self.method))
            .with_code("UNKNOWN_PATH")
    }

    fn not_allowed(&self, allowed: &str) -> Result<Response> {
        let body = serde_json::json!({
            "error": format!("expected {allowed}, got {}", self.method),
            "code": "METHOD_NOT_ALLOWED",
            "status": StatusCode::METHOD_NOT_ALLOWED.as_u16(),
            "requestId": self.request_id,
        });
        Ok(http::Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ALLOW, allowed)
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .body(body.into())?)
    }
}

/// Maximum length of a path in an error.
const PATH_CHARS_MAX: usize = 100;

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// The name of a parameter, with the star of one that matches the rest.
fn name_of(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The values of the parameters of `pattern` in `path`; `None` when it does not match.
fn taken(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut taken = Vec::new();
    let mut rest = Some(path.strip_prefix('/').unwrap_or(path));
    for wanted in segments(pattern) {
        let left = rest?;
        if name_of(wanted).is_some_and(|name| name.starts_with('*')) {
            taken.push(left.to_owned());
            return Some(taken);
        }
        let (segment, after) = match left.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (left, None),
        };
        match name_of(wanted) {
            None if segment == wanted => {}
            Some(_) if !segment.is_empty() => {
                taken.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
            }
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::body::Body;

    fn request(method: &str, path: &str) -> Request {
        let request =
            http::Request::builder().method(method).uri(path).header("x-request-id", "r-1");
        request.body(Body::empty()).expect("a request")
    }

    #[test]
    fn parameters_are_whole_segments_decoded_once() {
        let fits = |pattern, path| taken(pattern, path);
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(fits("/", "/"), texts(&[]));
        assert_eq!(fits("/", ""), texts(&[]));
        assert_eq!(fits("/a/{b}", "/a/x%2Fy%2525"), texts(&["x/y%25"]));
        assert_eq!(fits("/{a}/b/{c}", "/1/b/2"), texts(&["1", "2"]));
        assert_eq!(fits("/f/{*rest}", "/f/a/b%20c/"), texts(&["a/b%20c/"]));
        assert_eq!(fits("/f/{*rest}", "/f/"), texts(&[""]));
        for (pattern, path) in [
            ("/", "/a"),
            ("/a", "/"),
            ("/a", "/a/"),
            ("/a", "/A"),
            ("/a/{b}", "/a/"),
            ("/a/{b}", "/a"),
            ("/a/{b}", "/a/b/c"),
            ("/a/{b}", "/a/%ff"),
            ("/f/{*rest}", "/f"),
            ("/f/{*rest}", "/g/a"),
        ] {
            assert_eq!(fits(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn head_is_answered_as_get_is() {
        let mut on = Matcher::of(&request("HEAD", "/a"));
        assert_eq!(on.post::<0>("/a"), None);
        assert_eq!(on.get("/a"), Some([]));
    }

    #[test]
    fn what_fits_nothing_is_told_what_there_is() {
        let mut on = Matcher::of(&request("GET", "/c"));
        assert!(on.get::<0>("/").is_none() && on.put::<1>("/a/{b}").is_none());
        let error = on.otherwise().expect_err("not found");
        assert_eq!(error.code(), "UNKNOWN_PATH");
        assert_eq!(error.message(), "expected GET /, PUT /a/{b}, got GET /c");
    }

    #[test]
    fn another_method_is_told_which_ones_are_allowed() {
        let mut on = Matcher::of(&request("PATCH", "/a/1"));
        assert!(on.get::<1>("/a/{b}").is_none() && on.put::<1>("/a/{b}").is_none());
        assert!(on.get::<0>("/a").is_none() && on.post::<0>("/a").is_none());
        let response = on.otherwise().expect("a response");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &HeaderValue::from_static("GET, HEAD, PUT"))
        );
        let body = response.into_body().whole().expect("it is whole");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            (&body["code"], &body["requestId"]),
            (&"METHOD_NOT_ALLOWED".into(), &"r-1".into())
        );
    }

    #[test]
    #[should_panic(expected = "/a/{b} has 1 parameters, 2 are taken")]
    fn a_pattern_of_another_size_is_a_bug_of_the_class() {
        let _: Option<[String; 2]> = Matcher::of(&request("GET", "/")).get("/a/{b}");
    }
}
