//! A stream whose chunks are charged to an account, because unread chunks stay in the buffers of a
//! connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use crate::budget::Account;
use crate::error::{Error, Result};

/// A stream whose chunks are charged to an account, each until its last clone is dropped.
pub(super) struct Charged {
    body: UnsyncBoxBody<Bytes, Error>,
    account: Account,
    /// A chunk that waits for its charge.
    paying: Option<Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>>,
}

impl Charged {
    pub(super) fn new(body: UnsyncBoxBody<Bytes, Error>, account: Account) -> Self {
        Self { body, account, paying: None }
    }
}

impl Body for Charged {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.paying.is_none() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else {
                return Poll::Ready(None);
            };
            let bytes = match frame.into_data() {
                Ok(bytes) => bytes,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
            let account = self.account.clone();
            self.paying = Some(Box::pin(async move { account.pay_piece(bytes).await }));
        }
        let paying = self.paying.as_mut().expect("it was set above");
        let paid = ready!(paying.as_mut().poll(cx));
        self.paying = None;
        Poll::Ready(Some(paid.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.paying.is_none() && self.body.is_end_stream()
    }

    /// A waiting chunk is in neither bound: the hint is not read while there is one.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
