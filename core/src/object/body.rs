//! Bodies of requests and responses, complete or streamed.

mod charged;

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use self::charged::Charged;
use crate::budget::{Account, weight_of_json};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::UNCHARGED_BYTES_MAX;

/// A request to an object.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Request, Result};
///
/// async fn size(request: Request) -> Result<String> {
///     let path = request.uri().path().to_owned();
///     let text = request.into_body().text().await?;
///     Ok(format!("{path} has {} bytes", text.len()))
/// }
///
/// let request: Request = http::Request::put("/notes/1").body("hello".into())?;
/// assert_eq!(request.method(), "PUT");
/// # Ok::<(), dotdo::Error>(())
/// ```
pub type Request = http::Request<Body>;

/// A response of an object.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Body, Response, Result};
///
/// fn moved(to: &str) -> Result<Response> {
///     Ok(http::Response::builder().status(308).header("location", to).body(Body::empty())?)
/// }
///
/// assert_eq!(moved("/notes/2")?.headers()["location"], "/notes/2");
/// assert_eq!(Response::new("hello".into()).status(), 200);
/// # Ok::<(), dotdo::Error>(())
/// ```
pub type Response = http::Response<Body>;

/// A response (200) with `value` as JSON.
///
/// ```
/// # use dotdo_core as dotdo;
/// let response = dotdo::json(&[1, 2])?;
/// assert_eq!(response.headers()["content-type"], "application/json");
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` when serde can't write the value as JSON.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Response> {
    let text = serde_json::to_string(value)
        .map_err(|cause| Error::invalid(format!("cannot write the response as JSON: {cause}")))?;
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The body of a [`Request`] or a [`Response`].
///
/// A body made from text, bytes or JSON is complete; [`Body::new`] makes a stream from any
/// [`http_body::Body`].
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::Body;
///
/// # async fn example() -> dotdo::Result<()> {
/// assert_eq!(Body::from("hello").text().await?, "hello");
/// let numbers: Vec<u8> = Body::from(serde_json::json!([1, 2])).json().await?;
/// assert_eq!(numbers, [1, 2]);
/// # Ok(())
/// # }
/// ```
pub struct Body(Content, Option<Account>);

enum Content {
    Whole(Option<Bytes>),
    Stream(UnsyncBoxBody<Bytes, Error>),
}

impl Body {
    /// A body without content.
    pub fn empty() -> Self {
        Self(Content::Whole(None), None)
    }

