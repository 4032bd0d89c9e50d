//! Requests to send, and answers as tests look at them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::host::Body;

/// A body that is whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Request<Body> {
    request(Method::GET, path, "")
}

/// A request with a body.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Body> {
    request(Method::POST, path, body)
}

/// Any request.
pub(crate) fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(full(body)).expect("a request")
}

/// The request, with one more header. Its value may have any byte that a header may.
pub(crate) fn with(mut request: Request<Body>, name: &'static str, value: &[u8]) -> Request<Body> {
    request.headers_mut().append(name, value.try_into().expect("a legal value"));
    request
}

/// The whole body of an answer.
pub(crate) async fn bytes(answer: Response<Body>) -> Bytes {
    answer.into_body().collect().await.expect("the whole body arrives").to_bytes()
}

/// An answer that is here as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The whole of an answer.
    pub(crate) async fn of(answer: Response<Body>) -> Self {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, body: bytes(answer).await }
    }

    /// The body, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body, which is text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        self.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect()
    }

    /// What an error says, after a check that it has the one shape that errors have.
    pub(crate) fn error(&self) -> Value {
        let error = self.json();
        let is_text = |name: &str| error[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text("error") && is_text("code") && is_text("requestId"), "{error}");
        assert_eq!(error["status"], self.status, "{error}");
        assert_eq!(
            self.values("x-request-id"),
            [error["requestId"].as_str().unwrap_or_default().as_bytes()]
        );
        assert_eq!(
            (self.values("cache-control"), self.values("content-type")),
            (vec![&b"no-store"[..]], vec![&b"application/json"[..]])
        );
        error
    }
}
