//! Requests of tests, and their responses.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{Body, Caller, Handshake, Request, SocketConnection};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::process::Process;
use super::socket::TestSocket;

/// A request of a test, sent when it is awaited.
///
/// ```
/// # use dotdo::testing::TestServer;
/// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
/// # struct Echo;
/// # impl DurableObject for Echo {
/// #     async fn fetch(&mut self, request: Request, _: &mut Context) -> Result<Response> {
/// #         dotdo::json(&request.into_body().json::<serde_json::Value>().await?)
/// #     }
/// # }
/// # dotdo::testing::run(async {
/// # let server = TestServer::start(App::new().class("Echo", || Echo)).await;
/// let response = server
///     .post("/do/cart-7/lines")
///     .header("idempotency-key", "\"l1\"")
///     .json(&serde_json::json!({"sku": "tea", "quantity": 2}))
///     .await;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.json::<serde_json::Value>()["sku"], "tea");
/// # });
/// ```
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest {
    process: Arc<Process>,
    request: Request,
}

impl TestRequest {
    pub(super) fn new(process: Arc<Process>, method: Method, path: &str) -> Self {
        let request = http::Request::builder().method(method).uri(path).body(Body::empty());
        let request = request.unwrap_or_else(|error| panic!("{path:?} is no path: {error}"));
        Self { process, request }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// When the name or the value is invalid.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap_or_else(|_| panic!("{name:?} is no header"));
        let value =
            HeaderValue::try_from(value).unwrap_or_else(|_| panic!("{value:?} is no value"));
        self.request.headers_mut().append(name, value);
        self
    }

    /// Sent by `caller`, as if it had been authenticated. Without this, the caller is anonymous.
    ///
    /// ```
    /// # use dotdo::testing::TestServer;
    /// # use dotdo::{App, Caller, Context, DurableObject, IntoResponse, Request, Response, Result};
    /// # struct Greeter;
    /// # impl DurableObject for Greeter {
    /// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    /// #         format!("hello, {}", ctx.caller().subject().unwrap_or("stranger")).into_response()
    /// #     }
    /// # }
    /// # dotdo::testing::run(async {
    /// # let server = TestServer::start(App::new().class("Greeter", || Greeter)).await;
    /// let response = server.get("/do/door").caller(Caller::new("alice")).await;
    /// assert_eq!(response.text(), "hello, alice");
    /// # });
    /// ```
    pub fn caller(mut self, caller: Caller) -> Self {
        self.request.extensions_mut().insert(caller);
        self
    }

    /// Sets `value` as the JSON body.
    ///
    /// # Panics
    ///
    /// When serde can't write the value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        let text = serde_json::to_string(value).expect("the value can be written as JSON");
        let is_json = HeaderValue::from_static("application/json");
        self.request.headers_mut().insert(CONTENT_TYPE, is_json);
        self.body(text)
    }

    /// Sets the body: text, bytes, or a stream.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends the request as the handshake of a WebSocket. It has no connection that could break: it
    /// ends by [`TestSocket::close`], or breaks off when it is dropped.
    ///
    /// ```
    /// # use dotdo::testing::TestServer;
    /// # use dotdo::sockets::{SocketMessage, WebSocket};
    /// # use dotdo::{App, Context, DurableObject, Request, RequestExt, Response, Result};
    /// # struct Echo;
    /// # impl DurableObject for Echo {
    /// #     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
    /// #         let mut socket = request.websocket()?;
    /// #         ctx.accept(&mut socket, &[])?;
    /// #         Ok(socket.upgraded())
    /// #     }
    /// #     async fn websocket_message(
    /// #         &mut self,
    /// #         socket: WebSocket,
    /// #         message: SocketMessage,
    /// #         ctx: &mut Context,
    /// #     ) -> Result<()> {
    /// #         socket.send(ctx, message)
    /// #     }
    /// # }
    /// # dotdo::testing::run(async {
    /// # let server = TestServer::start(App::new().class("Echo", || Echo)).await;
    /// let socket = server.get("/do/lobby").websocket().await.expect("it is accepted");
    /// socket.send("hello").await;
    /// assert_eq!(socket.text().await, "hello");
    /// socket.close(1000, "bye").await;
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// The response, if the object does not accept it.
    ///
    /// # Panics
    ///
    /// When the server crashes before the response is complete.
    pub async fn websocket(mut self) -> Result<TestSocket, TestResponse> {
        self.request.extensions_mut().insert(Handshake);
        let (process, asked) = (self.process.clone(), self.request.uri().to_string());
        let answer = Box::pin(process.answer(self.request)).await;
        let (mut head, body) = answer.expect("the server lives").into_parts();
        match head.extensions.remove::<SocketConnection>() {
            Some(connection) => Ok(TestSocket::new(process, connection)),
            None => {
                let body = body.bytes().await.unwrap_or_default();
                Err(TestResponse { asked, status: head.status, headers: head.headers, body })
            }
        }
    }

    /// Sends the request; `None` when the server crashes before the response is complete.
    pub async fn try_send(self) -> Option<TestResponse> {
        let (method, path) = (self.request.method().clone(), self.request.uri().to_string());
        let (head, body) = Box::pin(self.process.answer(self.request)).await?.into_parts();
        let body = body.bytes().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let asked = format!("{method} {path}");
        Some(TestResponse { asked, status: head.status, headers: head.headers, body })
    }
}

impl IntoFuture for TestRequest {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send>>;

    /// # Panics
    ///
    /// When the server crashes before the response is complete.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.try_send().await.expect("the server lives") })
    }
}

/// The response to a [`TestRequest`], with its whole body.
///
/// ```
/// # use dotdo::testing::TestServer;
/// # use dotdo::{App, Context, DurableObject, Request, RequestExt, Response, Result};
/// # struct Door;
/// # impl DurableObject for Door {
/// #     async fn fetch(&mut self, request: Request, _: &mut Context) -> Result<Response> {
/// #         match request.uri().path() {
/// #             "/knock" => Ok(Response::new("come in".into())),
/// #             _ => Err(dotdo::Error::not_found("no such path").with_code("NO_SUCH_PATH")),
/// #         }
/// #     }
/// # }
/// # dotdo::testing::run(async {
/// # let server = TestServer::start(App::new().class("Door", || Door)).await;
/// let response = server.get("/do/front/knock").await.ok();
/// assert_eq!(response.text(), "come in");
/// let response = server.get("/do/front/kick").await;
/// assert_eq!((response.status(), response.code().as_str()), (404, "NO_SUCH_PATH"));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// Method and path of the request.
    asked: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    /// The status, as a number.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of a header; `None` when it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Checks that the response is a success, and returns it.
    ///
    /// # Panics
    ///
    /// When its status is not 2xx, with its body.
    #[track_caller]
    pub fn ok(self) -> Self {
        let (asked, status) = (&self.asked, self.status);
        assert!(status.is_success(), "{asked}: {status}: {}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body)
            .unwrap_or_else(|error| panic!("{}: the body is not UTF-8: {error}", self.asked))
    }

    /// The body of a success, read as JSON.
    ///
    /// # Panics
    ///
    /// When the status is not 2xx, or the body is not JSON of this shape.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(self) -> T {
        let response = self.ok();
        let text = String::from_utf8_lossy(&response.body);
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {text}", response.asked))
    }

    /// The code of an error, such as `OBJECT_FULL`.
    ///
    /// # Panics
    ///
    /// When the response is not an error of dotdo.
    #[track_caller]
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["code"].as_str();
        code.unwrap_or_else(|| panic!("{}: {} has no code", self.asked, self.status)).to_owned()
    }
}
