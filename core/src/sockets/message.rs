//! Messages and close frames.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::limits::SOCKET_REASON_BYTES_MAX;

/// A message on a WebSocket.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod sockets { pub use dotdo_core::*; } }
/// use dotdo::sockets::SocketMessage;
///
/// assert_eq!(SocketMessage::from("hello").text(), Some("hello"));
/// assert_eq!(SocketMessage::from(vec![1, 2]).text(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl SocketMessage {
    /// The text; `None` for bytes.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The size, in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&str> for SocketMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SocketMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for SocketMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for SocketMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Why a WebSocket ends: a code of RFC 6455, section 7.4, and a reason for people.
///
/// ```
/// # mod dotdo { pub mod sockets { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::sockets::SocketClose;
///
/// fn has_left(close: &SocketClose) -> bool {
///     matches!(close.code, 1000 | 1001 | 1005)
/// }
///
/// assert!(has_left(&SocketClose::new(1000, "bye")));
/// assert!(!has_left(&SocketClose::new(1006, "")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketClose {
    /// The code. 1005: the client gave none; 1006: the connection broke off.
    pub code: u16,
    /// The reason, at most 123 bytes.
    pub reason: String,
}

impl SocketClose {
    /// A close frame with a reason, which is cut off where it is too long.
    pub fn new(code: u16, reason: &str) -> Self {
        let end = (0..=reason.len().min(SOCKET_REASON_BYTES_MAX))
            .rev()
            .find(|at| reason.is_char_boundary(*at))
            .unwrap_or(0);
        Self { code, reason: reason[..end].to_owned() }
    }

    /// A close frame of an object.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_CLOSE_CODE`) for a code that nobody may send, or a reason that is too
    /// long.
    pub(crate) fn of_object(code: u16, reason: &str) -> Result<Self> {
        let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        if may_be_sent && reason.len() <= SOCKET_REASON_BYTES_MAX {
            return Ok(Self { code, reason: reason.to_owned() });
        }
        let text = format!(
            "expected a close code of 1000 to 1003, 1007 to 1014 or 3000 to 4999 and a reason of at most {SOCKET_REASON_BYTES_MAX} bytes, got {code} and {} bytes",
            reason.len()
        );
        Err(Error::invalid(text).with_code("BAD_CLOSE_CODE"))
    }
}

/// What connections are closed with that may have missed something.
pub(crate) fn interrupted() -> SocketClose {
    SocketClose::new(1012, "messages may have been lost; connect again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_off_between_characters() {
        let close = SocketClose::new(1011, &"é".repeat(100));
        assert_eq!(close.reason, "é".repeat(61));
        assert_eq!(SocketClose::new(1000, "bye").reason, "bye");
    }

    #[test]
    fn an_object_sends_only_codes_that_may_be_sent() {
        for code in [1000, 1001, 1003, 1011, 3000, 4999] {
            assert!(SocketClose::of_object(code, "x").is_ok(), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let error = SocketClose::of_object(code, "x").expect_err("it may not be sent");
            assert_eq!(error.code(), "BAD_CLOSE_CODE");
        }
        assert!(SocketClose::of_object(1000, &"x".repeat(124)).is_err());
    }
}
