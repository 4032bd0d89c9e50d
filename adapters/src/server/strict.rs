//! A filter between a connection and hyper, which is stricter than hyper about the framing of
//! HTTP/1 requests.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;

/// Passes on unambiguously framed bytes. After a refusal it passes bytes that hyper answers with an
/// error, then nothing.
pub(super) struct Strict<I> {
    io: I,
    /// `None` after a refusal.
    framing: Option<Framing>,
    /// The remaining bytes that make hyper refuse.
    poison: &'static [u8],
    /// Whether the connection speaks another protocol by now, whose bytes all pass.
    is_upgraded: Arc<AtomicBool>,
}

impl<I> Strict<I> {
    /// A filter that ends when `is_upgraded` is set.
    pub(super) fn new(io: I, is_upgraded: Arc<AtomicBool>) -> Self {
        Self { io, framing: Some(Framing::default()), poison: &[], is_upgraded }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Strict<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_upgraded.load(Ordering::Acquire) {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        if let Some(framing) = &mut this.framing {
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            let Err(refusal) = framing.follow(&buf.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            this.framing = None;
            this.poison = refusal.poison;
            buf.set_filled(before + refusal.at);
        }
        let (now, later) = this.poison.split_at(this.poison.len().min(buf.remaining()));
        buf.put_slice(now);
        this.poison = later;
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Strict<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