    /// A body that streams `body`.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        Self(Content::Stream(body.map_err(Into::into).boxed_unsync()), None)
    }

    /// The body of a request, which charges this account for data made from it.
    #[must_use]
    pub fn with_account(self, account: Account) -> Self {
        Self(self.0, Some(account))
    }

    /// The body of a response, charged to the request's `account` until it was sent.
    pub(crate) async fn paid_by(self, account: &Account) -> Result<Self> {
        let content = match self.0 {
            Content::Whole(Some(bytes)) => Content::Whole(Some(account.pay(bytes).await?)),
            other => other,
        };
        Ok(Self(content, None))
    }

    /// The body of a response. Each chunk of a stream is charged to `account` from its arrival
    /// until it was sent. If there is no memory for a chunk, the stream fails.
    #[must_use]
    pub fn charged_to(self, account: &Account) -> Self {
        match self.0 {
            Content::Stream(body) => Self::new(Charged::new(body, account.clone())),
            whole => Self(whole, self.1),
        }
    }

    /// The body of a response on a connection with concurrent responses. There, small bodies are
    /// charged as well, even beyond the budget, because a client that does not read can hold
    /// hundreds of them.
    #[must_use]
    pub fn counted_by(self, account: &Account) -> Self {
        match self.0 {
            Content::Whole(Some(bytes)) if bytes.len() as u64 <= UNCHARGED_BYTES_MAX => {
                Self(Content::Whole(Some(account.count(bytes))), self.1)
            }
            other => Self(other, self.1),
        }
    }

    /// The complete body; `None` for a stream.
    pub(crate) fn whole(self) -> Option<Bytes> {
        match self.0 {
            Content::Whole(bytes) => Some(bytes.unwrap_or_default()),
            Content::Stream(_) => None,
        }
    }

    /// The bytes of a complete body; `None` for a stream.
    pub(crate) fn peek(&self) -> Option<&Bytes> {
        static EMPTY: Bytes = Bytes::new();
        match &self.0 {
            Content::Whole(bytes) => Some(bytes.as_ref().unwrap_or(&EMPTY)),
            Content::Stream(_) => None,
        }
    }

    /// Reads the body to its end, at most `max` bytes; `None` when it is longer.
    pub(crate) async fn bytes_up_to(self, max: usize) -> Result<Option<Bytes>> {
        let body = match self.0 {
            Content::Whole(bytes) => {
                return Ok(Some(bytes.unwrap_or_default()).filter(|bytes| bytes.len() <= max));
            }
            Content::Stream(body) => body,
        };
        match http_body_util::Limited::new(body, max).collect().await {
            Ok(collected) => Ok(Some(collected.to_bytes())),
            Err(cause) if cause.is::<http_body_util::LengthLimitError>() => Ok(None),
            Err(cause) => {
                Err(cause.downcast::<Error>().map_or_else(Error::handler, |error| *error))
            }
        }
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    ///
    /// `TooLarge` when it exceeds the server's limit, `Invalid` when it ends early.
    pub async fn bytes(self) -> Result<Bytes> {
        match self.0 {
            Content::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            Content::Stream(body) => Ok(body.collect().await?.to_bytes()),
        }
    }

    /// Reads the body to its end as UTF-8 text.
    ///
    /// # Errors
    ///
    /// Those of [`Body::bytes`], and `Invalid` when it is not UTF-8.
    pub async fn text(self) -> Result<String> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into())
            .map_err(|cause| Error::invalid(format!("the body is not UTF-8: {cause}")))
    }

    /// Reads the body to its end as JSON.
    ///
    /// # Errors
    ///
    /// Those of [`Body::bytes`], `Invalid` when it is not JSON of the expected type, and `Busy` or
    /// `TooLarge` when there is no memory for it: requests from outside are charged for generic
    /// JSON values. For very many small values and a much smaller type, use [`Body::bytes`].
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        self.json_within(u64::MAX).await
    }

    /// Reads the body to its end as JSON whose values take at most `bytes_max` bytes of memory
    /// besides their text, as generic JSON values: about 64 for each value, and 640 for each object
    /// or array. They are counted before any is created.
    ///
    /// # Errors
    ///
    /// Those of [`Body::json`], and `TooLarge` when they take more.
    pub async fn json_within<T: serde::de::DeserializeOwned>(self, bytes_max: u64) -> Result<T> {
        let account = self.1.clone();
        let bytes = self.bytes().await?;
        let weight = weight_of_json(&bytes);
        if weight > bytes_max {
            let text = format!(
                "expected JSON that takes at most {bytes_max} bytes of memory, got values for {weight} bytes"
            );
            return Err(Error::new(ErrorKind::TooLarge, text).with_code("TOO_MANY_VALUES"));
        }
        if let Some(account) = account.filter(|_| weight > UNCHARGED_BYTES_MAX) {
            account.grow(weight).await?;
        }
        serde_json::from_slice(&bytes)
            .map_err(|cause| Error::invalid(format!("the body is not the expected JSON: {cause}")))
    }
}

/// A copy of the request, if its body is complete.
pub(crate) fn duplicate(request: &Request) -> Option<Request> {
    let Content::Whole(bytes) = &request.body().0 else { return None };
    let mut copy = Request::new(Body(Content::Whole(bytes.clone()), request.body().1.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Content::Whole(bytes) => {
                write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len))
            }
            Content::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Whole((!bytes.is_empty()).then_some(bytes)), None)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<serde_json::Value> for Body {
    fn from(value: serde_json::Value) -> Self {
        value.to_string().into()
    }
}
