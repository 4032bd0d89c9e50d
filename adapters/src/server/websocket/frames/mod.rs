//! Frames (RFC 6455, section 5), and the messages that they make up.
//!
//! Promises: whatever is not RFC 6455 and 7692 ends the reading, with the code that they give; a
//! message takes memory as it comes, up to its limit, and none once it was taken: most connections
//! are idle. Must not know: what messages are about, when to ping, how a connection ends.

mod head;
mod outgoing;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, BytesMut};
use dotdo_core::{SocketClose, SocketMessage};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use self::head::{CLOSE, CONTINUATION, Head, PING, PONG, TEXT};
pub(super) use self::outgoing::Frame;
use super::deflate::{self, Deflate};

/// How much is read at once on an idle connection, in bytes, and within a long payload.
const READ_BYTES: usize = 2048;
const READ_BYTES_LONG: usize = 16 << 10;

/// Memory that a message gets before it has come, in bytes.
const MESSAGE_BYTES: u64 = 64 << 10;

/// Up to which size frames are written together, in bytes.
const TOGETHER_BYTES_MAX: usize = 4096;

/// Limits of messages, and how they are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Maximum size of a message from a client, in bytes.
    pub(super) bytes_max: usize,
    /// How messages are compressed, if that was agreed on.
    pub(super) deflate: Option<Deflate>,
    /// Minimum size of a message that is sent compressed, in bytes.
    pub(super) deflate_bytes_min: u64,
}

/// What has come from a client.
#[derive(Debug)]
pub(super) enum Incoming {
    Message(SocketMessage),
    /// To be answered with the same bytes.
    Ping(Vec<u8>),
    Pong,
    /// What the client closes with: 1005 if it gives no code.
    Close(SocketClose),
}

/// Why nothing more is read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client has sent what it may not. This is what to close with.
    Wrong(SocketClose),
    /// The connection broke off.
    Gone,
}

/// A message of which some has come.
#[derive(Debug)]
struct Partial {
    is_text: bool,
    is_compressed: bool,
    bytes: Vec<u8>,
}

/// A connection, as frames.
pub(super) struct Frames<I> {
    io: I,
    rules: Rules,
    /// What has come and was not looked at: a part of a head, or what is behind a message.
    input: BytesMut,
    /// Whether that has room for a part of a long payload.
    is_wide: bool,
    /// The frame whose payload is coming.
    head: Option<Head>,
    /// The payload of a control frame.
    control: Vec<u8>,
    message: Option<Partial>,
}

