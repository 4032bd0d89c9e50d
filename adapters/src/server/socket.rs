//! A client's socket, which closes in a way that lets a client that is still sending read the
//! response.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long a closed connection reads what the client still sends. Unread data would make the
/// kernel reset the connection, and the client would lose a response (a 413 or a 431) that it has
/// not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// A TCP connection from a client.
pub(super) struct Socket {
    stream: TcpStream,
    /// `None` until the write side is closed; then incoming data is discarded.
    lingering: Option<Lingering>,
}

struct Lingering {
    scratch: Box<[u8]>,
    patience: Pin<Box<Sleep>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, lingering: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let Some(Lingering { scratch, patience }) = &mut this.lingering else {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                this.lingering = Some(Lingering {
                    scratch: vec![0; 16 << 10].into_boxed_slice(),
                    patience: Box::pin(tokio::time::sleep(LINGER)),
                });
                continue;
            };
            if patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(scratch);
            if ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)).is_err()
                || buf.filled().is_empty()
            {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
