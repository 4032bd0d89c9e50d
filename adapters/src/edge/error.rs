//! Errors as responses: the only place that chooses an HTTP status.

use std::time::Duration;

use dotdo_core::{Error, ErrorKind, MISSING_SCOPE, Response, Scope};
use http::{HeaderValue, StatusCode, header};

use super::json::json;
use crate::auth::INVALID_TOKEN;

/// The code of the catalog's error for a table that is not there.
pub(super) const NO_SUCH_TABLE: &str = "NO_SUCH_TABLE";

/// Default for `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// `Retry-After` if the store refuses requests, which an operator has to repair.
const RETRY_AFTER_REFUSED: Duration = Duration::from_secs(30);

/// The HTTP status for a kind of error.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::Conflict | ErrorKind::Fenced => StatusCode::CONFLICT,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Unknown | ErrorKind::StoreRefused => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
        // Handler, Internal, Corrupt, and any kind that is added later.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The audience of an error, which determines its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Another server of the bucket, which filters the error for its own client.
    Server,
    /// Those who operate the server: a caller with `dotdo:operator`, or, without authentication,
    /// one on the same machine.
    Operator,
    /// All others, who must not see the store's keys or the addresses of the store and of servers.
    Client,
}

/// The detail of an error with another server's address.
const ADDRESS: &str = "address";

/// The message for clients in place of the details about the store.
fn in_short(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Corrupt => {
            "the stored state of this object is damaged or incomplete; the server's log has details under this request's id"
        }
        ErrorKind::Unknown => {
            "it is unknown whether this request was written; the server's log has details under this request's id"
        }
        ErrorKind::StoreRefused => {
            "the server can't use its store; its log has details under this request's id"
        }
        _ => {
            "the server can't reach its store at the moment; its log has details under this request's id"
        }
    }
}

/// The response for an error.
pub(crate) fn response(error: &Error, request_id: &HeaderValue, audience: Audience) -> Response {
    let status = status(error.kind());
    let is_hidden = is_hidden(error, audience);
    let mut body = serde_json::json!({
        "error": message(error, audience),
        "code": error.code(),
        "status": status.as_u16(),
        "requestId": String::from_utf8_lossy(request_id.as_bytes()),
    });
    if let Some(details) = error.public_details().filter(|_| !is_hidden) {
        let mut details = details.clone();
        if let (Audience::Client, Some(fields)) =
            (audience, details.as_object_mut().filter(|_| error.kind() == ErrorKind::Busy))
        {
            fields.remove(ADDRESS);
        }
        body["details"] = details;
    }
    if audience == Audience::Server && error.tells_of_store() {
        body["tellsOfStore"] = true.into();
    }
    let mut response = json(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(after) = retry_after(error) {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(after.as_secs() + u64::from(after.subsec_nanos() > 0)),
        );
    }
    if let Some(challenge) = challenge(error) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The response for an error in the form of Iceberg's catalogs
/// (<https://iceberg.apache.org/rest-catalog-spec/>, `IcebergErrorResponse`).
pub(crate) fn catalog_response(
    error: &Error,
    request_id: &HeaderValue,
    audience: Audience,
) -> Response {
    let mut response = response(error, request_id, audience);
    let status = response.status();
    let body = serde_json::json!({ "error": {
        "message": message(error, audience),
        "type": catalog_type(error, status),
        "code": status.as_u16(),
    }});
    *response.body_mut() = body.into();
    response
}

/// What Iceberg's clients call an error.
fn catalog_type(error: &Error, status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND if error.code() == NO_SUCH_TABLE => "NoSuchTableException",
        StatusCode::NOT_FOUND => "NoSuchNamespaceException",
        StatusCode::UNAUTHORIZED => "NotAuthorizedException",
        StatusCode::FORBIDDEN => "ForbiddenException",
        StatusCode::TOO_MANY_REQUESTS => "SlowDownException",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailableException",
        status if status.is_client_error() => "BadRequestException",
        _ => "InternalServerError",
    }
}

fn is_hidden(error: &Error, audience: Audience) -> bool {
    audience == Audience::Client && error.tells_of_store()
}

/// What the audience is told.
fn message(error: &Error, audience: Audience) -> &str {
    if is_hidden(error, audience) { in_short(error.kind()) } else { error.public_message() }
}

