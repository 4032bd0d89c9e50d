//! Batches of frames between servers, in CBOR.

use bytes::Bytes;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::sockets::line::SocketFrame;
use crate::sockets::message::SocketClose;

/// Frames from an object to the connections of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) stream: Uuid,
    /// The number in the stream, from 0 on.
    pub(crate) number: u64,
    pub(crate) frames: Vec<ToSockets>,
}

/// A frame to some connections; without a frame it is asked whether they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToSockets {
    pub(crate) sockets: Vec<Uuid>,
    pub(crate) frame: Option<SocketFrame>,
}

#[derive(Encode, Decode)]
struct Encoded {
    #[n(0)]
    stream: ByteArray<16>,
    #[n(1)]
    number: u64,
    #[n(2)]
    frames: Vec<EncodedFrame>,
}

#[derive(Encode, Decode)]
struct EncodedFrame {
    #[n(0)]
    sockets: Vec<ByteArray<16>>,
    #[n(1)]
    kind: u8,
    #[n(2)]
    content: ByteVec,
    #[n(3)]
    second: ByteVec,
    #[n(4)]
    code: u16,
}

const NONE: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 3;
const AUTO_RESPONSE: u8 = 4;
const NO_AUTO_RESPONSE: u8 = 5;

impl Batch {
    pub(crate) fn encode(&self) -> Bytes {
        let encoded = Encoded {
            stream: ByteArray::from(self.stream.into_bytes()),
            number: self.number,
            frames: self.frames.iter().map(encode_frame).collect(),
        };
        minicbor::to_vec(&encoded).expect("writing to memory does not fail").into()
    }

    /// # Errors
    ///
    /// `Invalid` for anything that [`Batch::encode`] has not made.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let encoded: Encoded = minicbor::decode(bytes).map_err(|cause| malformed(&cause))?;
        let frames = encoded.frames.into_iter().map(decode_frame).collect::<Result<_>>()?;
        let stream = Uuid::from_bytes(*encoded.stream);
        Ok(Self { stream, number: encoded.number, frames })
    }
}

fn encode_frame(to: &ToSockets) -> EncodedFrame {
    let bytes = |content: &[u8]| ByteVec::from(content.to_vec());
    let nothing = || ByteVec::from(Vec::new());
    let (kind, content, second, code) = match &to.frame {
        None => (NONE, nothing(), nothing(), 0),
        Some(SocketFrame::Text(text)) => (TEXT, bytes(text), nothing(), 0),
        Some(SocketFrame::Binary(content)) => (BINARY, bytes(content), nothing(), 0),
        Some(SocketFrame::Close(close) | SocketFrame::Break(close)) => {
            (CLOSE, bytes(close.reason.as_bytes()), nothing(), close.code)
        }
        Some(SocketFrame::AutoResponse(Some((request, response)))) => {
            (AUTO_RESPONSE, bytes(request.as_bytes()), bytes(response.as_bytes()), 0)
        }
        Some(SocketFrame::AutoResponse(None)) => (NO_AUTO_RESPONSE, nothing(), nothing(), 0),
    };
    let sockets = to.sockets.iter().map(|id| ByteArray::from(id.into_bytes())).collect();
    EncodedFrame { sockets, kind, content, second, code }
}

fn decode_frame(encoded: EncodedFrame) -> Result<ToSockets> {
    let text = |content: ByteVec| {
        String::from_utf8(content.into()).map_err(|_| malformed(&"a text is not UTF-8"))
    };
    let content = encoded.content;
    let frame = match encoded.kind {
        NONE => None,
        TEXT => Some(SocketFrame::Text(text(content)?.into_bytes().into())),
        BINARY => Some(SocketFrame::Binary(Vec::from(content).into())),
        CLOSE => Some(SocketFrame::Close(SocketClose::new(encoded.code, &text(content)?))),
        AUTO_RESPONSE => {
            Some(SocketFrame::AutoResponse(Some((text(content)?, text(encoded.second)?))))
        }
        NO_AUTO_RESPONSE => Some(SocketFrame::AutoResponse(None)),
        kind => return Err(malformed(&format!("a frame has the kind {kind}"))),
    };
    let sockets = encoded.sockets.into_iter().map(|id| Uuid::from_bytes(*id)).collect();
    Ok(ToSockets { sockets, frame })
}

fn malformed(cause: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("another server sent frames that can't be read: {cause}"))
}

/// Reads any bytes as a batch, and what was read again.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(batch) = Batch::decode(bytes) {
        let again = Batch::decode(&batch.encode()).expect("it was just written");
        assert_eq!(again, batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_from_their_bytes_and_other_bytes_are_refused() {
        let ids = || vec![Uuid::from_u128(1), Uuid::from_u128(2)];
        let frames = [
            None,
            Some(SocketFrame::Text("é".into())),
            Some(SocketFrame::Binary(vec![0, 255].into())),
            Some(SocketFrame::Close(SocketClose::new(4000, "bye"))),
            Some(SocketFrame::AutoResponse(Some(("ping".into(), "pong".into())))),
            Some(SocketFrame::AutoResponse(None)),
        ];
        let frames = frames.map(|frame| ToSockets { sockets: ids(), frame }).into();
        let batch = Batch { stream: Uuid::from_u128(3), number: 4, frames };
        let bytes = batch.encode();
        assert_eq!(Batch::decode(&bytes).expect("it was just written"), batch);
        for at in 0..bytes.len() {
            assert!(Batch::decode(&bytes[..at]).is_err(), "cut off after {at} bytes");
            let mut other = bytes.to_vec();
            other[at] ^= 0x41;
            fuzz(&other);
        }
    }
}
