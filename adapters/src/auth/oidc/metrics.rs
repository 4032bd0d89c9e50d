//! Metrics of verifications.

use dotdo_core::{Error, ErrorKind, Result};

/// Counts a token that was verified or refused.
pub(super) fn count<T>(outcome: &Result<T>) {
    let result = match outcome.as_ref().map_err(Error::kind) {
        Ok(_) => "verified",
        Err(ErrorKind::Forbidden) => "forbidden",
        Err(ErrorKind::Unavailable) => "unavailable",
        Err(_) => "invalid",
    };
    count_as(result);
}

/// Counts a token that was verified shortly before.
pub(super) fn count_remembered() {
    count_as("remembered");
}

fn count_as(result: &'static str) {
    metrics::counter!("dotdo_auth_tokens_total", "result" => result).increment(1);
}

/// Counts a fetch of an issuer's keys.
pub(super) fn count_fetch(succeeded: bool) {
    let result = if succeeded { "fetched" } else { "failed" };
    metrics::counter!("dotdo_auth_key_fetches_total", "result" => result).increment(1);
}