/// What a client is asked for (RFC 6750 section 3): a token, a valid one, or one that allows more.
fn challenge(error: &Error) -> Option<HeaderValue> {
    let plain = HeaderValue::from_static("Bearer");
    let text = match (error.kind(), error.code()) {
        (ErrorKind::Unauthenticated, INVALID_TOKEN) => invalid_token(error),
        (ErrorKind::Unauthenticated, _) => return Some(plain),
        (ErrorKind::Forbidden, MISSING_SCOPE) => {
            let scope = Scope::from_name(error.public_details()?["scope"].as_str()?)?;
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        _ => return None,
    };
    Some(HeaderValue::try_from(text).unwrap_or(plain))
}

/// The challenge for an invalid token, with the reason.
fn invalid_token(error: &Error) -> String {
    // Quotes and backslashes would need escapes, which the description must not have.
    let is_allowed = |letter: char| matches!(letter, ' '..='~') && !"\"\\".contains(letter);
    let why: String = error
        .public_message()
        .chars()
        .map(|letter| if is_allowed(letter) { letter } else { '?' })
        .collect();
    format!("Bearer error=\"invalid_token\", error_description=\"{why}\"")
}

/// `Retry-After`: the error's own, or the default for statuses that have one.
fn retry_after(error: &Error) -> Option<Duration> {
    let usual = match error.kind() {
        ErrorKind::StoreRefused => Some(RETRY_AFTER_REFUSED),
        ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Unknown | ErrorKind::RateLimited => {
            Some(RETRY_AFTER)
        }
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
            (Gone, 410),
            (Conflict, 409),
            (PreconditionFailed, 412),
            (KeyReused, 422),
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
            (TooSlow, 408),
            (Full, 507),
        ] {
            let response = response(
                &Error::new(kind, "why"),
                &HeaderValue::from_static("r"),
                Audience::Operator,
            );
            assert_eq!(response.status().as_u16(), expected, "{kind:?}");
            assert_eq!(
                response.headers().contains_key("retry-after"),
                [503, 429].contains(&expected),
                "{kind:?}"
            );
            assert_eq!(
                response.headers().contains_key("www-authenticate"),
                expected == 401,
                "{kind:?}"
            );
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[tokio::test]
    async fn what_is_confidential_is_told_to_nobody_unless_the_class_discloses_it() {
        let names = "SQLite: no such column: secret";
        let failed = Error::handler(names)
            .with_code("SQL_ERROR")
            .with_details(serde_json::json!({ "sqliteCode": 1 }))
            .confidential("it failed");
        let body = async |error: &Error| {
            let body = response(error, &HeaderValue::from_static("r"), Audience::Operator)
                .into_body()
                .bytes()
                .await
                .expect("a body in memory");
            serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")
        };
        let told = serde_json::json!({ "error": "it failed", "code": "SQL_ERROR", "status": 500, "requestId": "r" });
        assert_eq!(body(&failed).await, told);
        assert_eq!(
            body(&failed.clone()).await,
            told,
            "whoever waits for the same failure is told the same"
        );
        assert!(format!("{failed:?}").contains(names), "the log has it all");
        assert_eq!(
            (failed.message(), failed.details().is_some()),
            (names, true),
            "and so has the class"
        );
        let passed_on = body(&failed.disclosed()).await;
        assert_eq!(
            (passed_on["error"].as_str(), passed_on["details"]["sqliteCode"].as_i64()),
            (Some(names), Some(1))
        );
    }

    #[test]
    fn retry_after_is_rounded_up_to_seconds() {
        let error =
            Error::new(ErrorKind::Busy, "later").with_retry_after(Duration::from_millis(2001));
        assert_eq!(
            response(&error, &HeaderValue::from_static("r"), Audience::Operator).headers()["retry-after"],
            "3"
        );
    }

    async fn told(error: &Error, audience: Audience) -> serde_json::Value {
        let body = response(error, &HeaderValue::from_static("r"), audience)
            .into_body()
            .bytes()
            .await
            .expect("a body that is here");
        serde_json::from_slice(&body).expect("JSON")
    }

    #[tokio::test]
    async fn details_about_the_store_are_only_for_operators_and_servers() {
        let (key, endpoint) = ("local/a/log/1", "http://10.0.0.9:8333/bucket");
        let denied = dotdo_core::StoreError::Refused {
            operation: "get",
            key: dotdo_core::Key::new(key),
            reason: endpoint.to_owned(),
        };
        let corrupt = Error::corrupt(key, format!("expected it at {endpoint}"));
        let refused = Error::new(ErrorKind::StoreRefused, format!("{endpoint} {key}"))
            .with_details(serde_json::json!({ "store": endpoint }));
        let unknown =
            Error::new(ErrorKind::Unknown, format!("{endpoint} {key}")).telling_of_store();
        for error in [Error::from(denied), corrupt, refused, unknown.clone(), unknown] {
            let (operator, client) = (
                told(&error, Audience::Operator).await.to_string(),
                told(&error, Audience::Client).await.to_string(),
            );
            assert!(operator.contains(key) || operator.contains(endpoint), "{operator}");
            assert!(!client.contains(key) && !client.contains("10.0.0.9"), "{client}");
            assert!(client.contains(error.code()), "{client}");
            assert_eq!(
                told(&error, Audience::Server).await["tellsOfStore"],
                true,
                "the server that passes it on knows as well"
            );
        }
        let own =
            told(&Error::new(ErrorKind::Unavailable, "the class's own words"), Audience::Client)
                .await;
        assert_eq!(own["error"], "the class's own words");
        let elsewhere = Error::new(ErrorKind::Busy, "later")
            .with_details(serde_json::json!({ "address": endpoint, "epoch": 1 }));
        assert_eq!(
            told(&elsewhere, Audience::Client).await["details"],
            serde_json::json!({ "epoch": 1 })
        );
    }
}
