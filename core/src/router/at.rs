//! The version of an object that a request reads.

use http::{HeaderMap, Method};

use super::object_headers::OBJECT_AT;
use super::shown;
use crate::error::{Error, Result};

/// The version of an object to read.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod engine { pub use dotdo_core::*; } }
/// use dotdo::At;
/// use dotdo::engine::parse_at;
///
/// assert_eq!(parse_at("42")?, At::Sequence(42));
/// assert_eq!(parse_at("2026-01-01T00:00:00Z")?, At::TimeMs(1_767_225_600_000));
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// The state after the record with this number.
    Sequence(u64),
    /// The state at this time: milliseconds since 1970.
    TimeMs(i64),
}

/// The version that the request asks for.
pub(super) fn version(method: &Method, headers: &HeaderMap) -> Result<Option<At>> {
    let Some(text) = OBJECT_AT.value(headers)? else {
        return Ok(None);
    };
    if method != Method::GET && method != Method::HEAD {
        return Err(Error::invalid(format!("expected GET or HEAD with X-DO-At, got {method}"))
            .with_code("BAD_AT"));
    }
    parse_at(text).map(Some)
}

/// Reads a sequence number or an RFC 3339 time, as the header [`OBJECT_AT`] has it.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::At;
/// use dotdo::engine::parse_at;
///
/// assert_eq!(parse_at("42")?, At::Sequence(42));
/// assert_eq!(parse_at("yesterday").unwrap_err().code(), "BAD_AT");
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` (code `BAD_AT`) for anything else.
pub fn parse_at(text: &str) -> Result<At> {
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(sequence) = text.parse()
    {
        return Ok(At::Sequence(sequence));
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| At::TimeMs(time.as_millisecond())).map_err(|_| {
        let shown = shown(text);
        Error::invalid(format!(
            "expected a sequence number or a time like 2026-01-31T12:00:00Z in X-DO-At, got {shown:?}"
        ))
        .with_code("BAD_AT")
    })
}
