//! Request bodies, which are read to their end even if the object does not: the runtime closes a
//! connection with an unread body, and the platform, which is still sending, could lose the
//! response.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;

/// Maximum number of bytes to discard. Vercel accepts at most 4.5 MB.
const LEFT_BYTES_MAX: usize = 64 << 20;
/// Timeout for discarding them.
const LEFT_TIME_MAX: Duration = Duration::from_secs(15);

/// A body whose rest is read and discarded if it is dropped before its end.
pub(in crate::platforms::vercel) struct Inbound<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// `None` at its end.
    body: Option<B>,
}

impl<B> Inbound<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// Wraps `body`, so that it is read to its end.
    pub(in crate::platforms::vercel) fn new(body: B) -> Self {
        Self { body: Some(body).filter(|body| !body.is_end_stream()) }
    }
}

impl<B> Drop for Inbound<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        if let (Some(body), Ok(runtime)) = (self.body.take(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LEFT_TIME_MAX, forget(body)));
        }
    }
}

/// Reads a body to its end, within limits.
async fn forget(mut body: impl Body<Data = Bytes> + Unpin) {
    let mut left = LEFT_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
        left = rest;
    }
}

impl<B> Body for Inbound<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{Full, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_nobody_has_read_is_read_to_its_end() {
        let (sender, mut parts) = mpsc::channel::<Bytes>(1);
        let body = StreamBody::new(futures_util::stream::poll_fn(move |cx| {
            parts.poll_recv(cx).map(|part| part.map(|part| Ok::<_, Infallible>(Frame::data(part))))
        }));
        let mut body = Inbound::new(body);
        sender.send(Bytes::from_static(b"read")).await.expect("somebody reads");
        assert!(!body.is_end_stream());
        assert_eq!(
            body.frame().await.expect("more").expect("no error").into_data().expect("data"),
            "read"
        );
        drop(body);
        for _ in 0..100 {
            sender.send(Bytes::from_static(b"left")).await.expect("somebody reads still");
        }
    }

    #[tokio::test]
    async fn an_empty_body_is_over() {
        let body = Inbound::new(Full::new(Bytes::new()));
        assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
    }
}
