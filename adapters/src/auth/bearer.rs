//! The bearer token of a request, read only from the header `Authorization: Bearer …` (RFC 6750
//! section 2.1). A token in the query or the body would end up in logs and caches.

use dotdo_core::{Error, ErrorKind, Result};
use http::{HeaderMap, header};

/// Maximum length of a token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Marks an error about an invalid token, as opposed to a missing one. The response then says so in
/// `WWW-Authenticate` (RFC 6750 section 3).
pub(crate) const INVALID_TOKEN: &str = "INVALID_TOKEN";

/// The bearer token of a request.
///
/// # Errors
///
/// `Unauthenticated` when the token is missing or malformed.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(missing());
    };
    // A proxy in front may have used the other one.
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

/// The error for an invalid token.
pub(super) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unauthenticated, why).with_code(INVALID_TOKEN)
}

fn missing() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "this server requires authentication; send the header Authorization: Bearer with your token",
    )
}
