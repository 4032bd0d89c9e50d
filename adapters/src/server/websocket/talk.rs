//! The messages on a WebSocket, from its handshake to its end.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use dotdo_core::{SocketClose, SocketConnection, SocketEnd, SocketFrame, SocketMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::deflate::Deflate;
use super::frames::{Failure, Frame, Frames, Incoming, Rules};
use crate::edge::CompressionSettings;

/// How long the other end may take to answer a close frame.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Limits of WebSockets.
#[derive(Debug, Clone)]
pub(crate) struct SocketSettings {
    /// Whether connections reach the program, and not single requests that a platform sends it.
    pub(crate) are_held: bool,
    /// Maximum size of a message from a client, in bytes.
    pub(crate) message_bytes_max: usize,
    /// Whether messages are compressed for clients that offer it, and which.
    pub(crate) compression: CompressionSettings,
    /// A connection from which nothing has come for so long is closed. A ping is sent after half of
    /// it.
    pub(crate) idle: Duration,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            are_held: true,
            message_bytes_max: 1 << 20,
            compression: CompressionSettings::default(),
            idle: Duration::from_secs(60),
        }
    }
}

/// What a connection needs of its server.
pub(crate) struct Line<Q> {
    pub(crate) connection: SocketConnection,
    /// How messages are compressed, if that was agreed on.
    pub(crate) deflate: Option<Deflate>,
    pub(crate) settings: SocketSettings,
    /// Maximum time that a write makes no progress.
    pub(crate) write_stall: Duration,
    /// Changes when the server stops.
    pub(crate) stop: watch::Receiver<()>,
    /// How long the client must wait with its next message, which is counted.
    pub(crate) quota: Q,
}

/// A message that is being handled.
type Handling = Pin<Box<dyn Future<Output = Result<(), SocketClose>> + Send>>;

/// What happens next on a connection.
enum Next {
    Handled(Result<(), SocketClose>),
    Frame(SocketFrame),
    Read(Result<Incoming, Failure>),
    MayHandle,
    Silent,
    TooOld,
    Stopping,
}

struct Talk<I, Q> {
    frames: Frames<I>,
    line: Line<Q>,
    /// The message that is being handled.
    handling: Option<Handling>,
    /// The message after it, and from when on it may be handled.
    waiting: Option<(SocketMessage, Instant)>,
    heard: Instant,
    is_pinged: bool,
    too_old: Instant,
}

/// Serves a connection to its end, and tells the object of it.
pub(crate) async fn talk<I, Q>(io: I, line: Line<Q>)
where
    I: AsyncRead + AsyncWrite + Unpin,
    Q: Fn() -> Option<Duration>,
{
    let rules = Rules {
        bytes_max: line.settings.message_bytes_max,
        deflate: line.deflate,
        deflate_bytes_min: line.settings.compression.bytes_min,
    };
    let frames = Frames::new(io, rules);
    let (connection, now) = (line.connection.clone(), Instant::now());
    let too_old = now + connection.time_left();
    let mut talk =
        Talk { frames, line, handling: None, waiting: None, heard: now, is_pinged: false, too_old };
    let end = talk.run().await;
    // What the client has sent before is handled before the object learns of the end.
    talk.handle_rest().await;
    drop(talk);
    tracing::debug!(object = %connection.object(), code = end.close.code, error = end.error, "a socket has ended");
    connection.end(end).await;
}