impl<I> Frames<I>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(io: I, rules: Rules) -> Self {
        let (input, control) = (BytesMut::new(), Vec::new());
        Self { io, rules, input, is_wide: false, head: None, control, message: None }
    }

    /// What comes next. Nothing is lost if this is dropped before it completes.
    ///
    /// # Errors
    ///
    /// Why there is nothing more.
    pub(super) async fn next(&mut self) -> Result<Incoming, Failure> {
        loop {
            if let Some(incoming) = self.take().map_err(Failure::Wrong)? {
                return Ok(incoming);
            }
            let is_long = self.head.as_ref().is_some_and(|head| head.left > READ_BYTES as u64);
            if self.input.is_empty() && self.is_wide != is_long {
                (self.input, self.is_wide) = (BytesMut::new(), is_long);
            }
            let room = if self.is_wide { READ_BYTES_LONG } else { READ_BYTES };
            self.input.reserve(room.saturating_sub(self.input.len()));
            match self.io.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return Err(Failure::Gone),
                Ok(_) => {}
            }
        }
    }

    /// Looks at what has come; `None` if it is too little.
    fn take(&mut self) -> Result<Option<Incoming>, SocketClose> {
        loop {
            if self.head.is_none() {
                let may_compress = self.rules.deflate.is_some();
                let head = Head::take(&mut self.input, may_compress);
                let head = head.map_err(|wrong| SocketClose::new(1002, wrong))?;
                let Some(head) = head else { return Ok(None) };
                self.begin(&head)?;
                self.head = Some(head);
            }
            let Some(head) = self.take_payload() else { return Ok(None) };
            let control = std::mem::take(&mut self.control);
            return match head.opcode {
                PING => Ok(Some(Incoming::Ping(control))),
                PONG => Ok(Some(Incoming::Pong)),
                CLOSE => closed(&control).map(Some),
                _ if head.is_last => self.finish().map(Some),
                _ => continue,
            };
        }
    }

    /// Checks that a frame may come now, and is not too long.
    fn begin(&mut self, head: &Head) -> Result<(), SocketClose> {
        if head.is_control() {
            return Ok(());
        }
        if (head.opcode == CONTINUATION) != self.message.is_some() {
            let text = "a frame continues no message, or begins one within another";
            return Err(SocketClose::new(1002, text));
        }
        let message = self.message.get_or_insert_with(|| Partial {
            is_text: head.opcode == TEXT,
            is_compressed: head.is_compressed,
            bytes: Vec::new(),
        });
        let bytes_max = self.rules.bytes_max;
        let come_max =
            if message.is_compressed { deflate::compressed_max(bytes_max) } else { bytes_max };
        if head.left > (come_max - message.bytes.len()) as u64 {
            return Err(deflate::too_long(bytes_max));
        }
        message.bytes.reserve(head.left.min(MESSAGE_BYTES) as usize);
        Ok(())
    }

    /// Takes what has come of a payload, and returns its head at its end.
    fn take_payload(&mut self) -> Option<Head> {
        let head = self.head.as_mut()?;
        let length = usize::try_from(head.left).unwrap_or(usize::MAX).min(self.input.len());
        let piece = &mut self.input[..length];
        head.unmask(piece);
        match self.message.as_mut().filter(|_| !head.is_control()) {
            Some(message) => message.bytes.extend_from_slice(piece),
            None => self.control.extend_from_slice(piece),
        }
        self.input.advance(length);
        if head.left == 0 { self.head.take() } else { None }
    }

    /// The message that is complete.
    fn finish(&mut self) -> Result<Incoming, SocketClose> {
        let message = self.message.take();
        let Some(Partial { is_text, is_compressed, mut bytes }) = message else {
            return Err(SocketClose::new(1011, "a frame is of no message"));
        };
        if is_compressed {
            bytes = deflate::uncompressed(&bytes, self.rules.bytes_max)?;
        }
        if !is_text {
            return Ok(Incoming::Message(SocketMessage::Binary(bytes.into())));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Incoming::Message(SocketMessage::Text(text))),
            Err(_) => Err(SocketClose::new(1007, "a text is not UTF-8")),
        }
    }

    /// Sends the first of `frames`, or several that are small, and takes them off.
    pub(super) async fn send(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        let mut together = Vec::new();
        while let Some(frame) = frames.pop_front() {
            let frame = frame.compressed(&self.rules);
            frame.write_head(&mut together);
            if together.len() + frame.payload().len() > TOGETHER_BYTES_MAX {
                let mut both = bytes::Buf::chain(&together[..], frame.payload());
                self.io.write_all_buf(&mut both).await?;
                return self.io.flush().await;
            }
            together.extend_from_slice(frame.payload());
        }
        self.io.write_all(&together).await?;
        self.io.flush().await
    }

    /// Sends nothing more, and reads the rest, so that the client gets what was sent.
    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }
}

/// What a close frame says (RFC 6455, section 7.4).
fn closed(payload: &[u8]) -> Result<Incoming, SocketClose> {
    let (code, reason) = match payload {
        [] => (1005, &b""[..]),
        [first, second, reason @ ..] => (u16::from_be_bytes([*first, *second]), reason),
        [_] => return Err(SocketClose::new(1002, "a close frame has half a code")),
    };
    if !payload.is_empty() && !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(SocketClose::new(1002, "a close frame has a code that nobody may send"));
    }
    let reason = std::str::from_utf8(reason);
    let reason = reason.map_err(|_| SocketClose::new(1007, "a reason is not UTF-8"))?;
    Ok(Incoming::Close(SocketClose::new(code, reason)))
}
