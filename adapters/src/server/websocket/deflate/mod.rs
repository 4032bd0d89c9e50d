//! Compression of messages, one by one: `permessage-deflate` (RFC 7692) without context takeover.
//!
//! Promises: neither end keeps a window from one message to the next, so an idle connection costs
//! what it costs without; a message grows up to its limit while it is uncompressed, and no further.
//! Must not know: frames, HTTP but its headers, objects, connections.

mod coder;
mod offers;

use bytes::Bytes;
use dotdo_core::SocketClose;

use self::coder::{Failure, deflate, inflate};
pub(crate) use self::offers::Deflate;

impl Deflate {
    /// A message as it is sent if that is shorter.
    pub(super) fn compressed(self, message: &Bytes) -> Option<Bytes> {
        deflate(message, self.window_bits())
    }
}

/// The message of up to `bytes_max` that was compressed to `small`.
///
/// # Errors
///
/// What to close the connection with: 1007 for what is not compressed as RFC 7692 says, 1009 for a
/// message that is too long.
pub(super) fn uncompressed(small: &[u8], bytes_max: usize) -> Result<Vec<u8>, SocketClose> {
    inflate(small, bytes_max).map_err(|failure| match failure {
        Failure::TooLong => too_long(bytes_max),
        Failure::Invalid => SocketClose::new(1007, "a message is not compressed by RFC 7692"),
    })
}

/// Maximum compressed size of a message of `bytes_max`. One that can't be compressed becomes longer:
/// by 1 in 100 with the smallest window, and by an eighth if the other end does not mind.
pub(super) fn compressed_max(bytes_max: usize) -> usize {
    bytes_max + bytes_max / 8 + 64
}

/// What to close the connection with if a message is longer than `bytes_max`.
pub(super) fn too_long(bytes_max: usize) -> SocketClose {
    SocketClose::new(1009, &format!("expected a message of up to {bytes_max} bytes"))
}
