//! The head of a frame: what it is, how long, and its mask.

use bytes::{Buf as _, BytesMut};

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Bits of the first byte: the last frame of a message, a compressed message, what nobody defines.
pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const OPCODE: u8 = 0x0f;

/// The bit of the second byte.
const MASKED: u8 = 0x80;

/// Lengths of the second byte that say that two or eight bytes of length follow.
const LENGTH_OF_2: u8 = 126;
const LENGTH_OF_8: u8 = 127;

/// Maximum length of a control frame, in bytes.
const CONTROL_BYTES_MAX: u64 = 125;

/// The head of a frame from a client, whose payload is coming.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) opcode: u8,
    /// Whether it is the last frame of its message.
    pub(super) is_last: bool,
    pub(super) is_compressed: bool,
    /// Bytes of the payload that have not come yet.
    pub(super) left: u64,
    /// The mask of the byte that comes next, and of those after it.
    mask: [u8; 4],
}

impl Head {
    /// Takes a head off `input`; `None` if it has not come completely. `may_compress`: messages may
    /// be compressed.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn take(
        input: &mut BytesMut,
        may_compress: bool,
    ) -> Result<Option<Self>, &'static str> {
        let [first, second, rest @ ..] = &input[..] else { return Ok(None) };
        let (opcode, is_control) = (first & OPCODE, first & 8 != 0);
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return Err("a frame has an opcode that nobody defines");
        }
        let is_compressed = first & RSV1 != 0;
        let may_be_compressed = may_compress && matches!(opcode, TEXT | BINARY);
        if first & RSV2_AND_3 != 0 || (is_compressed && !may_be_compressed) {
            return Err("a frame has a reserved bit that nobody has agreed on");
        }
        if second & MASKED == 0 {
            return Err("a frame of a client is not masked");
        }
        let (length, rest) = match second & !MASKED {
            LENGTH_OF_2 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            LENGTH_OF_8 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if is_control && (first & FIN == 0 || length > CONTROL_BYTES_MAX) {
            return Err("a control frame is in pieces, or longer than 125 bytes");
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let (is_last, mask, taken) = (first & FIN != 0, *mask, input.len() - rest.len());
        input.advance(taken);
        Ok(Some(Self { opcode, is_last, is_compressed, left: length, mask }))
    }

    /// Whether it is a close frame, a ping or a pong.
    pub(super) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// Takes the mask off the bytes of the payload that have come next.
    pub(super) fn unmask(&mut self, payload: &mut [u8]) {
        let mut chunks = payload.chunks_exact_mut(4);
        for chunk in &mut chunks {
            for (byte, mask) in chunk.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
        }
        let rest = chunks.into_remainder();
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(rest.len());
        self.left -= payload.len() as u64;
    }
}

/// Writes the head of a server's frame, which begins with the byte `first`.
pub(super) fn write_head(out: &mut Vec<u8>, first: u8, length: usize) {
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..LENGTH_OF_2), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(LENGTH_OF_2);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(LENGTH_OF_8);
            out.extend((length as u64).to_be_bytes());
        }
    }
}
