//! The seam between the suite and the platforms: what a host has to do, and what it may declare
//! that it can't.

use std::process::ExitStatus;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_tests::Setup;
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

    /// Starts the program that `setup` describes, as a cold start, and waits until requests can be
    /// sent.
    async fn start(&self, setup: &Setup) -> Box<dyn Hosted>;
}

/// One running copy of the program. It ends with its handle.
#[async_trait]
pub(crate) trait Hosted: Send + Sync {
    /// Sends a request and waits for the head of its answer. The URI is a path with a query; `host`
    /// is in the headers, or `localhost`.
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Broken>;

    /// Signals the program itself: SIGSTOP freezes it, SIGCONT thaws it, SIGTERM asks it to end,
    /// SIGKILL ends it.
    fn signal(&self, signal: Signal);

    /// Waits until the program has ended.
    fn wait(&self) -> ExitStatus;

    /// What it has logged.
    fn stderr(&self) -> String;
}

/// What a platform can and can't do with requests. The suite tests what is declared: that it can,
/// or what happens instead.
///
/// A host begins with [`Abilities::ALL`] and takes away what its platform lacks, so that it need
/// not know of those that come later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    /// The body of a request reaches the object while it is still being sent. Otherwise the
    /// object's turn begins when it is here as a whole.
    pub(crate) streams_requests: bool,
    /// The body of a response reaches the client while the object still produces it. Otherwise it
    /// comes as a whole, and complete.
    pub(crate) streams_responses: bool,
    /// One copy of the program has several requests under way. Otherwise they are answered one
    /// after the other.
    pub(crate) is_concurrent: bool,
    /// The largest body of a request, in bytes, that the platform takes; `None`: only the server's
    /// own limit counts. One more is refused with 413.
    pub(crate) request_bytes_max: Option<u64>,
    /// Likewise of a response. One more is an error in the one shape that errors have.
    pub(crate) response_bytes_max: Option<u64>,
    /// Several headers of one name in a request arrive as they were sent. Otherwise they arrive as
    /// one, joined by commas (cookies: by semicolons).
    pub(crate) keeps_repeated_headers: bool,
    /// Likewise in a response, `set-cookie` apart, whose every line arrives everywhere.
    pub(crate) keeps_repeated_answers: bool,
    /// The values of headers may have any bytes above 127. Otherwise only those that are UTF-8
    /// arrive.
    pub(crate) keeps_header_bytes: bool,
    /// The path arrives with the percent-encoding that it was sent with. Otherwise it may arrive
    /// decoded, or encoded differently, and means the same.
    pub(crate) keeps_encoded_paths: bool,
    /// Likewise the query.
    pub(crate) keeps_encoded_queries: bool,
    /// Its programs may hold objects by leases. Otherwise they own them per request only, and
    /// refuse to start with leases.
    pub(crate) takes_leases: bool,
    /// SIGTERM reaches the program, which then answers what is under way and ends with the code 0.
    /// Otherwise it is killed, and what was not answered may or may not be there.
    pub(crate) ends_in_order: bool,
    /// Clients' connections reach the program, so that they can become WebSockets. Otherwise a
    /// handshake is a request like any other, and the object is told that.
    pub(crate) holds_connections: bool,
    /// The test starts, signals and ends copies of the program. Otherwise one runs already, and
    /// what needs others is not tested on it.
    pub(crate) is_ours: bool,
}

impl Abilities {
    /// Everything.
    pub(crate) const ALL: Self = Self {
        streams_requests: true,
        streams_responses: true,
        is_concurrent: true,
        request_bytes_max: None,
        response_bytes_max: None,
        keeps_repeated_headers: true,
        keeps_repeated_answers: true,
        keeps_header_bytes: true,
        keeps_encoded_paths: true,
        keeps_encoded_queries: true,
        takes_leases: true,
        ends_in_order: true,
        holds_connections: true,
        is_ours: true,
    };
}
