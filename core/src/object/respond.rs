//! Values as responses, and requests as values.

use std::future::Future;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::object::body::{self, Body, Request, Response};
use crate::object::socket::WebSocket;

/// A value that can be returned as a response.
///
/// | value | response |
/// |---|---|
/// | [`Response`] | itself |
/// | `String`, `&'static str` | 200, `text/plain` |
/// | `Bytes`, `Vec<u8>` | 200, `application/octet-stream` |
/// | [`Json`] | 200, `application/json` |
/// | `StatusCode` | this status, no body |
/// | `(StatusCode, value)` | the value's response with this status |
/// | `()` | 204 |
/// | `Option` | the value's response; `None` is an error, 404 |
/// | `Result` | the value's response, or the error |
///
/// An error rolls the request back, even one from encoding the response.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, IntoResponse, Json, Response, Result};
/// use http::StatusCode;
///
/// fn put(ctx: &mut Context, name: &str) -> Result<Response> {
///     ctx.storage().put("name", name)?;
///     (StatusCode::CREATED, Json(name)).into_response()
/// }
///
/// fn get(ctx: &mut Context) -> Result<Response> {
///     ctx.storage().get::<String>("name")?.into_response()
/// }
/// ```
pub trait IntoResponse {
    /// Converts the value to a response.
    ///
    /// # Errors
    ///
    /// The error that the value holds; `Invalid` when it can't be encoded.
    fn into_response(self) -> Result<Response>;
}

/// A value that is encoded as JSON in a response.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{IntoResponse, Json};
///
/// let response = Json(vec![1, 2, 3]).into_response()?;
/// assert_eq!(response.headers()["content-type"], "application/json");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Methods to read requests.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, Request, RequestExt, Result, ResultExt};
///
/// async fn add(request: Request, ctx: &mut Context) -> Result<()> {
///     let by: i64 = request.query("by").or_invalid("`by` is missing")?.parse()
///         .or_invalid("`by` is a number")?;
///     let note = request.text().await?;
///     ctx.sql().exec("INSERT INTO entries (by, note) VALUES (?, ?)", (by, note)).map(drop)
/// }
/// ```
pub trait RequestExt: Sized {
    /// The body, read to its end as JSON.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{Request, RequestExt, Result};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Note {
    ///     text: String,
    /// }
    ///
    /// async fn text_of(request: Request) -> Result<String> {
    ///     let note: Note = request.json().await?;
    ///     Ok(note.text)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Body::json`].
    fn json<T: DeserializeOwned>(self) -> impl Future<Output = Result<T>> + Send;

    /// The body, read to its end as UTF-8 text.
    ///
    /// # Errors
    ///
    /// Those of [`Body::text`].
    fn text(self) -> impl Future<Output = Result<String>> + Send;

    /// The WebSocket that the request asks for, to be accepted by [`Context::accept`](crate::Context::accept).
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NOT_A_WEBSOCKET`) when the request is not the handshake of one, or the
    /// platform can't hold connections.
    fn websocket(&self) -> Result<WebSocket>;

    /// The first parameter of the query that has this name, decoded; `None` when there is none, or
    /// when it is not UTF-8.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{Body, RequestExt};
    ///
    /// let request = http::Request::get("/notes?after=7&by=ada+l").body(Body::empty())?;
    /// assert_eq!(request.query("after").as_deref(), Some("7"));
    /// assert_eq!(request.query("by").as_deref(), Some("ada l"));
    /// assert_eq!(request.query("limit"), None);
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    fn query(&self, name: &str) -> Option<String>;
}

impl RequestExt for Request {
    async fn json<T: DeserializeOwned>(self) -> Result<T> {
        self.into_body().json().await
    }

    async fn text(self) -> Result<String> {
        self.into_body().text().await
    }

    fn websocket(&self) -> Result<WebSocket> {
        WebSocket::asked_by(self)
    }

    fn query(&self, name: &str) -> Option<String> {
        let pairs = self.uri().query().unwrap_or_default().split('&');
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
        };
        let named = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key)? == name).then(|| decoded(value))
        };
        pairs.into_iter().find_map(named)?
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response> {
        Ok(self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Result<Response> {
        body::json(&self.0)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Result<Response> {
        Ok(of_type("text/plain; charset=utf-8", self))
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Result<Response> {
        Ok(of_type("text/plain; charset=utf-8", self))
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Result<Response> {
        Ok(of_type("application/octet-stream", self))
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Result<Response> {
        Ok(of_type("application/octet-stream", self))
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Result<Response> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self;
        Ok(response)
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Result<Response> {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Result<Response> {
        let mut response = self.1.into_response()?;
        *response.status_mut() = self.0;
        Ok(response)
    }
}

impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Result<Response> {
        self.ok_or_else(|| Error::not_found("there is nothing here"))?.into_response()
    }
}

impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response> {
        self.map_err(Into::into)?.into_response()
    }
}

fn of_type(media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn shown(value: impl IntoResponse) -> (u16, Option<String>, Vec<u8>) {
        let response = value.into_response().expect("a response");
        let media_type = response.headers().get(CONTENT_TYPE);
        let media_type = media_type.map(|text| text.to_str().expect("text").to_owned());
        let status = response.status().as_u16();
        (status, media_type, response.into_body().whole().expect("it is whole").to_vec())
    }

    #[test]
    fn values_become_responses() {
        let text = Some("text/plain; charset=utf-8".to_owned());
        assert_eq!(shown("hello"), (200, text.clone(), b"hello".to_vec()));
        assert_eq!(shown("hello".to_owned()), (200, text.clone(), b"hello".to_vec()));
        let json = Some("application/json".to_owned());
        assert_eq!(shown(Json("a")), (200, json.clone(), b"\"a\"".to_vec()));
        assert_eq!(shown((StatusCode::CREATED, Json(1))), (201, json, b"1".to_vec()));
        assert_eq!(shown(()), (204, None, Vec::new()));
        assert_eq!(shown(StatusCode::ACCEPTED), (202, None, Vec::new()));
        let bytes = Some("application/octet-stream".to_owned());
        assert_eq!(shown(vec![1, 2]), (200, bytes, vec![1, 2]));
        assert_eq!(shown(Ok::<_, Error>(Some("x"))), (200, text, b"x".to_vec()));
    }

    #[test]
    fn nothing_is_not_found_and_an_error_stays_one() {
        let nothing = None::<String>.into_response().expect_err("nothing");
        assert_eq!(nothing.kind(), ErrorKind::NotFound);
        let failed = Err::<String, _>(Error::conflict("no").with_code("TAKEN"));
        let failed = (StatusCode::OK, failed).into_response().expect_err("an error");
        assert_eq!((failed.kind(), failed.code()), (ErrorKind::Conflict, "TAKEN"));
        let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
        let unwritable = Json(unwritable).into_response().expect_err("no JSON");
        assert_eq!(unwritable.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_query_is_decoded_once() {
        let uri = "/?a=%2525&b=1+2&b=3&empty=&bare&na%6De=x&bad=%ff&c=d=e";
        let request = http::Request::get(uri).body(Body::empty()).expect("a request");
        let found = |name: &str| request.query(name);
        let expected = [
            ("a", Some("%25")),
            ("b", Some("1 2")),
            ("empty", Some("")),
            ("bare", Some("")),
            ("name", Some("x")),
            ("bad", None),
            ("c", Some("d=e")),
            ("d", None),
        ];
        for (name, value) in expected {
            assert_eq!(found(name).as_deref(), value, "{name}");
        }
    }
}
