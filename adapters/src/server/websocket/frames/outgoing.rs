//! Frames of a server: whole messages, and control frames.

use bytes::Bytes;
use dotdo_core::{SocketClose, SocketMessage};

use super::Rules;
use super::head::{BINARY, CLOSE, FIN, PING, PONG, RSV1, TEXT, write_head};

/// A frame to send.
#[derive(Debug)]
pub(in crate::server::websocket) struct Frame {
    /// Its opcode, and bits.
    first: u8,
    payload: Bytes,
}

impl Frame {
    /// A text message, which must be UTF-8.
    pub(in crate::server::websocket) fn text(text: Bytes) -> Self {
        Self::of(TEXT, text)
    }

    pub(in crate::server::websocket) fn binary(bytes: Bytes) -> Self {
        Self::of(BINARY, bytes)
    }

    pub(in crate::server::websocket) fn ping() -> Self {
        Self::of(PING, Bytes::new())
    }

    pub(in crate::server::websocket) fn pong(payload: Vec<u8>) -> Self {
        Self::of(PONG, payload.into())
    }

    /// A close frame; 1005 stands for one without a code.
    pub(in crate::server::websocket) fn close(close: &SocketClose) -> Self {
        let code = close.code.to_be_bytes();
        let payload = match close.code {
            1005 => Bytes::new(),
            _ => [&code, close.reason.as_bytes()].concat().into(),
        };
        Self::of(CLOSE, payload)
    }

    fn of(opcode: u8, payload: Bytes) -> Self {
        Self { first: FIN | opcode, payload }
    }

    /// The same, compressed if that was agreed on, and makes it shorter.
    pub(super) fn compressed(self, rules: &Rules) -> Self {
        let is_message = self.first == FIN | TEXT || self.first == FIN | BINARY;
        let is_long = self.payload.len() as u64 >= rules.deflate_bytes_min;
        let deflate = rules.deflate.filter(|_| is_message && is_long);
        match deflate.and_then(|deflate| deflate.compressed(&self.payload)) {
            Some(payload) => Self { first: self.first | RSV1, payload },
            None => self,
        }
    }

    pub(super) fn write_head(&self, out: &mut Vec<u8>) {
        write_head(out, self.first, self.payload.len());
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl From<SocketMessage> for Frame {
    fn from(message: SocketMessage) -> Self {
        match message {
            SocketMessage::Text(text) => Self::text(text.into()),
            SocketMessage::Binary(bytes) => Self::binary(bytes),
        }
    }
}
