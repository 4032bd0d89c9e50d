//! The body of a request on its way in: bounded in size, and in how long its sender may pause.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{Account, Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// A body that announces at most this many bytes is received before its object's turn begins.
pub(super) const EAGER_BYTES_MAX: u64 = 64 << 10;

/// A body that fails when it becomes too long or stalls.
pub(super) struct Inbound<B> {
    body: B,
    bytes_max: u64,
    bytes_left: u64,
    stall: Duration,
    /// How many bytes have come, for the log.
    received: Arc<AtomicU64>,
    /// What pays for the bytes, where their number was not known before.
    account: Option<Account>,
    /// Runs while the sender pauses.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<B> Inbound<B> {
    /// `body`, with at most `bytes_max` bytes and no pause longer than `stall`; its bytes are counted in `received`.
    pub(super) fn new(body: B, bytes_max: u64, stall: Duration, received: Arc<AtomicU64>) -> Self {
        Self { body, bytes_max, bytes_left: bytes_max, stall, received, account: None, patience: None }
    }

    /// The same body, of which each piece is paid for by `account` when it comes.
    pub(super) fn paid_by(self, account: Account) -> Self {
        Self { account: Some(account), ..self }
    }
}

/// The refusal of a body that is longer than `bytes_max`.
pub(super) fn too_large(bytes_max: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the body is larger than the {bytes_max} bytes that this server takes"))
        .with_details(serde_json::json!({ "bytesMax": bytes_max }))
}

impl<B> Body for Inbound<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            let stall = this.stall;
            ready!(this.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall))).as_mut().poll(cx));
            let message = format!("the sender of the body paused for more than {} ms", stall.as_millis());
            return Poll::Ready(Some(Err(Error::invalid(message).with_code("BODY_STALLED"))));
        };
        this.patience = None;
        Poll::Ready(match next {
            None => None,
            Some(Err(cause)) => Some(Err(Error::invalid("the body broke off").with_code("BODY_BROKEN").with_source(cause))),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.received.fetch_add(bytes, Ordering::Relaxed);
                match this.bytes_left.checked_sub(bytes) {
                    None => Some(Err(too_large(this.bytes_max))),
                    Some(left) => {
                        this.bytes_left = left;
                        let paid = this.account.as_ref().map_or(Ok(()), |account| account.try_grow(bytes));
                        Some(paid.map(|()| frame))
                    }
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
