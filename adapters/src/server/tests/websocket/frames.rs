//! Frames of RFC 6455 by hand, independent of what the server uses.

use tokio::io::AsyncReadExt;

use super::super::client::{Answer, Client};

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The bit that ends a message.
pub(super) const FIN: u8 = 0x80;
/// The bit of a message that is compressed.
pub(super) const RSV1: u8 = 0x40;

/// A frame with this first byte, as a client sends it.
pub(super) fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A whole message, or a control frame.
pub(super) fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    raw(FIN | opcode, payload)
}

/// A message in pieces.
pub(super) fn in_pieces(opcode: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let last = pieces.len() - 1;
    let piece = |(at, piece): (usize, &&[u8])| {
        let opcode = if at == 0 { opcode } else { CONTINUATION };
        raw(if at == last { FIN | opcode } else { opcode }, piece)
    };
    pieces.iter().enumerate().flat_map(piece).collect()
}

/// The payload of a close frame.
pub(super) fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

/// A client whose connection is a WebSocket.
pub(super) struct Socket {
    pub(super) client: Client,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn text(&self) -> &str {
        assert_eq!(self.opcode, TEXT, "{self:?}");
        std::str::from_utf8(&self.payload).expect("UTF-8")
    }

    /// The code of a close frame.
    pub(super) fn code(&self) -> Option<u16> {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let code = self.payload.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*code))
    }
}

/// The head of a handshake, with more headers.
pub(super) fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

impl Socket {
    /// Sends a handshake, and expects that it is accepted.
    pub(super) async fn open(mut client: Client, path: &str, more: &str) -> (Self, Answer) {
        client.send(handshake(path, more)).await;
        let answer = client.head().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        (Self { client }, answer)
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.send(bytes).await;
    }

    /// The next frame; `None` at the end of the connection.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        let (frame, is_compressed) = self.any_frame().await?;
        assert!(!is_compressed, "a frame of {} is compressed", frame.opcode);
        Some(frame)
    }

    /// The next frame, and whether it is compressed.
    pub(super) async fn any_frame(&mut self) -> Option<(Frame, bool)> {
        let input = &mut self.client.input;
        let first = input.read_u8().await.ok()?;
        let length = input.read_u8().await.ok()?;
        assert_eq!(length & 0x80, 0, "a server masks nothing");
        assert_eq!(first & 0xf0 & !RSV1, FIN, "a server sends whole messages");
        let length = match length {
            126 => u64::from(input.read_u16().await.ok()?),
            127 => input.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).expect("it fits")];
        input.read_exact(&mut payload).await.ok()?;
        Some((Frame { opcode: first & 0xf, payload }, first & RSV1 != 0))
    }

    /// The text of the next frame.
    pub(super) async fn text(&mut self) -> String {
        self.frame().await.expect("a frame").text().to_owned()
    }

    /// The code of the close frame that comes next, before which nothing else may come.
    pub(super) async fn closed(&mut self) -> Option<u16> {
        self.frame().await.expect("a close frame").code()
    }
}
