//! Errors as responses: the only place that chooses an HTTP status.

use std::time::Duration;

use dotdo_core::{Error, ErrorKind, Response};
use http::{HeaderValue, StatusCode, header};

use crate::auth::INVALID_TOKEN;

/// When to come again, where the error does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// When to come again after the store was refused: somebody has to repair it first.
const RETRY_AFTER_REFUSED: Duration = Duration::from_secs(30);

/// The status of an error of this kind.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::Fenced => StatusCode::CONFLICT,
        ErrorKind::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Unknown | ErrorKind::StoreRefused => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
        // Handler, Internal, Corrupt, and whatever kind comes later: the server's fault.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The response for an error.
pub(crate) fn response(error: &Error, request_id: &HeaderValue) -> Response {
    let status = status(error.kind());
    let mut body = serde_json::json!({
        "error": error.message(),
        "code": error.code(),
        "status": status.as_u16(),
        "requestId": String::from_utf8_lossy(request_id.as_bytes()),
    });
    if let Some(details) = error.details() {
        body["details"] = details.clone();
    }
    let mut response = super::json(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(after) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs() + u64::from(after.subsec_nanos() > 0)));
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = if error.code() == INVALID_TOKEN { "Bearer error=\"invalid_token\"" } else { "Bearer" };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// When to come again: what the error says, or a usual time where the status promises one.
fn retry_after(error: &Error) -> Option<Duration> {
    let usual = match error.kind() {
        ErrorKind::StoreRefused => Some(RETRY_AFTER_REFUSED),
        ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Unknown | ErrorKind::RateLimited => Some(RETRY_AFTER),
        _ => None,
    };
    error.retry_after().or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_status_of_the_contract() {
        use ErrorKind::*;
        for (kind, expected) in [
            (Invalid, 400),
            (Unauthenticated, 401),
            (Forbidden, 403),
            (NotFound, 404),
            (Conflict, 409),
            (Conflict, 409),
            (Fenced, 409),
            (TooLarge, 413),
            (RateLimited, 429),
            (Handler, 500),
            (Internal, 500),
            (Corrupt, 500),
            (Busy, 503),
            (Unavailable, 503),
            (Unknown, 503),
            (StoreRefused, 503),
            (TimedOut, 504),
            (Full, 507),
        ] {
            let response = response(&Error::new(kind, "why"), &HeaderValue::from_static("r"));
            assert_eq!(response.status().as_u16(), expected, "{kind:?}");
            assert_eq!(response.headers().contains_key("retry-after"), [503, 429].contains(&expected), "{kind:?}");
            assert_eq!(response.headers().contains_key("www-authenticate"), expected == 401, "{kind:?}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn a_fraction_of_a_second_to_wait_is_a_whole_one() {
        let error = Error::new(ErrorKind::Busy, "later").with_retry_after(Duration::from_millis(2001));
        assert_eq!(response(&error, &HeaderValue::from_static("r")).headers()["retry-after"], "3");
    }
}
