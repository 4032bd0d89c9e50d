//! A client's socket with two manners that hyper lacks: it does not wait forever for the first
//! bytes, and it closes so that a client which is still sending gets to read the answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The length of HTTP/2's preface. Until so much has come nobody but this module watches the time.
const PREFACE_BYTES: usize = 24;
/// How long a closed connection takes in what the client was still sending. Data that nobody reads
/// would make the kernel reset the connection, and the client would lose the answer (a 413 or a
/// 431) that it has not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// A TCP connection from a client.
pub(super) struct Socket {
    stream: TcpStream,
    state: State,
}

enum State {
    /// The first bytes have `patience` to come.
    Opening { received: usize, patience: Pin<Box<Sleep>> },
    /// Bytes come and go.
    Open,
    /// The client was told that no more comes; what it still sends is dropped.
    Lingering { scratch: Box<[u8]>, patience: Pin<Box<Sleep>> },
}

impl Socket {
    /// `stream`, whose first bytes must come within `idle`.
    pub(super) fn new(stream: TcpStream, idle: Duration) -> Self {
        Self {
            stream,
            state: State::Opening { received: 0, patience: Box::pin(tokio::time::sleep(idle)) },
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let State::Opening { received, patience } = &mut this.state {
            *received += buf.filled().len() - before;
            if *received >= PREFACE_BYTES {
                this.state = State::Open;
            } else if polled.is_pending() {
                ready!(patience.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        polled
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
            let State::Lingering { scratch, patience } = &mut this.state else {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                let scratch = vec![0; 16 << 10].into_boxed_slice();
                this.state =
                    State::Lingering { scratch, patience: Box::pin(tokio::time::sleep(LINGER)) };
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
