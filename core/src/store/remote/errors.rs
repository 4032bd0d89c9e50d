//! Translates errors of `object_store`, without secrets.
//!
//! Promises: the texts contain no credentials, signatures or query strings.

use http::StatusCode;
use object_store::Error;
use object_store::client::HttpError;

use super::super::config::Secret;
use super::super::keys::AccessKeysError;
use super::super::{Key, StoreError};
use super::http::Answer;

/// Maximum length of a reason, in characters.
const REASON_MAX: usize = 300;

/// The operation on the store.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) operation: &'static str,
    pub(super) key: &'a Key,
}

impl Asked<'_> {
    pub(super) fn unavailable(self, reason: String) -> StoreError {
        StoreError::Unavailable { operation: self.operation, key: self.key.clone(), reason }
    }

    /// Nothing was sent, because there are no keys to sign with.
    pub(super) fn without_keys(self, error: &AccessKeysError) -> StoreError {
        let reason = format!("there are no keys for the store: {error}");
        match error {
            AccessKeysError::Unavailable(_) => self.unavailable(reason),
            AccessKeysError::Refused(_) => self.refused(reason),
        }
    }

    pub(super) fn refused(self, reason: String) -> StoreError {
        StoreError::Refused { operation: self.operation, key: self.key.clone(), reason }
    }
}

/// Whether the object is missing. A missing bucket is an error, not an empty one, and so is the
/// page of a web server that knows of no bucket.
pub(super) fn is_missing(error: &Error, answer: Option<&Answer>) -> bool {
    let whole = |answer: &Answer| {
        answer.is_page
            || matches!(
                answer.code.as_str(),
                "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted"
            )
    };
    matches!(error, Error::NotFound { .. }) && !answer.is_some_and(whole)
}

/// Whether the store says that nobody with these permissions may know of the object. It says
/// nothing of the kind when it refuses the request itself, such as its time or its signature.
pub(super) fn is_forbidden(error: &Error, answer: Option<&Answer>) -> bool {
    let is_plain = |answer: &Answer| {
        !answer.is_page && matches!(answer.code.as_str(), "" | "AccessDenied" | "Forbidden")
    };
    matches!(error, Error::PermissionDenied { .. }) && answer.is_none_or(is_plain)
}

/// Whether a create was refused because of its condition. By status 409 a store says this of a
/// conflict with another write as well, of which it may have executed neither; only a code tells
/// the two apart.
fn is_taken(answer: Option<&Answer>) -> bool {
    answer.is_none_or(|answer| {
        answer.status != StatusCode::CONFLICT
            || matches!(answer.code.as_str(), "BlobAlreadyExists" | "ObjectAlreadyExists")
    })
}

/// The error for the callers of a bucket.
pub(super) fn translate(
    asked: Asked<'_>,
    error: &Error,
    answer: Option<&Answer>,
    secrets: &[Secret],
) -> StoreError {
    let reason = reason(error, answer, secrets);
    match (error, answer) {
        (Error::AlreadyExists { .. } | Error::Precondition { .. }, answer)
            if asked.operation == "create" =>
        {
            if is_taken(answer) {
                StoreError::Exists { key: asked.key.clone() }
            } else {
                asked.unavailable(reason)
            }
        }
        (_, Some(answer)) if is_passing(answer) => asked.unavailable(reason),
        (_, Some(_)) => asked.refused(reason),
        (
            Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::InvalidPath { .. },
            None,
        )
        | (
            Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::UnknownConfigurationKey { .. },
            None,
        ) => asked.refused(reason),
        _ => asked.unavailable(reason),
    }
}

/// Whether a retry may succeed.
fn is_passing(answer: &Answer) -> bool {
    let status = answer.status;
    let busy = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
    );
    // S3 answers 400 when the bytes of a request stop coming.
    let stalled = status == StatusCode::BAD_REQUEST && answer.code == "RequestTimeout";
    // What says success and is an error (`successes`).
    let is_false = status.is_success();
    busy || stalled
        || is_false
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

fn reason(error: &Error, answer: Option<&Answer>, secrets: &[Secret]) -> String {
    let text = match answer {
        Some(Answer { status, code, message, .. }) => {
            let said: Vec<&str> = [code.as_str(), message.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            let said = if said.is_empty() {
                format!("the store answered {status}")
            } else {
                format!("the store answered {status}, {}", said.join(": "))
            };
            match advice(*status, code) {
                Some(advice) => format!("{said}; {advice}"),
                None => said,
            }
        }
        None => transport(error).unwrap_or_else(|| error.to_string()),
    };
    scrub(&text, secrets)
}

/// What to do about an answer that comes from the configuration or from this machine.
fn advice(status: StatusCode, code: &str) -> Option<&'static str> {
    match code {
        "RequestTimeTooSkewed" => Some("set this machine's clock"),
        _ if status.is_success() => Some("which is an error, or a part of what was asked for"),
        _ if status.is_redirection() => Some(
            "the bucket is in another region or at another address: set its region and endpoint",
        ),
        _ => None,
    }
}

/// The deepest cause of a failed exchange, such as `Connection refused (os error 111)`.
fn transport(error: &Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut is_http = false;
    let mut deepest = None;
    while let Some(current) = cause {
        is_http |= current.is::<HttpError>();
        deepest = Some(current.to_string());
        cause = current.source();
    }
    deepest.filter(|_| is_http)
}

/// Removes known secrets and query strings, and truncates long texts.
fn scrub(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.split_whitespace().map(without_query).collect::<Vec<_>>().join(" ");
    for secret in secrets.iter().filter(|secret| !secret.reveal().is_empty()) {
        text = text.replace(secret.reveal(), "(secret)");
    }
    if text.chars().count() > REASON_MAX {
        text = text.chars().take(REASON_MAX).chain("…".chars()).collect();
    }
    text
}

fn without_query(word: &str) -> &str {
    match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_query_strings_do_not_get_out() {
        let text = scrub(
            "asking http://h/b?X-Amz-Signature=abc of hunter2",
            &[Secret::new("hunter2"), Secret::new("")],
        );
        assert_eq!(text, "asking http://h/b of (secret)");
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let error = Error::NotFound { path: "a".into(), source: "404".into() };
        let answer = |code: &str| Answer {
            status: StatusCode::NOT_FOUND,
            code: code.into(),
            message: String::new(),
            access_key_id: None,
            is_page: false,
        };
        assert!(is_missing(&error, Some(&answer("NoSuchKey"))));
        assert!(!is_missing(&error, Some(&answer("NoSuchBucket"))));
    }

    #[test]
    fn a_collision_proves_nothing() {
        let key = Key::new("a");
        let error = Error::AlreadyExists { path: "a".into(), source: "409".into() };
        let answer = |code: &str| Answer {
            status: StatusCode::CONFLICT,
            code: code.into(),
            message: String::new(),
            access_key_id: None,
            is_page: false,
        };
        let create = Asked { operation: "create", key: &key };
        assert!(matches!(
            translate(create, &error, Some(&answer("ConditionalRequestConflict")), &[]),
            StoreError::Unavailable { .. }
        ));
        assert!(matches!(
            translate(create, &error, Some(&answer("BlobAlreadyExists")), &[]),
            StoreError::Exists { .. }
        ));
    }
}
