//! The access log: one line per request, the same on every platform.
//!
//! Queries and headers may contain secrets and are not logged. Values that a client chose (path,
//! id) are separate fields that the log's format quotes, so nobody can forge lines.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dotdo_core::{Body, Caller, Error, ObjectId, Response, millis};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body::{Body as _, Frame, SizeHint};
use tracing::field::display;
use uuid::Uuid;

use super::tail::{Answered, Tail};

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
    /// Writes the line when the response's body is sent or abandoned, and tells those who read the
    /// requests of `tail`.
    pub(super) fn follow(self, level: AccessLog, tail: &Arc<Tail>, response: Response) -> Response {
        let failed = self.status.is_server_error();
        let is_logged = level == AccessLog::All || (level == AccessLog::Errors && failed);
        let tail = tail.has_readers().then(|| Arc::clone(tail));
        if !is_logged && tail.is_none() {
            return response;
        }
        let followed = Following { line: self, is_logged, tail };
        match response.body().size_hint().exact() {
            Some(bytes) => {
                followed.end(bytes);
                response
            }
            None => response.map(|body| Body::new(Followed { body, following: followed, sent: 0 })),
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

impl Line {
    /// Tells who reads the requests. A request that named no tenant's object is nobody's to see.
    fn tell(&self, tail: &Tail, bytes_out: u64) {
        let tenant = self.object.as_ref().map(ObjectId::tenant);
        let Some(tenant) = tenant.or(self.caller.as_ref().map(Caller::tenant)) else { return };
        let (class, id) =
            (self.object.as_ref().map(ObjectId::class), self.object.as_ref().map(ObjectId::id));
        tail.tell(&Answered { tenant, class, id }, || {
            let mut line = serde_json::json!({
                "time": millis::text(now_ms()),
                "method": self.method.as_str(),
                "path": self.uri.path(),
                "status": self.status.as_u16(),
                "durationMs": self.started.elapsed().as_secs_f64() * 1e3,
                "bytesIn": self.bytes_in.load(Ordering::Relaxed),
                "bytesOut": bytes_out,
                "requestId": String::from_utf8_lossy(self.id.as_bytes()),
            });
            let subject = self.caller.as_ref().and_then(Caller::subject);
            let code = self.error.as_ref().map(Error::code);
            for (name, value) in
                [("class", class), ("id", id), ("subject", subject), ("code", code)]
            {
                if let Some(value) = value {
                    line[name] = value.into();
                }
            }
            line
        });
    }
}

/// The time, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    millis::signed(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// What is done with a line at the end of the response.
struct Following {
    line: Line,
    is_logged: bool,
    tail: Option<Arc<Tail>>,
}

impl Following {
    fn end(&self, bytes_out: u64) {
        if self.is_logged {
            self.line.write(bytes_out);
        }
        if let Some(tail) = &self.tail {
            self.line.tell(tail, bytes_out);
        }
    }
}

/// A response body that ends the request's line at its end.
struct Followed {
    body: Body,
    following: Following,
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
        self.following.end(self.sent);
    }
}
