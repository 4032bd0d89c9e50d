//! Request bodies that are not read completely: over HTTP/1 the next request on the connection
//! would follow the rest of the body.
//!
//! hyper closes such a connection, unless it has already buffered the rest. A client that does not
//! know may have sent its next request by then, and would never learn its outcome (RFC 9112,
//! sections 9.3 and 9.6).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use dotdo_core::Response;
use http::{HeaderValue, Version, header};
use http_body::{Body, Frame, SizeHint};

/// A request body that records that it was dropped before its end.
pub(super) struct Watched<B: Body> {
    body: B,
    is_over: bool,
    /// `None` if nothing can be left: no body, or HTTP/2.
    was_left: Option<Arc<AtomicBool>>,
}

/// Whether the rest of a request's body was left on the connection.
pub(super) struct Rest(Option<Arc<AtomicBool>>);

impl Rest {
    /// Starts to watch the request's body, if it has one.
    pub(super) fn of<B: Body>(request: http::Request<B>) -> (http::Request<Watched<B>>, Self) {
        let is_watched = request.version() < Version::HTTP_2 && !request.body().is_end_stream();
        let was_left = is_watched.then(Arc::<AtomicBool>::default);
        let rest = Self(was_left.clone());
        (request.map(|body| Watched { body, is_over: false, was_left }), rest)
    }

    /// Adds `Connection: close` to `response` if the connection must end.
    pub(super) fn announce(&self, response: &mut Response) {
        if self.0.as_ref().is_some_and(|was_left| was_left.load(Ordering::Relaxed)) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl<B: Body> Drop for Watched<B> {
    fn drop(&mut self) {
        let Some(was_left) = &self.was_left else { return };
        if !self.is_over && !self.body.is_end_stream() {
            was_left.store(true, Ordering::Relaxed);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.is_over |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
