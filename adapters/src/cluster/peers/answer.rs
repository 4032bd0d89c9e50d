//! Errors between servers: the forwarding server returns the owner's error unchanged.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{Error, ErrorKind};
use http::{HeaderMap, header};
use serde::Deserialize;

/// Every kind of error.
pub(crate) const KINDS: [ErrorKind; 21] = [
    ErrorKind::Invalid,
    ErrorKind::NotFound,
    ErrorKind::Gone,
    ErrorKind::Unauthenticated,
    ErrorKind::Forbidden,
    ErrorKind::Conflict,
    ErrorKind::PreconditionFailed,
    ErrorKind::KeyReused,
    ErrorKind::Fenced,
    ErrorKind::TooLarge,
    ErrorKind::TooSlow,
    ErrorKind::RateLimited,
    ErrorKind::Busy,
    ErrorKind::Unavailable,
    ErrorKind::Unknown,
    ErrorKind::TimedOut,
    ErrorKind::Full,
    ErrorKind::Corrupt,
    ErrorKind::StoreRefused,
    ErrorKind::Handler,
    ErrorKind::Internal,
];

/// Maximum number of different codes that are kept. A program has a few dozen.
const CODES_MAX: usize = 4096;

/// The body of an error's response.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    code: String,
    details: Option<serde_json::Value>,
    #[serde(default, rename = "tellsOfStore")]
    tells_of_store: bool,
}

/// The name of an error's kind between servers.
pub(crate) fn kind_named(kind: ErrorKind) -> &'static str {
    // The default code of the kind.
    kind.code()
}

/// The error in a peer's response; its kind has this name.
pub(crate) fn error_from(kind: &str, headers: &HeaderMap, body: &Bytes) -> Error {
    let kind = KINDS.into_iter().find(|known| known.code() == kind).unwrap_or(ErrorKind::Internal);
    let Ok(content) = serde_json::from_slice::<ErrorBody>(body) else {
        return Error::new(kind, "the owner of the object failed without details");
    };
    let mut error =
        Error::new(kind, content.error).with_code(kept(&content.code).unwrap_or(kind.code()));
    if let Some(details) = content.details {
        error = error.with_details(details);
    }
    if content.tells_of_store {
        error = error.telling_of_store();
    }
    let seconds =
        headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    match seconds {
        Some(seconds) => error.with_retry_after(Duration::from_secs(seconds)),
        None => error,
    }
}

/// The code with a static lifetime. Codes are constants of programs, so there are few.
fn kept(code: &str) -> Option<&'static str> {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut codes = KEPT.lock();
    if let Some(known) = codes.get(code) {
        return Some(known);
    }
    if codes.len() >= CODES_MAX {
        return None;
    }
    let code: &'static str = Box::leak(code.to_owned().into_boxed_str());
    codes.insert(code);
    Some(code)
}
