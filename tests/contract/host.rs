//! The seam between the suite and the platforms.

use std::process::ExitStatus;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_tests::Setup;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use nix::sys::signal::Signal;

/// What can break a body or a request on its way.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A body in either direction.
pub(crate) type Body = UnsyncBoxBody<Bytes, Broken>;

/// A platform: it starts the program as the real one does, and sends requests in its own protocol.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    /// What the platform can and can't do.
    fn abilities(&self) -> Abilities;

    /// Starts the program that `setup` describes, as a cold start, and waits until requests can be sent.
    async fn start(&self, setup: &Setup) -> Box<dyn Hosted>;
}

/// One running copy of the program.
#[async_trait]
pub(crate) trait Hosted: Send + Sync {
    /// Sends a request and waits for the head of its answer. The URI is a path with a query; `host` is in the headers, or `localhost`.
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Broken>;

    /// Signals the program: SIGSTOP freezes it, SIGCONT thaws it, SIGTERM asks it to end.
    fn signal(&mut self, signal: Signal);

    /// Waits until the program has ended.
    fn wait(&mut self) -> ExitStatus;

    /// What it has logged.
    fn stderr(&self) -> String;
}

/// What a platform can and can't do with requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    /// The body of a request reaches the object while it is still being sent.
    pub(crate) streams_requests: bool,
    /// The body of a response reaches the client while the object still produces it.
    pub(crate) streams_responses: bool,
    /// One copy of the program has several requests under way.
    pub(crate) is_concurrent: bool,
    /// The largest body of a request, in bytes, that the platform takes; `None`: only the server's own limit counts.
    pub(crate) request_bytes_max: Option<u64>,
    /// Likewise of a response.
    pub(crate) response_bytes_max: Option<u64>,
    /// Several headers of one name in a request arrive as they were sent, not joined by commas.
    pub(crate) keeps_repeated_headers: bool,
    /// The path arrives with the percent-encoding that it was sent with.
    pub(crate) keeps_encoded_paths: bool,
}

/// A body that is whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A request without a body.
pub(crate) fn get(path: &str) -> http::Request<Body> {
    http::Request::get(path).body(full(Bytes::new())).expect("a request")
}

/// A request with a body.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> http::Request<Body> {
    http::Request::post(path).body(full(body)).expect("a request")
}

/// The whole body of an answer.
pub(crate) async fn bytes(answer: http::Response<Body>) -> Bytes {
    answer.into_body().collect().await.expect("the whole body arrives").to_bytes()
}
