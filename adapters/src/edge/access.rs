//! The access log: one line per request, the same on every platform.
//!
//! Queries and headers may contain secrets and are not logged. Values that a client chose (path,
//! id) are separate fields that the log's format quotes, so nobody can forge lines.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use dotdo_core::{Body, Caller, Error, ObjectId, Response};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body::{Body as _, Frame, SizeHint};
use tracing::field::display;
use uuid::Uuid;

/// The requests to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLog {
    /// None.
    Off,
    /// Requests that failed in the server (5xx).
    Errors,
    /// All.
    All,
}

/// The contents of a log line.
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) object: Option<ObjectId>,
    /// The request's id.
    pub(super) id: HeaderValue,
    /// The id of its trace, if there is one.
    pub(super) trace_id: Option<String>,
    pub(super) started: Instant,
    /// The client's address.
    pub(super) client: Option<IpAddr>,
    /// The server that forwarded the request, which logs it as well.
    pub(super) peer: Option<Uuid>,
    /// The caller, if it was verified.
    pub(super) caller: Option<Caller>,
    /// Number of bytes read of the request's body.
    pub(super) bytes_in: Arc<AtomicU64>,
    pub(super) status: StatusCode,
    /// The error of the request.
    pub(super) error: Option<Error>,
}

impl Line {
    /// Writes the line when the response's body is sent or abandoned.
    pub(super) fn follow(self, level: AccessLog, response: Response) -> Response {
        let failed = self.status.is_server_error();
        if level == AccessLog::Off || (level == AccessLog::Errors && !failed) {
            return response;
        }
        match response.body().size_hint().exact() {
            Some(bytes) => {
                self.write(bytes);
                response
            }
            None => response.map(|body| Body::new(Followed { body, line: self, sent: 0 })),
        }
    }

    fn write(&self, bytes_out: u64) {
        let Self { method, id, .. } = self;
        let (path, status, ms) =
            (self.uri.path(), self.status.as_u16(), self.started.elapsed().as_secs_f64() * 1e3);
        let (client, peer) = (self.client.map(display), self.peer.map(display));
        let caller = self.caller.as_ref().and_then(Caller::subject);
        let tenant = self.caller.as_ref().map(Caller::tenant).map(display);
        let (class, object) =
            (self.object.as_ref().map(ObjectId::class), self.object.as_ref().map(ObjectId::id));
        let trace_id = self.trace_id.as_deref();
        let bytes_in = self.bytes_in.load(Ordering::Relaxed);
        match &self.error {
            Some(error) if self.status.is_server_error() => {
                tracing::error!(client, caller, tenant, peer, %method, path, class, object, status, ms, bytes_in, bytes_out, request_id = ?id, trace_id, error = ?error, "request failed");
            }
            _ if self.status.is_server_error() => {
                tracing::warn!(client, caller, tenant, peer, %method, path, class, object, status, ms, bytes_in, bytes_out, request_id = ?id, trace_id, "request failed");
            }
            _ => {
                tracing::info!(client, caller, tenant, peer, %method, path, class, object, status, ms, bytes_in, bytes_out, request_id = ?id, trace_id, "request")
            }
        }
    }
}

/// A response body that writes the request's log line at its end.
struct Followed {
    body: Body,
    line: Line,
    sent: u64,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.line.write(self.sent);
    }
}
