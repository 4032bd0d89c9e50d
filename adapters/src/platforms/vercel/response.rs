//! Response bodies.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use dotdo_core::{Body, Error};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use sync_wrapper::SyncWrapper;
use tokio::sync::oneshot;
use vercel_runtime::ResponseBody;

/// Maximum size of a chunk, in bytes. The server polls the next chunk when it has sent most of the
/// previous one, so the body ends here when it nearly ends for the client, even if the object
/// returned it whole.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// A body that is split into chunks and drops the request's guard with the last one.
pub(super) struct Outbound {
    body: SyncWrapper<Body>,
    /// Data of the body that was not polled yet.
    rest: Bytes,
    /// Number of remaining bytes, if known.
    bytes_left: Option<u64>,
    is_over: bool,
    /// Dropped with the body, when it was read or abandoned.
    _life: oneshot::Sender<()>,
}

impl Outbound {
    /// Wraps `body`, and holds `life` while it is sent.
    pub(super) fn new(body: Body, life: oneshot::Sender<()>) -> Self {
        let (bytes_left, is_over) = (body.size_hint().exact(), body.is_end_stream());
        Self { body: SyncWrapper::new(body), rest: Bytes::new(), bytes_left, is_over, _life: life }
    }

    /// The next chunk.
    fn piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX));
        self.bytes_left = self.bytes_left.map(|left| left.saturating_sub(piece.len() as u64));
        Frame::data(piece)
    }
}

impl http_body::Body for Outbound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.piece())));
        }
        let next = ready!(Pin::new(this.body.get_mut()).poll_frame(cx)).transpose()?;
        this.is_over = next.is_none() || this.body.get_mut().is_end_stream();
        Poll::Ready(next.map(|frame| {
            frame.into_data().map_or_else(Ok, |data| {
                this.rest = data;
                Ok(this.piece())
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes_left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl From<Outbound> for ResponseBody {
    fn from(body: Outbound) -> Self {
        Self(body.map_err(Into::into).boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(body: impl Into<Body>) -> (Outbound, oneshot::Receiver<()>) {
        let (life, over) = oneshot::channel();
        (Outbound::new(body.into(), life), over)
    }

    #[tokio::test]
    async fn a_large_body_is_split_and_its_guard_is_dropped_with_the_last_chunk() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES_MAX + 1).map(|at| (at % 251) as u8).collect();
        let (mut body, mut over) = outbound(bytes.clone());
        let (mut taken, mut left) = (Vec::new(), bytes.len());
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some(left as u64));
            assert!(
                over.try_recv().is_err_and(|state| state == oneshot::error::TryRecvError::Empty)
            );
            let piece =
                body.frame().await.expect("more").expect("no error").into_data().expect("data");
            assert!((1..=PIECE_BYTES_MAX).contains(&piece.len()));
            left -= piece.len();
            taken.extend_from_slice(&piece);
        }
        assert_eq!((taken, left, body.size_hint().exact()), (bytes, 0, Some(0)));
        drop(body);
        assert!(over.await.is_err(), "nobody sends, the sender is dropped");
    }

    #[tokio::test]
    async fn an_empty_body_is_over_at_once_and_a_failed_one_says_why() {
        let (body, _) = outbound(Body::empty());
        assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
        let broken = http_body_util::StreamBody::new(futures_util::stream::iter([
            Ok(Frame::data(Bytes::from_static(b"half"))),
            Err(Error::invalid("the source broke off")),
        ]));
        let (mut body, _) = outbound(Body::new(broken));
        assert_eq!(body.size_hint().exact(), None);
        assert_eq!(
            body.frame().await.expect("more").expect("a piece").into_data().expect("data"),
            "half"
        );
        assert_eq!(
            body.frame().await.expect("more").expect_err("an error").message(),
            "the source broke off"
        );
    }
}