impl<I, Q> Talk<I, Q>
where
    I: AsyncRead + AsyncWrite + Unpin,
    Q: Fn() -> Option<Duration>,
{
    async fn run(&mut self) -> SocketEnd {
        loop {
            let ended = match self.next().await {
                Next::Handled(Ok(())) => None,
                Next::Handled(Err(close)) => {
                    let error = format!("a message was not handled: {}", close.reason);
                    Some(self.close(close, Some(error)).await)
                }
                Next::Frame(frame) => self.send(frame).await,
                Next::Read(read) => self.read(read).await,
                Next::MayHandle => {
                    self.handle_waiting();
                    None
                }
                Next::Silent if !self.is_pinged => {
                    self.is_pinged = true;
                    self.write(Frame::ping()).await
                }
                Next::Silent => {
                    let text = "nothing has come from the client";
                    Some(self.close(SocketClose::new(1001, text), Some(text.to_owned())).await)
                }
                Next::TooOld => {
                    let close =
                        SocketClose::new(1012, "connect again; connections end after a time");
                    Some(self.close(close, None).await)
                }
                Next::Stopping => {
                    let close = SocketClose::new(1012, "the server is stopping; connect again");
                    Some(self.close(close, None).await)
                }
            };
            if let Some(end) = ended {
                return end;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let half = self.line.settings.idle / 2;
        let silent = self.heard + if self.is_pinged { half * 2 } else { half };
        let may_read = self.waiting.is_none();
        let may_handle = self.handling.is_none().then(|| self.waiting.as_ref().map(|next| next.1));
        let handled = async {
            match &mut self.handling {
                Some(handling) => handling.await,
                None => pending().await,
            }
        };
        let may_handle = async {
            match may_handle.flatten() {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            handled = handled => {
                self.handling = None;
                Next::Handled(handled)
            }
            () = may_handle => Next::MayHandle,
            frame = self.line.connection.next() => Next::Frame(frame),
            read = self.frames.next(), if may_read => Next::Read(read),
            // Whoever waits for its message is not silent.
            () = sleep_until(silent), if may_read => Next::Silent,
            () = sleep_until(self.too_old) => Next::TooOld,
            _ = self.line.stop.changed() => Next::Stopping,
        }
    }

    /// Takes what has come from the client.
    async fn read(&mut self, read: Result<Incoming, Failure>) -> Option<SocketEnd> {
        (self.heard, self.is_pinged) = (Instant::now(), false);
        let message = match read {
            Ok(Incoming::Message(message)) => message,
            Ok(Incoming::Ping(payload)) => return self.write(Frame::pong(payload)).await,
            Ok(Incoming::Pong) => return None,
            Ok(Incoming::Close(close)) => {
                let _ = timeout(CLOSE_MAX, self.send_close(&close)).await;
                return Some(SocketEnd { close, error: None });
            }
            Err(Failure::Wrong(close)) => return Some(self.fail(close).await),
            Err(Failure::Gone) => return Some(broken("the connection broke off")),
        };
        if let Some(answer) = self.line.connection.auto_response(&message) {
            return self.write(Frame::from(answer)).await;
        }
        let now = Instant::now();
        let at = (self.line.quota)().map_or(now, |wait| now + wait);
        self.waiting = Some((message, at));
        None
    }

    /// Begins to handle the message that waits.
    fn handle_waiting(&mut self) {
        if let Some((message, _)) = self.waiting.take() {
            let connection = self.line.connection.clone();
            self.handling = Some(Box::pin(async move { connection.message(message).await }));
        }
    }

    /// Handles what the client has sent before the end.
    async fn handle_rest(&mut self) {
        for _ in 0..2 {
            if let Some(handling) = self.handling.take()
                && handling.await.is_err()
            {
                return;
            }
            self.handle_waiting();
        }
    }

    /// Sends a frame of the object, and those that wait behind it.
    async fn send(&mut self, frame: SocketFrame) -> Option<SocketEnd> {
        let (mut frames, mut next, mut close) = (VecDeque::new(), Some(frame), None);
        while let Some(frame) = next {
            match frame {
                SocketFrame::Text(text) => match std::str::from_utf8(&text) {
                    Ok(_) => frames.push_back(Frame::text(text)),
                    Err(_) => close = Some((SocketClose::new(1011, "a text is not UTF-8"), None)),
                },
                SocketFrame::Binary(bytes) => frames.push_back(Frame::binary(bytes)),
                SocketFrame::Close(why) => close = Some((why, None)),
                SocketFrame::Break(why) => {
                    let error = why.reason.clone();
                    close = Some((why, Some(error)));
                }
                SocketFrame::AutoResponse(_) => {}
            }
            next = if close.is_none() { self.line.connection.try_next() } else { None };
        }
        if let Some(end) = self.write_all(frames).await {
            return Some(end);
        }
        match close {
            Some((close, error)) => Some(self.close(close, error).await),
            None => None,
        }
    }

    async fn write(&mut self, frame: Frame) -> Option<SocketEnd> {
        self.write_all(VecDeque::from([frame])).await
    }

    async fn write_all(&mut self, mut frames: VecDeque<Frame>) -> Option<SocketEnd> {
        while !frames.is_empty() {
            match timeout(self.line.write_stall, self.frames.send(&mut frames)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Some(broken(&error.to_string())),
                Err(_) => return Some(broken("the client does not read")),
            }
        }
        None
    }

    async fn send_close(&mut self, close: &SocketClose) -> std::io::Result<()> {
        self.frames.send(&mut VecDeque::from([Frame::close(close)])).await
    }

    /// Closes the connection because of what the client has sent, and reads nothing of it any more.
    async fn fail(&mut self, close: SocketClose) -> SocketEnd {
        let told = async {
            self.send_close(&close).await?;
            self.frames.shut_down().await
        };
        let _ = timeout(CLOSE_MAX, told).await;
        let error = Some(close.reason.clone());
        SocketEnd { close, error }
    }

    /// Closes the connection, and waits a moment for the client to do the same.
    async fn close(&mut self, close: SocketClose, error: Option<String>) -> SocketEnd {
        let answered = async {
            self.send_close(&close).await.ok()?;
            loop {
                if let Incoming::Close(answer) = self.frames.next().await.ok()? {
                    return Some(answer);
                }
            }
        };
        let answer = timeout(CLOSE_MAX, answered).await.ok().flatten();
        SocketEnd { close: answer.unwrap_or(close), error }
    }
}

fn broken(why: &str) -> SocketEnd {
    SocketEnd { close: SocketClose::new(1006, ""), error: Some(why.to_owned()) }
}
