//! The token of a request: the header `Authorization: Bearer …`, and nothing else (RFC 6750 section
//! 2.1). A token in the query or the body would end up in logs and caches.

use dotdo_core::{Error, ErrorKind, Result};
use http::{HeaderMap, header};

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// What marks an error that is about the token which was sent, not about one that is missing. The
/// answer then says so in `WWW-Authenticate` (RFC 6750 section 3).
pub(crate) const INVALID_TOKEN: &str = "INVALID_TOKEN";

/// The bearer token of a request.
///
/// # Errors
///
/// `Unauthenticated` when there is none, or what is there can't be one.
pub(super) fn token(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(missing());
    };
    // Which of two counts is a question that a proxy in front may have answered otherwise.
    if values.next().is_some() {
        return Err(invalid("expected one Authorization header, got several"));
    }
    let text = value
        .to_str()
        .map_err(|_| invalid("expected text in the Authorization header, got other bytes"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let token = token.trim_matches(' ');
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid(format!(
            "expected a bearer token of at most {TOKEN_BYTES_MAX} bytes, got a longer one"
        )));
    }
    if !is_token(token) {
        return Err(invalid("expected a token after Bearer in the Authorization header"));
    }
    Ok(token)
}

/// Whether `text` can be sent as a token (`b64token` of RFC 6750 section 2.1).
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The refusal of a token.
pub(super) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unauthenticated, why).with_code(INVALID_TOKEN)
}

fn missing() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "this server requires authentication; send the header Authorization: Bearer with your token",
    )
}
